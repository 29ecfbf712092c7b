#include "view.h"

#include "../support/draw.h"
#include "../support/failure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

/* Pixels. The picture is large enough to be sharp on a dense screen. */
enum {
    WIDTH = 1400,
    MARGIN = 64,
    MAX_HEIGHT = 30000,
    TITLE = 52, /* sizes of type */
    SUBTITLE = 26,
    WORD = 36,
    SMALL = 20,
    BOX = 64,     /* height of a word's box */
    PADDING = 16, /* beside a word in its box */
    GAP = 10,     /* between boxes */
    LINE = 120,   /* from one line of boxes to the next */
    HEAD = 190,   /* above the first line */
};

typedef struct box {
    double x, y, width;
} box;

/* From almost white to blue. */
static ex_colour tint(double share)
{
    return (ex_colour){0.945 - 0.835 * share, 0.955 - 0.600 * share, 0.970 - 0.150 * share};
}

/* A weight in percent, as it stands under the word. */
static size_t weight_text(char *text, size_t room, double weight)
{
    double percent = 100 * weight;
    int length = snprintf(text, room, percent >= 9.95 ? "%.0f %%" : "%.1f %%", percent);
    return length > 0 ? (size_t)length : 0;
}

/* The longest start of a text, in whole characters, that is no wider than `most`. */
static size_t fitting(ex_fonts *fonts, const char *text, size_t length, double size, double most)
{
    size_t end = 0;
    double width = 0;
    while (end < length) {
        int c;
        size_t bytes = ex_text_next(text + end, &c);
        width += ex_text_width(fonts, text + end, bytes, size);
        if (width > most) break;
        end += bytes;
    }
    return end;
}

static void measure(const tc_seen *view, ex_fonts *fonts, box *boxes)
{
    for (int32_t i = 0; i < view->count; i++) {
        const ex_token *token = &view->tokens.items[i];
        char weight[32];
        const size_t length = weight_text(weight, sizeof weight, view->weights[i]);
        const double word = ex_text_width(fonts, view->text + token->start, token->length, WORD) +
                            2 * PADDING;
        boxes[i].width = fmin(ceil(fmax(word, ex_text_width(fonts, weight, length, SMALL))),
                              WIDTH - 2 * MARGIN);
    }
}

/* Places the boxes in lines that end before `right`; returns the height of the picture. */
static double place(box *boxes, int32_t count, double right)
{
    double x = MARGIN, y = HEAD;
    for (int32_t i = 0; i < count; i++) {
        if (x > MARGIN && x + boxes[i].width > right) {
            x = MARGIN;
            y += LINE;
        }
        boxes[i].x = x;
        boxes[i].y = y;
        x += boxes[i].width + GAP;
    }
    return y + LINE + MARGIN / 2.0;
}

/* As few lines as there can be, about as long as each other; returns the height of the picture. */
static double lay_out(const tc_seen *view, ex_fonts *fonts, box *boxes)
{
    double right = WIDTH - MARGIN;
    measure(view, fonts, boxes);
    const double height = place(boxes, view->count, right);
    while (right > 2 * MARGIN && place(boxes, view->count, right - GAP) <= height) right -= GAP;
    return place(boxes, view->count, right);
}

/* The answer and a line below it; returns the width that they take. Without a canvas that is all. */
static double draw_head(const tc_seen *view, ex_canvas *canvas, ex_fonts *fonts)
{
    const char *label = view->labels->items[view->best], *caption = "where the attention went";
    const int length = (int)fitting(fonts, label, strlen(label), TITLE,
                                    WIDTH - 2 * MARGIN - 6 * TITLE);
    const double x = MARGIN + ex_text_width(fonts, label, (size_t)length, TITLE) + 20;
    for (int32_t i = 0; i < view->count; i++) {
        if (view->ids[i] == EX_UNKNOWN)
            caption = "where the attention went; underlined: not in the vocabulary";
    }
    if (canvas) {
        draw_text(canvas, fonts, MARGIN, MARGIN + 44, TITLE, DRAW_LEFT, draw_ink, "%.*s", length,
                  label);
        draw_text(canvas, fonts, x, MARGIN + 44, TITLE, DRAW_LEFT, tint(1), "%.1f %%",
                  100 * view->probabilities[view->best]);
        draw_text(canvas, fonts, MARGIN, MARGIN + 92, SUBTITLE, DRAW_LEFT, draw_grey, "%s",
                  caption);
    }
    return fmax(x + 4 * TITLE, MARGIN + ex_text_width(fonts, caption, strlen(caption), SUBTITLE));
}

static void draw_word(const tc_seen *view, int32_t i, const box *place, double most,
                      ex_canvas *canvas, ex_fonts *fonts)
{
    const char *word = view->text + view->tokens.items[i].start;
    const double share = view->weights[i] / most, middle = place->x + place->width / 2;
    const ex_colour colour = share > 0.75
                                 ? draw_white
                                 : draw_ink; /* about where both contrast equally with the tint */
    const size_t length = fitting(fonts, word, view->tokens.items[i].length, WORD, place->width);
    const double width = ex_text_width(fonts, word, length, WORD);
    char weight[32];
    weight_text(weight, sizeof weight, view->weights[i]);
    ex_canvas_box(canvas, place->x, place->y, place->width, BOX, 10, tint(share));
    draw_text(canvas, fonts, middle, place->y + 45, WORD, DRAW_MIDDLE, colour, "%.*s", (int)length,
              word);
    if (view->ids[i] == EX_UNKNOWN)
        ex_canvas_box(canvas, middle - width / 2, place->y + 55, width, 3, 1.5, colour);
    draw_text(canvas, fonts, middle, place->y + BOX + 26, SMALL, DRAW_MIDDLE, draw_grey, "%s",
              weight);
}

static bool draw(const tc_seen *view, ex_fonts *fonts, const char *path)
{
    box *boxes = ex_allocate(NULL, (size_t)view->count, sizeof *boxes);
    if (!boxes) return false;
    const double height = lay_out(view, fonts, boxes),
                 most = tc_view_most(view->weights, view->count);
    double width = draw_head(view, NULL, fonts);
    for (int32_t i = 0; i < view->count; i++) width = fmax(width, boxes[i].x + boxes[i].width);
    ex_canvas canvas = {0};
    bool good = height <= MAX_HEIGHT
                    ? ex_canvas_init(&canvas, (int)width + MARGIN, (int)height)
                    : ex_fail("the text has %d words: too many for a picture", view->count);
    if (good) {
        draw_head(view, &canvas, fonts);
        for (int32_t i = 0; i < view->count; i++)
            draw_word(view, i, &boxes[i], most, &canvas, fonts);
        good = ex_canvas_save(&canvas, path);
    }
    ex_canvas_free(&canvas);
    ex_free(boxes);
    return good;
}

/* Whether letters stand in it that are written from right to left, which most of their scripts join. */
static bool runs_left(const char *text)
{
    for (int c; *text;) {
        text += ex_text_next(text, &c);
        const int direction = utf8proc_get_property(c)->bidi_class;
        if (direction == UTF8PROC_BIDI_CLASS_R || direction == UTF8PROC_BIDI_CLASS_AL) return true;
    }
    return false;
}

bool tc_view_draw(const tc_seen *view, const char *font, const char *path)
{
    ex_fonts fonts;
    bool good = ex_fonts_open(&fonts, font) && draw(view, &fonts, path);
    if (good && fonts.missing) {
        fprintf(stderr,
                "textclf: no font found that has U+%04X: for Chinese and Japanese install "
                "fonts-droid-fallback (Debian, "
                "Ubuntu) or google-noto-sans-cjk-fonts (Fedora), or name one with --font FILE\n",
                (unsigned)fonts.missing);
    }
    if (good && runs_left(view->text)) {
        fprintf(stderr, "textclf: the picture has single letters, from left to right, where they "
                        "run to the left; -o FILE.html has them as "
                        "they are written\n");
    }
    ex_fonts_close(&fonts);
    return good;
}

/* ---- in a terminal ---- */

bool tc_view_colour(void) { return isatty(STDOUT_FILENO) && !getenv("NO_COLOR"); }

int tc_view_columns(const char *text, size_t length)
{
    int sum = 0, c;
    for (size_t at = 0; at < length; sum += utf8proc_charwidth(c))
        at += ex_text_next(text + at, &c);
    return sum;
}

void tc_view_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        putchar((unsigned char)text[i] < ' ' || text[i] == 0x7F ? ' ' : text[i]);
}

void tc_view_cell(const char *text, int width, bool right)
{
    int used = 0;
    size_t end = 0;
    for (int c; text[end]; used += utf8proc_charwidth(c)) {
        const size_t bytes = ex_text_next(text + end, &c);
        if (used + utf8proc_charwidth(c) > width) break;
        end += bytes;
    }
    printf("%*s", right ? width - used : 0, "");
    tc_view_plain(text, end);
    printf("%*s", right ? 0 : width - used, "");
}

int tc_view_widest(const tc_seen *view)
{
    int widest = 0;
    for (int32_t i = 0; i < view->count; i++) {
        const int width = tc_view_columns(view->text + view->tokens.items[i].start,
                                          view->tokens.items[i].length);
        if (width > widest) widest = width;
    }
    return widest;
}

void tc_view_head(const tc_seen *view, bool colour)
{
    const char *label = view->labels->items[view->best];
    fputs(colour ? "\033[1m" : "", stdout);
    tc_view_plain(label, strlen(label));
    printf(" %.4f%s\n", view->probabilities[view->best], colour ? "\033[0m" : "");
}

bool tc_view_word(const tc_seen *view, int32_t i, int widest)
{
    const ex_token *token = &view->tokens.items[i];
    const char *word = view->text + token->start;
    const bool known = view->ids[i] != EX_UNKNOWN;
    printf("  %.*s%*s %s ", (int)token->length, word, widest - tc_view_columns(word, token->length),
           "", known ? " " : "?");
    return known;
}

double tc_view_most(const double *values, int32_t count)
{
    double most = 0;
    for (int32_t i = 0; i < count; i++) most = fmax(most, fabs(values[i]));
    return most > 0 ? most : 1;
}

/* Drawn in eighths of a cell; of the 256 colours, grey to blue, or to orange below zero. */
int tc_view_cells(double share, int cells, bool colour)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    static const int shades[2][6] = {{250, 153, 111, 69, 33, 27}, {250, 223, 216, 209, 208, 202}};
    const double size = fabs(share);
    const int eighths = (int)lround(size * cells * 8);
    if (colour) printf("\033[38;5;%dm", shades[share < 0][(int)lround(size * 5)]);
    for (int i = 0; i < eighths / 8; i++) printf("█");
    printf("%s%s", parts[eighths % 8], colour ? "\033[0m" : "");
    return (eighths + 7) / 8;
}

void tc_view_bar(double share, bool colour)
{
    tc_view_cells(share, 40, colour);
    printf("\n");
}
