#include "picture.h"

#include "../support/draw.h"
#include "dates.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels. */
enum {
    MARGIN = 48,
    HEAD = 196, /* above the cells: title, caption and the text's characters */
    SIDE = 96,  /* left of the cells, from the margin on: the answer's characters */
    ROW = 46,   /* height of a cell with its gap */
    GAP = 3,
    FOOT = 92, /* below the cells: the scale */
    MIN_WIDTH = 900,
    SCALE_WIDTH = 260,
    SCALE_HEIGHT = 16
};

typedef struct layout {
    double column; /* width of a cell with its gap */
    double left;   /* of the cells */
    double max;    /* the largest weight, the darkest cell */
    int columns, width, height;
} layout;

/* A colour between almost white (0), blue and deep blue (1). */
static ex_colour tint(double share)
{
    static const ex_colour stops[] = {{0.95, 0.96, 0.97},
                                      {0.69, 0.80, 0.93},
                                      {0.22, 0.49, 0.82},
                                      {0.05, 0.18, 0.42}};
    double at = fmin(fmax(share, 0), 1) * 3;
    int i = at < 2 ? (int)at : 2;
    const ex_colour a = stops[i], b = stops[i + 1];
    at -= i;
    return (ex_colour){a.red + at * (b.red - a.red), a.green + at * (b.green - a.green),
                       a.blue + at * (b.blue - a.blue)};
}

static layout lay_out(const tr_alignment *a)
{
    layout l = {.columns = (int)strlen(a->text)};
    l.column = fmin(fmax(1400.0 / l.columns, 26), ROW);
    double cells = l.column * l.columns;
    l.width = (int)fmax(2 * MARGIN + SIDE + cells, MIN_WIDTH);
    l.height = HEAD + ROW * TR_ISO + FOOT;
    l.left = MARGIN + SIDE;
    for (int i = 0; i < TR_ISO * l.columns; i++)
        if ((double)a->weights[i] > l.max) l.max = (double)a->weights[i];
    return l;
}

static void draw_head(ex_canvas *canvas, ex_fonts *fonts, const tr_alignment *a)
{
    const double size = 34, base = MARGIN + 24;
    double x = MARGIN + ex_text_width(fonts, a->text, strlen(a->text), size) + 18;
    draw_text(canvas, fonts, MARGIN, base, (draw_style){size, DRAW_LEFT, draw_ink}, "%s", a->text);
    draw_text(canvas, fonts, x, base, (draw_style){size, DRAW_LEFT, draw_grey}, "→");
    x += ex_text_width(fonts, "→", strlen("→"), size) + 18;
    draw_text(canvas, fonts, x, base, (draw_style){size, DRAW_LEFT, tint(0.75)}, "%s", a->answer);
    draw_text(canvas, fonts, MARGIN, base + 36, (draw_style){20, DRAW_LEFT, draw_grey}, "%s",
              a->caption);
}

/* Draws a character beside the cells; a blank becomes an open box. */
static void draw_character(ex_canvas *canvas, ex_fonts *fonts, double x, double y, char c)
{
    if (c == ' ') draw_text(canvas, fonts, x, y - 4, (draw_style){20, DRAW_MIDDLE, draw_grey}, "␣");
    else draw_text(canvas, fonts, x, y, (draw_style){26, DRAW_MIDDLE, draw_ink}, "%c", c);
}

static void draw_cells(ex_canvas *canvas, ex_fonts *fonts, const tr_alignment *a, const layout *l)
{
    for (int t = 0; t < l->columns; t++)
        draw_character(canvas, fonts, l->left + (t + 0.5) * l->column, HEAD - 16, a->text[t]);
    for (int i = 0; i < TR_ISO; i++) {
        double y = HEAD + i * ROW;
        draw_character(canvas, fonts, l->left - 30, y + ROW / 2.0 + 9, a->answer[i]);
        for (int t = 0; t < l->columns; t++) {
            double share = (double)a->weights[i * l->columns + t] / l->max,
                   x = l->left + t * l->column;
            ex_canvas_box(canvas, x + GAP / 2.0, y + GAP / 2.0, l->column - GAP, ROW - GAP, 4,
                          tint(share));
        }
    }
}

/* Draws the scale of the colours. */
static void draw_scale(ex_canvas *canvas, ex_fonts *fonts, const layout *l)
{
    const int x = (int)ceil(l->left), y = HEAD + ROW * TR_ISO + 28;
    for (int i = 0; i < SCALE_WIDTH * SCALE_HEIGHT; i++) {
        int column = i % SCALE_WIDTH;
        ex_canvas_blend(canvas, x + column, y + i / SCALE_WIDTH,
                        tint((double)column / (SCALE_WIDTH - 1)), 1);
    }
    draw_text(canvas, fonts, x + SCALE_WIDTH + 12, y + 14, (draw_style){17, DRAW_LEFT, draw_grey},
              "weight 0 to %.2f; each row sums to 1", l->max);
}

bool tr_picture_save(const tr_alignment *a, const char *path)
{
    ex_fonts fonts;
    ex_canvas canvas = {0};
    const layout l = lay_out(a);
    bool good = ex_fonts_open(&fonts, NULL) && ex_canvas_init(&canvas, l.width, l.height);
    if (good) {
        draw_head(&canvas, &fonts, a);
        draw_cells(&canvas, &fonts, a, &l);
        draw_scale(&canvas, &fonts, &l);
        good = ex_canvas_save(&canvas, path);
    }
    ex_canvas_free(&canvas);
    ex_fonts_close(&fonts);
    return good;
}
