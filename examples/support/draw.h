/* Text, lines and dots for the examples' pictures, on the canvas of canvas.h. */
#ifndef DRAW_H
#define DRAW_H

#include "canvas.h"

static const ex_colour draw_ink = {0.10, 0.12, 0.16}, draw_grey = {0.45, 0.48, 0.54},
                       draw_pale = {0.88, 0.89, 0.91}, draw_white = {1, 1, 1};

/* Which end of a text is at its x. */
typedef enum draw_side { DRAW_LEFT, DRAW_MIDDLE, DRAW_RIGHT } draw_side;

typedef struct draw_style {
    double size; /* of the font, in pixels */
    draw_side side;
    ex_colour colour;
} draw_style;

/* Draws text as printf would print it, on a baseline at y. */
void draw_text(ex_canvas *canvas, ex_fonts *fonts, double x, double y, draw_style style,
               const char *format, ...) __attribute__((__format__(__printf__, 6, 7)));

/* Draws a line with round ends. */
void draw_line(ex_canvas *canvas, double x0, double y0, double x1, double y1, double width,
               ex_colour colour);

/* Draws a disc with its centre at (x, y). */
void draw_dot(ex_canvas *canvas, double x, double y, double radius, ex_colour colour);

#endif
