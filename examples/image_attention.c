/* Attention over a picture. A question is the query; the feature map of the picture is keys and
 * values; the result of the attention is added to the map, as a residual.
 *
 *     image_attention [-m MODEL] [-o PICTURE.png] [FILE [PIXELS]]
 *
 * The pictures, drawn here, show coloured shapes among specks. The model is asked for the colour
 * of one shape, and is told the right colour, but never where the shape is. To answer, it has to
 * find out where to look. The program measures how often the largest weight lies on that shape
 * in new pictures, draws the attention in PICTURE.png, and returns non-zero below 90 %.
 *
 * FILE is a picture of your own, in which the model looks for each shape. It is shrunk until its
 * longer side has PIXELS (48); the shapes should then be about 12 pixels wide. MODEL is a file
 * that stores the trained model for the next time. */
#include "support/checked.h"
#define STB_IMAGE_IMPLEMENTATION
#define STBI_MALLOC(size) ex_checked_allocate(size)
#define STBI_REALLOC_SIZED(memory, old, size) ex_checked_reallocate(memory, old, size)
#define STBI_FREE(memory) ex_checked_free(memory)
#include <math.h>
#include <stb_image.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>
#include <unistd.h>

#include "support/draw.h"
#include "support/failure.h"

enum { SIDE = 48, CELL = 4, WINDOW = 4 }; /* pixels of a picture, of a cell; cells of a window */
enum { GRID = SIDE / CELL - WINDOW + 1, PLACES = GRID * GRID }; /* of the feature map */
enum { CELL_FEATURES = 16, FEATURES = 64, WIDTH = 32 };
enum { BATCH = 16, STEPS = 500, TEST_BATCHES = 32 };
enum { SHAPES = 4, SPECKS = 5 }; /* in a picture */

/* ---- pictures ---- */

enum { CIRCLE, SQUARE, TRIANGLE, CROSS, RING, KINDS };
static const char *const kinds[KINDS] = {"circle", "square", "triangle", "cross", "ring"};

enum { COLOURS = 6 };
static const char *const colours[COLOURS] = {"red", "orange", "green", "cyan", "blue", "pink"};
static const float paints[COLOURS][3] = {{.86f, .20f, .18f}, {.96f, .62f, .10f},
                                         {.22f, .62f, .26f}, {.15f, .74f, .80f},
                                         {.18f, .32f, .80f}, {.90f, .42f, .74f}};

typedef struct object {
    int kind, colour;
    double x, y, radius; /* in units of the picture's side */
} object;

typedef struct scene {
    object objects[SHAPES + SPECKS]; /* specks are small discs */
    double light[3]; /* brightness at the top left, and its change across and down */
} scene;

/* The approximate distance of a point from the shape; negative inside it. */
static double outside(const object *o, double x, double y)
{
    const double r = o->radius, ax = fabs(x -= o->x), ay = fabs(y -= o->y);
    switch (o->kind) {
    case SQUARE: return fmax(ax, ay) - 0.85 * r;
    case TRIANGLE: return fmax(y, 0.866 * ax - 0.5 * y) - 0.56 * r;
    case CROSS: return fmax(fmin(ax, ay) - 0.32 * r, fmax(ax, ay) - r);
    case RING: return fabs(hypot(x, y) - 0.75 * r) - 0.25 * r;
    default: return hypot(x, y) - r;
    }
}

/* Places an object where it does not touch those from `first` on; false if it finds no such
 * place. */
static bool place(object *o, const object *first, tg_random *random)
{
    for (int tries = 0; tries < 100; tries++) {
        bool apart = true;
        o->x = 0.16 + 0.68 * tg_random_uniform(random);
        o->y = 0.16 + 0.68 * tg_random_uniform(random);
        for (const object *other = first; other < o; other++)
            apart = apart &&
                    hypot(o->x - other->x, o->y - other->y) > 1.15 * (o->radius + other->radius);
        if (apart) return true;
    }
    return false;
}

static scene imagine(tg_random *random)
{
    scene s;
    int32_t order[KINDS] = {0, 1, 2, 3, 4};
    tg_random_shuffle(random, order, KINDS);
    for (int i = 0; i < SHAPES + SPECKS; i++) {
        object *o = &s.objects[i];
        o->kind = i < SHAPES ? order[i] : CIRCLE;
        o->colour = (int)tg_random_below(random, COLOURS);
        o->radius = (i < SHAPES ? 5.4 + 1.2 * tg_random_uniform(random)
                                : 0.8 + 0.7 * tg_random_uniform(random)) /
                    SIDE;
        if (!place(o, s.objects, random)) i = -1; /* start again */
    }
    s.light[0] = 0.75 + 0.25 * tg_random_uniform(random);
    for (int i = 1; i < 3; i++) s.light[i] = 0.2 * (tg_random_uniform(random) - 0.5);
    return s;
}

/* Draws an object into rgb [side, side, 3], with soft edges. */
static void paint_object(const object *o, int side, float *rgb)
{
    const double reach = o->radius + 1.0 / side;
    const int left = (int)fmax((o->x - reach) * side, 0),
              right = (int)fmin((o->x + reach) * side, side - 1);
    const int top = (int)fmax((o->y - reach) * side, 0),
              bottom = (int)fmin((o->y + reach) * side, side - 1);
    for (int row = top; row <= bottom; row++) {
        for (int column = left; column <= right; column++) {
            float cover = (float)fmin(
                fmax(0.5 - outside(o, (column + 0.5) / side, (row + 0.5) / side) * side, 0), 1);
            for (int c = 0; c < 3; c++) {
                float *pixel = &rgb[3 * (row * side + column) + c];
                *pixel += cover * (paints[o->colour][c] - *pixel);
            }
        }
    }
}

static void paint(const scene *s, int side, float *rgb)
{
    for (int i = 0; i < side * side; i++) {
        double light = s->light[0] + s->light[1] * (i % side) / side +
                       s->light[2] * (i / side) / side;
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = (float)fmin(light, 1);
    }
    for (int k = SHAPES + SPECKS - 1; k >= 0; k--) paint_object(&s->objects[k], side, rgb);
}

/* ---- the model ---- */

typedef struct model {
    tg_params *params;
    tg_linear cells, map, key, value, colour;
    tg_embedding question;
    tg_attention attention;
} model;

static void make(model *m)
{
    m->params = tg_params_new(1);
    tg_linear_init(&m->cells, m->params, "cells", CELL * CELL * 3, CELL_FEATURES);
    tg_linear_init(&m->map, m->params, "map", WINDOW * WINDOW * CELL_FEATURES, FEATURES);
    tg_linear_init(&m->key, m->params, "key", FEATURES, WIDTH);
    tg_linear_init(&m->value, m->params, "value", FEATURES, FEATURES);
    tg_linear_init(&m->colour, m->params, "colour", FEATURES, COLOURS);
    tg_embedding_init(&m->question, m->params, "question", KINDS, WIDTH, -1);
    tg_attention_init(&m->attention, m->params, "attention", TG_SCORE_SCALED_DOT, WIDTH, WIDTH, 0);
}

/* A convolution of x [B, h, w, C], with relu: each square of size x size pixels, `stride` apart,
 * becomes a row by tg_gather, and a Linear maps the rows. */
static tg_tensor *convolve(tg_tape *tape, const tg_linear *layer, tg_tensor *x, int size,
                           int stride)
{
    if (!x) return NULL;
    const int64_t batch = x->shape[0], h = x->shape[1], w = x->shape[2], c = x->shape[3];
    const int64_t rows = (h - size) / stride + 1, columns = (w - size) / stride + 1,
                  each = (int64_t)size * size;
    int32_t *ids = ex_allocate(NULL, (size_t)(batch * rows * columns * each), sizeof *ids);
    int32_t *next = ids;
    for (int64_t b = 0; ids && b < batch; b++)
        for (int64_t i = 0; i < rows * columns; i++)
            for (int64_t j = 0; j < each; j++)
                *next++ = (int32_t)((b * h + i / columns * stride + j / size) * w +
                                    i % columns * stride + j % size);
    tg_tensor *pixels = tg_reshape(tape, x, TG_SHAPE(batch * h * w, c));
    tg_tensor *squares = ids ? tg_gather(tape, pixels,
                                         tg_ints_2d(ids, batch * rows * columns, each), -1)
                             : NULL;
    ex_free(ids);
    squares = tg_reshape(tape, squares, TG_SHAPE(batch, rows, columns, each * c));
    return tg_relu(tape, tg_linear_forward(tape, layer, squares));
}

/* x [B, h, w, 3], questions [B, Q] -> colours [B, Q, COLOURS] */
static tg_tensor *forward(tg_tape *tape, const model *m, tg_tensor *x, tg_ints questions,
                          tg_tensor **attended)
{
    x = tg_affine(tape, x, 3, -2.55); /* the usual background becomes about 0 */
    tg_tensor *map = convolve(tape, &m->map, convolve(tape, &m->cells, x, CELL, CELL), WINDOW, 1);
    if (!map) return NULL;
    const int64_t batch = map->shape[0], places = map->shape[1] * map->shape[2];
    map = tg_reshape(tape, map, TG_SHAPE(batch, places, FEATURES));
    tg_tensor *query = tg_embedding_forward(tape, &m->question, questions); /* [B, Q, WIDTH] */
    tg_tensor *key = tg_tanh(tape, tg_linear_forward(tape, &m->key, map));
    tg_tensor *value = tg_tanh(tape, tg_linear_forward(tape, &m->value, map));
    tg_tensor *seen = tg_attention_forward(tape, &m->attention, query, key, value, NULL,
                                           attended); /* [B, Q, FEATURES] */
    /* the residual: the result for each question is added to every place of the map */
    seen = tg_reshape(tape, seen, TG_SHAPE(batch, -1, 1, FEATURES));
    map = tg_add(tape, seen, tg_reshape(tape, map, TG_SHAPE(batch, 1, places, FEATURES)));
    return tg_linear_forward(tape, &m->colour, tg_mean(tape, map, TG_AXES(2), false));
}

/* ---- training and testing ---- */

typedef struct batch {
    scene scenes[BATCH];
    float pixels[BATCH][SIDE * SIDE * 3];
    int32_t asked[BATCH][SHAPES], answers[BATCH][SHAPES]; /* kinds and colours of all shapes */
} batch;

static void imagine_batch(batch *b, tg_random *random)
{
    for (int i = 0; i < BATCH; i++) {
        b->scenes[i] = imagine(random);
        paint(&b->scenes[i], SIDE, b->pixels[i]);
        for (int k = 0; k < SHAPES; k++) {
            b->asked[i][k] = b->scenes[i].objects[k].kind;
            b->answers[i][k] = b->scenes[i].objects[k].colour;
        }
    }
}

static tg_tensor *answer(tg_tape *tape, const model *m, const batch *b, tg_tensor **attended)
{
    tg_tensor *x = tg_constant(tape, b->pixels[0], TG_SHAPE(BATCH, SIDE, SIDE, 3));
    return forward(tape, m, x, tg_ints_2d(b->asked[0], BATCH, SHAPES), attended);
}

static int largest(const tg_real *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++) best = x[i] > x[best] ? i : best;
    return best;
}

static void train(model *m, tg_tape *tape, batch *b)
{
    tg_random random = tg_random_new(1, "pictures to learn from");
    tg_adam adam = tg_adam_default(0);
    for (int step = 0; step <= STEPS; step++) {
        imagine_batch(b, &random);
        tg_tensor *loss = tg_cross_entropy(tape, answer(tape, m, b, NULL),
                                           tg_ints_2d(b->answers[0], BATCH, SHAPES));
        if (step % 100 == 0) printf("  step %3d   loss %.3f\n", step, tg_item(loss));
        tg_backward(tape, loss);
        adam.lr = tg_lr_cosine(0.01, 0, step, 20, STEPS);
        tg_adam_step(&adam, m->params);
        tg_tape_reset(tape);
    }
}

/* Whether the centre of a place's window lies on a shape. */
static bool lies_on(int place, const object *o)
{
    const double x = (place % GRID + WINDOW / 2.0) * CELL / SIDE,
                 y = (place / GRID + WINDOW / 2.0) * CELL / SIDE;
    return hypot(x - o->x, y - o->y) <= o->radius;
}

/* Returns the share of questions whose largest weight lies on the right shape. */
static double test(const model *m, tg_tape *tape, batch *b)
{
    tg_random random = tg_random_new(1, "pictures never seen");
    int right = 0, hits[KINDS] = {0}, asked[KINDS] = {0}, hit = 0, all = 0, chance = 0;
    for (int t = 0; t < TEST_BATCHES; t++) {
        tg_tensor *attended;
        imagine_batch(b, &random);
        const tg_tensor *answers = answer(tape, m, b, &attended);
        const tg_tensor *weights = tg_attention_weights(tape, attended);
        for (int i = 0; weights && i < BATCH * SHAPES; i++, all++) {
            const object *o = &b->scenes[i / SHAPES].objects[i % SHAPES];
            const bool found = lies_on(largest(weights->data + i * PLACES, PLACES), o);
            hits[o->kind] += found;
            hit += found;
            asked[o->kind]++;
            right += largest(answers->data + i * COLOURS, COLOURS) == o->colour;
            for (int k = 0; k < PLACES; k++) chance += lies_on(k, o);
        }
        tg_tape_reset(tape);
    }
    printf("On %d new pictures, asked for each shape:\n", TEST_BATCHES * BATCH);
    printf("  the largest weight lies on it    %5.1f %%   (by chance: %.1f %%)\n   ",
           100.0 * hit / all, 100.0 * chance / all / PLACES);
    for (int k = 0; k < KINDS; k++)
        printf(" %s %.1f %%%s", kinds[k], 100.0 * hits[k] / asked[k], k < KINDS - 1 ? "," : "\n");
    printf("  the colour is right              %5.1f %%\n", 100.0 * right / all);
    return (double)hit / all;
}

/* ---- the attention laid over the picture ---- */

enum { TILE = 240, GAP = 18, CAPTION = 40, MARGIN = 40, HEAD = 108 }; /* pixels of the drawing */

typedef struct gaze {
    const tg_real *weights; /* [rows, columns] */
    int columns, rows;
    /* The centre of the first place, and the distance to the next one, in units of the picture. */
    double left, top, across, down;
} gaze;

/* The cubic B-spline: a smooth bump around 0. */
static double bump(double t)
{
    t = fabs(t);
    if (t < 1) return 2.0 / 3 - t * t + t * t * t / 2;
    if (t < 2) return (2 - t) * (2 - t) * (2 - t) / 6;
    return 0;
}

/* The weights, interpolated at a point of the picture. */
static double weight_at(const gaze *g, double x, double y)
{
    const double column = (x - g->left) / g->across, row = (y - g->top) / g->down;
    const int first_row = (int)floor(row) - 1, first_column = (int)floor(column) - 1;
    double sum = 0;
    for (int r = first_row; r < first_row + 4; r++) {
        for (int c = first_column; c < first_column + 4; c++) {
            if (r < 0 || c < 0 || r >= g->rows || c >= g->columns) continue;
            sum += bump(column - c) * bump(row - r) * (double)g->weights[r * g->columns + c];
        }
    }
    return sum;
}

/* Draws rgb [height, width, 3]; with a gaze, parts without attention are dark. */
static void draw_tile(ex_canvas *canvas, int left, int top, int width, int height, const float *rgb,
                      const gaze *g)
{
    const ex_colour night = {0.07, 0.09, 0.18};
    const int best = g ? largest(g->weights, g->columns * g->rows) : 0;
    const double highest = g ? weight_at(g, g->left + best % g->columns * g->across,
                                         g->top + best / g->columns * g->down)
                             : 1;
    ex_canvas_box(canvas, left - 1, top - 1, width + 2, height + 2, 0, draw_pale);
    for (int i = 0; i < width * height; i++) {
        const int x = i % width, y = i / width;
        const float *pixel = rgb + 3 * i;
        ex_canvas_blend(canvas, left + x, top + y,
                        (ex_colour){(double)pixel[0], (double)pixel[1], (double)pixel[2]}, 1);
        if (!g) continue;
        double light = fmin(weight_at(g, (x + 0.5) / width, (y + 0.5) / height) / highest, 1);
        ex_canvas_blend(canvas, left + x, top + y, night, 0.82 * (1 - light));
    }
}

static void draw_head(ex_canvas *canvas, ex_fonts *fonts, const char *text)
{
    draw_text(canvas, fonts, MARGIN, 58, (draw_style){30, DRAW_LEFT, draw_ink},
              "Where the model looks when it is asked for a colour");
    draw_text(canvas, fonts, MARGIN, 87, (draw_style){17, DRAW_LEFT, draw_grey}, "%s", text);
}

static bool finish(ex_canvas *canvas, const char *path)
{
    bool good = ex_canvas_save(canvas, path);
    ex_canvas_free(canvas);
    if (good) printf("written: %s\n", path);
    return good;
}

/* Draws the first new pictures, and beside each the attention of the four questions. */
static bool show_scenes(const model *m, tg_tape *tape, batch *b, ex_fonts *fonts, const char *path)
{
    enum { ROWS = 3, WIDE = 2 * MARGIN + (SHAPES + 1) * TILE + SHAPES * GAP };
    static float pixels[TILE * TILE * 3];
    const double half = WINDOW * CELL / 2.0 / SIDE, step = (double)CELL / SIDE;
    tg_random random = tg_random_new(1, "pictures never seen");
    tg_tensor *attended;
    ex_canvas canvas;
    imagine_batch(b, &random);
    const tg_tensor *answers = answer(tape, m, b, &attended);
    const tg_tensor *weights = tg_attention_weights(tape, attended);
    if (!weights || !ex_canvas_init(&canvas, WIDE, HEAD + ROWS * (TILE + CAPTION) + MARGIN / 2))
        return false;
    draw_head(&canvas, fonts,
              "in new pictures; it was taught the right colours, but never where to look");
    for (int row = 0; row < ROWS; row++) {
        const int top = HEAD + row * (TILE + CAPTION);
        paint(&b->scenes[row], TILE, pixels);
        draw_tile(&canvas, MARGIN, top, TILE, TILE, pixels, NULL);
        for (int k = 0; k < SHAPES; k++) {
            const int at = row * SHAPES + k, left = MARGIN + (k + 1) * (TILE + GAP);
            const gaze g = {weights->data + at * PLACES, GRID, GRID, half, half, step, step};
            draw_tile(&canvas, left, top, TILE, TILE, pixels, &g);
            draw_text(&canvas, fonts, left + TILE / 2.0, top + TILE + 25,
                      (draw_style){17, DRAW_MIDDLE, draw_ink}, "the %s?  %s",
                      kinds[b->asked[row][k]],
                      colours[largest(answers->data + at * COLOURS, COLOURS)]);
        }
    }
    return finish(&canvas, path);
}

/* ---- a picture from a file ---- */

typedef struct photo {
    unsigned char *bytes; /* [height, width, 3] */
    int width, height;
} photo;

static int clamp(int i, int size)
{
    if (i < 0) return 0;
    return i < size ? i : size - 1;
}

/* Resizes a photo: each pixel is the mean of the pixels that it replaces. A border repeats the
 * pixels of the edges. */
static float *resize(const photo *p, int width, int height, int border)
{
    const int w = width + 2 * border, h = height + 2 * border;
    float *rgb = ex_allocate(NULL, (size_t)w * (size_t)h * 3, sizeof *rgb);
    for (int i = 0; rgb && i < w * h * 3; i++) {
        int x = i / 3 % w - border, y = i / 3 / w - border;
        x = clamp(x, width);
        y = clamp(y, height);
        const int64_t left = (int64_t)x * p->width / width,
                      right = (int64_t)(x + 1) * p->width / width;
        const int64_t top = (int64_t)y * p->height / height,
                      bottom = (int64_t)(y + 1) * p->height / height;
        double sum = 0, count = 0;
        for (int64_t v = top; v < bottom || v == top; v++)
            for (int64_t u = left; u < right || u == left; u++, count++)
                sum += p->bytes[(v * p->width + u) * 3 + i % 3];
        rgb[i] = (float)(sum / count / 255);
    }
    return rgb;
}

/* Asks for each kind of shape, and prints and draws where the model looks. */
static bool ask(const model *m, tg_tape *tape, const photo *p, int longest, ex_fonts *fonts,
                const char *path)
{
    enum { WIDE = 2 * MARGIN + (KINDS + 1) * TILE + KINDS * GAP, BORDER = WINDOW * CELL / 2 };
    const double longer = fmax(p->width, p->height);
    const int w = (int)fmax(ceil(p->width * longest / longer), 1),
              h = (int)fmax(ceil(p->height * longest / longer), 1);
    const int tile_w = (int)fmax(ceil(p->width * TILE / longer), 1),
              tile_h = (int)fmax(ceil(p->height * TILE / longer), 1);
    float *small = resize(p, w, h, BORDER), *large = resize(p, tile_w, tile_h, 0);
    const int32_t asked[KINDS] = {CIRCLE, SQUARE, TRIANGLE, CROSS, RING};
    tg_tensor *attended;
    tg_tensor *x = small ? tg_constant(tape, small, TG_SHAPE(1, h + 2 * BORDER, w + 2 * BORDER, 3))
                         : NULL;
    const tg_tensor *answers = forward(tape, m, x, tg_ints_2d(asked, 1, KINDS), &attended);
    const tg_tensor *weights = tg_attention_weights(tape, attended);
    ex_canvas canvas;
    bool good = small && large && weights &&
                ex_canvas_init(&canvas, WIDE, HEAD + tile_h + CAPTION + MARGIN / 2);
    if (good) {
        gaze g = {.columns = (w + 2 * BORDER) / CELL - WINDOW + 1,
                  .rows = (h + 2 * BORDER) / CELL - WINDOW + 1};
        g.across = (double)CELL / w;
        g.down = (double)CELL / h;
        draw_head(&canvas, fonts, "it has to answer even if the picture has no such shape");
        draw_tile(&canvas, MARGIN, HEAD, tile_w, tile_h, large, NULL);
        for (int k = 0; k < KINDS; k++) {
            const int left = MARGIN + (k + 1) * (TILE + GAP);
            g.weights = weights->data + k * g.columns * g.rows;
            const int best = largest(g.weights, g.columns * g.rows);
            const char *colour = colours[largest(answers->data + k * COLOURS, COLOURS)];
            draw_tile(&canvas, left, HEAD, tile_w, tile_h, large, &g);
            draw_text(&canvas, fonts, left + tile_w / 2.0, HEAD + tile_h + 25,
                      (draw_style){17, DRAW_MIDDLE, draw_ink}, "the %s?  %s", kinds[k], colour);
            printf("  the %-8s  at %4.0f, %-4.0f  weight %.2f  %s\n", kinds[k],
                   best % g.columns * g.across * p->width, best / g.columns * g.down * p->height,
                   (double)g.weights[best], colour);
        }
        good = finish(&canvas, path);
    }
    ex_free(small);
    ex_free(large);
    return good;
}

static bool load(const char *file, photo *p)
{
    p->bytes = stbi_load(file, &p->width, &p->height, NULL, 3);
    return p->bytes || ex_fail("%s: %s", file, stbi_failure_reason());
}

/* Loads the model from a file, or trains it and saves it there; then tests it. */
static bool learn(model *m, tg_tape *tape, batch *b, const char *file)
{
    const bool known = file && access(file, F_OK) == 0;
    if (known && !(tg_params_load(m->params, file) && tg_params_finish_load(m->params)))
        return false;
    if (!known) {
        printf("Learning the colours of shapes, without being told where they are:\n");
        train(m, tape, b);
    }
    if (!(test(m, tape, b) > 0.9)) return ex_fail("it has not learned where to look");
    return !file || known || tg_params_save(m->params, file, TG_SAVE_MODEL);
}

int main(int argc, char **argv)
{
    const char *path = "image_attention.png", *file = NULL;
    bool usage = false;
    for (int option; (option = getopt(argc, argv, "m:o:")) != -1;) {
        if (option == 'm') file = optarg;
        if (option == 'o') path = optarg;
        usage = usage || option == '?';
    }
    const long longest = argc - optind > 1 ? strtol(argv[optind + 1], NULL, 10) : SIDE;
    if (usage || argc - optind > 2 || longest < 16 || longest > 1024) {
        fprintf(stderr, "usage: image_attention [-m MODEL] [-o PICTURE.png] [FILE [PIXELS]]      "
                        "PIXELS is 16 .. 1024\n");
        return 2;
    }
    static batch b;
    model m;
    tg_tape *tape = tg_tape_new(1);
    ex_fonts fonts = {.count = 0};
    photo p = {.bytes = NULL};
    make(&m);
    bool good = (optind == argc || load(argv[optind], &p)) && ex_fonts_open(&fonts, NULL) &&
                learn(&m, tape, &b, file);
    if (good && p.bytes) printf("%s, %d x %d pixels:\n", argv[optind], p.width, p.height);
    if (good)
        good = p.bytes ? ask(&m, tape, &p, (int)longest, &fonts, path)
                       : show_scenes(&m, tape, &b, &fonts, path);
    const char *errors[] = {tg_params_error(m.params), tg_tape_error(tape), ex_failure()};
    for (int i = 0; i < 3; i++) {
        if (errors[i]) fprintf(stderr, "image_attention: %s\n", errors[i]);
        good = good && !errors[i];
    }
    stbi_image_free(p.bytes);
    ex_fonts_close(&fonts);
    tg_tape_free(tape);
    tg_params_free(m.params);
    return good ? 0 : 1;
}
