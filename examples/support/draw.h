/* What the examples' pictures have in common, over the canvas and the fonts of canvas.h. */
#ifndef DRAW_H
#define DRAW_H

#include "canvas.h"

static const tc_colour draw_ink = {0.10, 0.12, 0.16}, draw_grey = {0.45, 0.48, 0.54},
                       draw_pale = {0.88, 0.89, 0.91}, draw_white = {1, 1, 1};

/* Where a text stands to its x. */
typedef enum draw_side { DRAW_LEFT, DRAW_MIDDLE, DRAW_RIGHT } draw_side;

/* printf at (x, y) of the baseline, `size` pixels an em. */
void draw_text(tc_canvas *canvas, tc_fonts *fonts, double x, double y, double size, draw_side side,
               tc_colour colour, const char *format, ...)
    __attribute__((__format__(__printf__, 8, 9)));

/* A line with round ends. */
void draw_line(tc_canvas *canvas, double x0, double y0, double x1, double y1, double width,
               tc_colour colour);

/* A disc with its middle at (x, y). */
void draw_dot(tc_canvas *canvas, double x, double y, double radius, tc_colour colour);

#endif
