#include "picture.h"

#include "../../support/draw.h"
#include "../../support/failure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <utf8proc.h>

/* In pixels; large enough to be sharp on a dense screen. */
enum {
    WIDTH = 1400,
    MARGIN = 64,
    MAX_HEIGHT = 30000,
    TITLE = 52, /* font sizes */
    SUBTITLE = 26,
    WORD = 36,
    SMALL = 20,
    BOX = 64,     /* height of a word's box */
    PADDING = 16, /* on both sides of a word in its box */
    GAP = 10,     /* between boxes */
    LINE = 120,   /* from one line of boxes to the next */
    HEAD = 190,   /* above the first line */
};

typedef struct box {
    double x, y, width;
} box;

/* A colour from almost white to blue. */
static ex_colour tint(double share)
{
    return (ex_colour){0.945 - 0.835 * share, 0.955 - 0.600 * share, 0.970 - 0.150 * share};
}

/* Formats a weight in percent, for the line under the word. */
static size_t weight_text(char *text, size_t size, double weight)
{
    double percent = 100 * weight;
    int length = snprintf(text, size, percent >= 9.95 ? "%.0f %%" : "%.1f %%", percent);
    return length > 0 ? (size_t)length : 0;
}

/* Returns the bytes of the longest prefix, in whole characters, of at most `max_width`. */
static size_t fitting(ex_fonts *fonts, const char *text, size_t length, double size,
                      double max_width)
{
    size_t end = 0;
    double width = 0;
    while (end < length) {
        int c;
        size_t bytes = ex_text_next(text + end, &c);
        width += ex_text_width(fonts, text + end, bytes, size);
        if (width > max_width) break;
        end += bytes;
    }
    return end;
}

static void measure(const tc_analysis *analysis, ex_fonts *fonts, box *boxes)
{
    for (int32_t i = 0; i < analysis->count; i++) {
        const ex_token *token = &analysis->tokens.items[i];
        char weight[32];
        const size_t length = weight_text(weight, sizeof weight, analysis->weights[i]);
        const double word = ex_text_width(fonts, analysis->text + token->start, token->length,
                                          WORD) +
                            2 * PADDING;
        boxes[i].width = fmin(ceil(fmax(word, ex_text_width(fonts, weight, length, SMALL))),
                              WIDTH - 2 * MARGIN);
    }
}

/* Places the boxes in lines that end before `right`. Returns the height of the picture. */
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

/* Places the boxes in as few lines as possible, of similar lengths. Returns the height of the
 * picture. */
static double lay_out(const tc_analysis *analysis, ex_fonts *fonts, box *boxes)
{
    double right = WIDTH - MARGIN;
    measure(analysis, fonts, boxes);
    const double height = place(boxes, analysis->count, right);
    while (right > 2 * MARGIN && place(boxes, analysis->count, right - GAP) <= height) right -= GAP;
    return place(boxes, analysis->count, right);
}

/* Draws the label and a caption and returns their width. With canvas NULL it only measures. */
static double draw_head(const tc_analysis *analysis, ex_canvas *canvas, ex_fonts *fonts)
{
    const char *label = analysis->labels->items[analysis->best], *caption = "attention weights";
    const int length = (int)fitting(fonts, label, strlen(label), TITLE,
                                    WIDTH - 2 * MARGIN - 6 * TITLE);
    const double x = MARGIN + ex_text_width(fonts, label, (size_t)length, TITLE) + 20;
    for (int32_t i = 0; i < analysis->count; i++) {
        if (analysis->ids[i] == EX_UNKNOWN)
            caption = "attention weights; underlined words are not in the vocabulary";
    }
    if (canvas) {
        draw_text(canvas, fonts, MARGIN, MARGIN + 44, (draw_style){TITLE, DRAW_LEFT, draw_ink},
                  "%.*s", length, label);
        draw_text(canvas, fonts, x, MARGIN + 44, (draw_style){TITLE, DRAW_LEFT, tint(1)}, "%.1f %%",
                  100 * analysis->probabilities[analysis->best]);
        draw_text(canvas, fonts, MARGIN, MARGIN + 92, (draw_style){SUBTITLE, DRAW_LEFT, draw_grey},
                  "%s", caption);
    }
    return fmax(x + 4 * TITLE, MARGIN + ex_text_width(fonts, caption, strlen(caption), SUBTITLE));
}

static void draw_word(const tc_analysis *analysis, int32_t i, const box *place, double max_weight,
                      ex_canvas *canvas, ex_fonts *fonts)
{
    const char *word = analysis->text + analysis->tokens.items[i].start;
    const double share = analysis->weights[i] / max_weight, middle = place->x + place->width / 2;
    /* at a share of 0.75 black and white contrast about equally with the tint */
    const ex_colour colour = share > 0.75 ? draw_white : draw_ink;
    const size_t length = fitting(fonts, word, analysis->tokens.items[i].length, WORD,
                                  place->width);
    const double width = ex_text_width(fonts, word, length, WORD);
    char weight[32];
    weight_text(weight, sizeof weight, analysis->weights[i]);
    ex_canvas_box(canvas, place->x, place->y, place->width, BOX, 10, tint(share));
    draw_text(canvas, fonts, middle, place->y + 45, (draw_style){WORD, DRAW_MIDDLE, colour}, "%.*s",
              (int)length, word);
    if (analysis->ids[i] == EX_UNKNOWN)
        ex_canvas_box(canvas, middle - width / 2, place->y + 55, width, 3, 1.5, colour);
    draw_text(canvas, fonts, middle, place->y + BOX + 26,
              (draw_style){SMALL, DRAW_MIDDLE, draw_grey}, "%s", weight);
}

static bool draw(const tc_analysis *analysis, ex_fonts *fonts, const char *path)
{
    box *boxes = ex_allocate(NULL, (size_t)analysis->count, sizeof *boxes);
    if (!boxes) return false;
    const double height = lay_out(analysis, fonts, boxes),
                 max_weight = tc_max_magnitude(analysis->weights, analysis->count);
    double width = draw_head(analysis, NULL, fonts);
    for (int32_t i = 0; i < analysis->count; i++) width = fmax(width, boxes[i].x + boxes[i].width);
    ex_canvas canvas = {0};
    bool good = height <= MAX_HEIGHT
                    ? ex_canvas_init(&canvas, (int)width + MARGIN, (int)height)
                    : ex_fail("the text has %d words, too many for a picture; give -o FILE.html",
                              analysis->count);
    if (good) {
        draw_head(analysis, &canvas, fonts);
        for (int32_t i = 0; i < analysis->count; i++)
            draw_word(analysis, i, &boxes[i], max_weight, &canvas, fonts);
        good = ex_canvas_save(&canvas, path);
    }
    ex_canvas_free(&canvas);
    ex_free(boxes);
    return good;
}

/* Whether a text has letters that are written from right to left. */
static bool is_right_to_left(const char *text)
{
    while (*text) {
        int c;
        text += ex_text_next(text, &c);
        const int direction = utf8proc_get_property(c)->bidi_class;
        if (direction == UTF8PROC_BIDI_CLASS_R || direction == UTF8PROC_BIDI_CLASS_AL) return true;
    }
    return false;
}

bool tc_picture_draw(const tc_analysis *analysis, const char *font, const char *path)
{
    ex_fonts fonts;
    bool good = ex_fonts_open(&fonts, font) && draw(analysis, &fonts, path);
    if (good && fonts.missing) {
        fprintf(
            stderr,
            "textclf: warning: no font has the character U+%04X; for Chinese and Japanese install "
            "fonts-droid-fallback (Debian, Ubuntu) or google-noto-sans-cjk-fonts (Fedora), or name "
            "a "
            "font with --font FILE\n",
            (unsigned)fonts.missing);
    }
    if (good && is_right_to_left(analysis->text)) {
        fprintf(stderr,
                "textclf: warning: the picture shows right-to-left letters from left to right and "
                "unjoined; -o FILE.html shows them as they are written\n");
    }
    ex_fonts_close(&fonts);
    return good;
}
