/* What attention costs: measures time and memory of the forward and backward pass over the
 * length T of a sequence, of
 *
 *     tiled       tg_dot_attention, a fused operator, which never stores the T x T weights
 *     composed    the same by three operators: matmul, softmax, matmul
 *     LSTM        another way to read a sequence, for comparison
 *
 *     attention_cost [-t LENGTH] [-o PICTURE.png]
 *
 * LENGTH is the largest T, a power of two from 1024 to 32768 (4096). Returns non-zero unless
 * memory grows with T for the tiled operator and with T^2 for the composed one, and attention's
 * operations grow with T^2 d. (An article that tapegrad started from prints O(n d^2), which is
 * the cost of an LSTM.) It does not judge how time grows: that depends on how busy the machine
 * is. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/draw.h"
#include "support/failure.h"

enum { TILED, COMPOSED, LSTM, METHODS };
enum { WIDTH = 64, MIN_TIME = 128, MIN_LENGTH = 1024, MAX_LENGTH = 32768, MAX_ROWS = 9 };
static const char *const names[METHODS] = {"tiled attention", "composed attention", "LSTM"};

typedef struct cost {
    double ms, mb;
    double operations; /* of the forward pass, by the operators' own count */
} cost;

/* ---- an allocator that counts the library's bytes ---- */

static atomic_size_t allocated, peak;

/* A counting realloc; each block starts with its size. */
static void *counting(void *memory, size_t size)
{
    enum { HEADER = 64 };
    char *block = memory ? (char *)memory - HEADER : NULL;
    size_t old = 0;
    if (block) memcpy(&old, block, sizeof old);
    if (size == 0) {
        free(block);
        allocated -= old;
        return NULL;
    }
    block = size <= SIZE_MAX - HEADER ? realloc(block, size + HEADER) : NULL;
    if (!block) return NULL;
    memcpy(block, &size, sizeof size);
    allocated += size - old;
    if (allocated > peak) peak = allocated;
    return block + HEADER;
}

/* ---- one measurement ---- */

/* numbers [3, T, d] */
static tg_tensor *forward(tg_tape *tape, int method, const tg_lstm *lstm, const tg_real *numbers,
                          int64_t time, int64_t d)
{
    const double scale = 1 / sqrt((double)d);
    tg_tensor *q = tg_variable(tape, numbers, TG_SHAPE(1, time, d));
    if (method == LSTM) return tg_lstm_forward(tape, lstm, q, tg_full_length());
    tg_tensor *k = tg_variable(tape, numbers + time * d, TG_SHAPE(1, time, d));
    tg_tensor *v = tg_variable(tape, numbers + 2 * time * d, TG_SHAPE(1, time, d));
    if (method == TILED) return tg_dot_attention(tape, q, k, v, 1, scale, 0, NULL);
    tg_tensor *scores = tg_affine(tape, tg_matmul_transposed(tape, q, k, TG_TRANSPOSE_B), scale, 0);
    return tg_matmul(tape, tg_softmax(tape, scores), v);
}

static double operations(const tg_tensor *y)
{
    double sum = 0;
    for (const tg_node *node = y ? y->node : NULL; node; node = node->previous)
        sum += node->op->flops ? node->op->flops(node) : 0;
    return sum;
}

/* The best time of several passes, and the peak memory of the first. */
static cost measure(int method, const tg_real *numbers, int64_t time, int64_t d, const char **error)
{
    static char text[256];
    cost c = {.ms = HUGE_VAL};
    tg_params *params = tg_params_new(1);
    tg_tape *tape = tg_tape_new(1);
    tg_lstm lstm;
    if (method == LSTM) tg_lstm_init(&lstm, params, "lstm", d, d, 1, false);
    const size_t at_start = allocated;
    peak = at_start;
    const double start = ex_seconds_now();
    for (int pass = 0; pass < 2 || (pass < 20 && ex_seconds_now() - start < 0.1); pass++) {
        const double from = ex_seconds_now();
        tg_tensor *y = forward(tape, method, &lstm, numbers, time, d);
        c.operations = operations(y);
        tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false));
        c.ms = fmin(c.ms, 1e3 * (ex_seconds_now() - from));
        if (pass == 0) c.mb = (double)(peak - at_start) / 1e6;
        tg_tape_reset(tape);
    }
    const char *failed = tg_tape_error(tape) ? tg_tape_error(tape) : tg_params_error(params);
    if (failed) {
        snprintf(text, sizeof text, "%s", failed);
        *error = text;
    }
    tg_tape_free(tape);
    tg_params_free(params);
    return c;
}

/* ---- the table ---- */

typedef struct table {
    int rows;
    int64_t time[MAX_ROWS];
    cost cell[MAX_ROWS][METHODS];
} table;

static void fill(table *t, int64_t longest, const tg_real *numbers, const char **error)
{
    printf(
        "One sequence of T steps of width %d, forward and backward (%s): time and peak memory\n\n"
        "        ",
        WIDTH, tg_isa());
    for (int method = 0; method < METHODS; method++) printf("%22s", names[method]);
    printf("\n     T  ");
    for (int method = 0; method < METHODS; method++) printf("%13s%9s", "ms", "MB");
    for (int64_t time = MIN_TIME; time <= longest && !*error; time *= 2) {
        t->time[t->rows] = time;
        printf("\n%6lld  ", (long long)time);
        for (int method = 0; method < METHODS && !*error; method++) {
            const cost c = t->cell[t->rows][method] = measure(method, numbers, time, WIDTH, error);
            printf("%13.2f%9.2f", c.ms, c.mb);
            fflush(stdout);
        }
        t->rows++;
    }
    printf("\n");
}

/* The exponent x of the growth T^x of memory or time, from the last two rows. */
static double power(const table *t, int method, bool memory)
{
    const cost *last = &t->cell[t->rows - 1][method], *half = &t->cell[t->rows - 2][method];
    return log2(memory ? last->mb / half->mb : last->ms / half->ms);
}

static bool judge(const table *t, const tg_real *numbers, const char **error)
{
    printf("grows as");
    for (int method = 0; method < METHODS; method++)
        printf("       T^%-4.1f    T^%.1f", power(t, method, false), power(t, method, true));
    /* nearer to T^1 or to T^2? */
    const bool memory = power(t, TILED, true) < 1.5 && power(t, COMPOSED, true) > 1.5;
    const int64_t n = MIN_TIME, d = WIDTH;
    bool counted = true;
    printf("\n\nHow the operations of the forward pass grow if n or d doubles, as the tape counts "
           "them:\n");
    for (int method = 0; method < METHODS; method++) {
        const double once = measure(method, numbers, n, d, error).operations;
        const double longer = measure(method, numbers, 2 * n, d, error).operations / once;
        const double wider = measure(method, numbers, n, 2 * d, error).operations / once;
        const bool lstm = method == LSTM;
        printf("  %-20s n: x %.0f   d: x %.0f    O(%s)\n", names[method], longer, wider,
               lstm ? "n d^2" : "n^2 d");
        counted = counted && fabs(longer - (lstm ? 2 : 4)) < 1e-9 &&
                  fabs(wider - (lstm ? 4 : 2)) < 1e-9;
    }
    printf(
        "  The article on self-, cross- and multi-head attention prints O(n d^2) for Q K^T, which "
        "is the cost of the LSTM.\n");
    if (!memory) printf("Memory does not grow as expected.\n");
    return memory && counted;
}

/* ---- the picture: two log-log plots ---- */

enum {
    PICTURE_WIDTH = 1530,
    PICTURE_HEIGHT = 760,
    PLOT_WIDTH = 560,
    PLOT_TOP = 170,
    PLOT_HEIGHT = 490
};

static const ex_colour colours[METHODS] = {{0.11, 0.36, 0.82},
                                           {0.87, 0.36, 0.08},
                                           {0.16, 0.55, 0.36}};

typedef struct plot {
    const char *title;
    double left;            /* in the picture */
    double first, last;     /* log10 of the lowest and the highest value */
    double first_t, last_t; /* log2 of T */
} plot;

static double x_of(const plot *p, double t)
{
    return p->left + (log2(t) - p->first_t) / (p->last_t - p->first_t) * PLOT_WIDTH;
}

static double y_of(const plot *p, double value)
{
    return PLOT_TOP + PLOT_HEIGHT - (log10(value) - p->first) / (p->last - p->first) * PLOT_HEIGHT;
}

static void draw_axes(ex_canvas *canvas, ex_fonts *fonts, const plot *p, const table *t)
{
    const double right = p->left + PLOT_WIDTH, bottom = PLOT_TOP + PLOT_HEIGHT;
    draw_text(canvas, fonts, p->left - 62, PLOT_TOP - 26, (draw_style){20, DRAW_LEFT, draw_ink},
              "%s", p->title);
    for (int decade = (int)p->first; decade <= (int)p->last; decade++) {
        for (int digit = 1; digit < 10 && (digit == 1 || decade < (int)p->last); digit++) {
            const double y = floor(y_of(p, digit * pow(10, decade))) + 0.5;
            if (digit == 1) draw_line(canvas, p->left, y, right, y, 1, draw_pale);
            draw_line(canvas, p->left - (digit == 1 ? 7 : 4), y, p->left, y, 1, draw_grey);
        }
        draw_text(canvas, fonts, p->left - 14, y_of(p, pow(10, decade)) + 6,
                  (draw_style){16, DRAW_RIGHT, draw_grey}, "%g", pow(10, decade));
    }
    for (int row = 0; row < t->rows; row++) {
        const double x = floor(x_of(p, (double)t->time[row])) + 0.5;
        draw_line(canvas, x, PLOT_TOP, x, bottom, 1, draw_pale);
        draw_line(canvas, x, bottom, x, bottom + 7, 1, draw_grey);
        draw_text(canvas, fonts, x, bottom + 28, (draw_style){16, DRAW_MIDDLE, draw_grey}, "%lld",
                  (long long)t->time[row]);
    }
    draw_line(canvas, p->left, bottom, right, bottom, 1.4, draw_grey);
    draw_line(canvas, p->left, PLOT_TOP, p->left, bottom, 1.4, draw_grey);
    draw_text(canvas, fonts, p->left + PLOT_WIDTH / 2.0, bottom + 58,
              (draw_style){17, DRAW_MIDDLE, draw_ink}, "T, the length of the sequence");
}

/* Dashed lines that grow with T and T^2. */
static void draw_slopes(ex_canvas *canvas, ex_fonts *fonts, const plot *p)
{
    enum { DASHES = 24 };
    for (int slope = 1; slope <= 2; slope++) {
        double x = 0, y = 0;
        for (int i = 0; i <= DASHES; i++) {
            const double doublings = 2.0 * i / DASHES, from_x = x, from_y = y;
            x = x_of(p, pow(2, p->last_t - 2 + doublings));
            y = y_of(p, 1.6 * pow(10, p->first) * pow(2, slope * doublings));
            if (i % 2) draw_line(canvas, from_x, from_y, x, y, 1.6, draw_grey);
        }
        draw_text(canvas, fonts, x + 14, y + 6, (draw_style){16, DRAW_LEFT, draw_grey},
                  slope == 1 ? "as T" : "as T²");
    }
}

/* Moves labels apart by a step where they are too close. */
static void move_apart(double label[METHODS])
{
    for (int a = 0; a < METHODS; a++) {
        for (int b = 0; b < METHODS; b++) {
            if (a == b || label[a] > label[b] || label[b] - label[a] >= 20) continue;
            label[a] -= 1;
            label[b] += 1;
        }
    }
}

static void draw_curves(ex_canvas *canvas, ex_fonts *fonts, const plot *p, const table *t,
                        bool memory)
{
    double x = 0, label[METHODS] = {0};
    for (int method = METHODS - 1; method >= 0; method--) {
        double y = 0;
        for (int row = 0; row < t->rows; row++) {
            const cost *c = &t->cell[row][method];
            const double from_x = x, from_y = y;
            x = x_of(p, (double)t->time[row]);
            y = label[method] = y_of(p, memory ? c->mb : c->ms);
            if (row) draw_line(canvas, from_x, from_y, x, y, 3, colours[method]);
            draw_dot(canvas, x, y, 6, draw_white);
            draw_dot(canvas, x, y, 4.5, colours[method]);
        }
    }
    for (int i = 0; i < 100; i++) move_apart(label);
    for (int method = 0; method < METHODS; method++) {
        const cost *c = &t->cell[t->rows - 1][method];
        const double value = memory ? c->mb : c->ms;
        draw_text(canvas, fonts, x + 14, label[method] + 6,
                  (draw_style){17, DRAW_LEFT, colours[method]}, "%.*f %s", value < 100, value,
                  memory ? "MB" : "ms");
    }
}

static plot frame(const char *title, double left, const table *t, bool memory)
{
    double low = HUGE_VAL, high = 0;
    for (int i = 0; i < t->rows * METHODS; i++) {
        const cost *c = &t->cell[i / METHODS][i % METHODS];
        low = fmin(low, memory ? c->mb : c->ms);
        high = fmax(high, memory ? c->mb : c->ms);
    }
    const double longest = (double)t->time[t->rows - 1];
    return (plot){title, left, floor(log10(low)), ceil(log10(high)), log2(MIN_TIME), log2(longest)};
}

static bool draw(const table *t, const char *path)
{
    ex_fonts fonts;
    ex_canvas canvas;
    if (!ex_fonts_open(&fonts, NULL)) return false;
    bool good = ex_canvas_init(&canvas, PICTURE_WIDTH, PICTURE_HEIGHT);
    if (good) {
        draw_text(&canvas, &fonts, 40, 58, (draw_style){30, DRAW_LEFT, draw_ink},
                  "What attention costs: time grows with T², memory of the tiled operator with T");
        double x = 46;
        for (int method = 0; method < METHODS; method++) {
            draw_line(&canvas, x, 96, x + 30, 96, 3, colours[method]);
            draw_dot(&canvas, x + 15, 96, 5, colours[method]);
            draw_text(&canvas, &fonts, x + 42, 102, (draw_style){18, DRAW_LEFT, draw_ink}, "%s",
                      names[method]);
            x += 74 + ex_text_width(&fonts, names[method], strlen(names[method]), 18);
        }
        for (int memory = 0; memory < 2; memory++) {
            const plot p = frame(memory ? "memory, MB" : "time, ms", memory ? 864 : 104, t, memory);
            draw_axes(&canvas, &fonts, &p, t);
            draw_slopes(&canvas, &fonts, &p);
            draw_curves(&canvas, &fonts, &p, t, memory);
        }
        good = ex_canvas_save(&canvas, path);
    }
    ex_canvas_free(&canvas);
    ex_fonts_close(&fonts);
    if (good) printf("\nwritten: %s\n", path);
    return good;
}

int main(int argc, char **argv)
{
    const char *path = "attention_cost.png", *error = NULL;
    long longest = 4096;
    bool usage = false;
    for (int option; (option = getopt(argc, argv, "t:o:")) != -1;) {
        if (option == 't') longest = strtol(optarg, NULL, 10);
        if (option == 'o') path = optarg;
        usage = usage || option == '?';
    }
    if (usage || optind < argc || longest < MIN_LENGTH || longest > MAX_LENGTH ||
        (longest & (longest - 1))) {
        fprintf(
            stderr,
            "usage: attention_cost [-t LENGTH] [-o PICTURE.png]      LENGTH is a power of two from "
            "%d to %d\n",
            MIN_LENGTH, MAX_LENGTH);
        return 2;
    }
    tg_set_allocator(counting);
    static table t;
    const size_t count = 3 * (size_t)longest * WIDTH;
    tg_real *numbers = ex_allocate(NULL, count, sizeof *numbers);
    tg_random random = tg_random_new(1, "numbers");
    for (size_t i = 0; numbers && i < count; i++) numbers[i] = (tg_real)tg_random_normal(&random);
    if (numbers) fill(&t, longest, numbers, &error);
    bool good = numbers && !error && judge(&t, numbers, &error) && !error;
    good = numbers && !error && draw(&t, path) && good;
    if (error || ex_failure())
        fprintf(stderr, "attention_cost: %s\n", error ? error : ex_failure());
    ex_free(numbers);
    return good ? 0 : 1;
}
