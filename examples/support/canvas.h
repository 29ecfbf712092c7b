/* A picture to draw on, and text in the fonts of the system. Positions and sizes are in pixels. */
#ifndef EX_CANVAS_H
#define EX_CANVAS_H

#include <stb_truetype.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ex_colour {
    double red, green, blue; /* 0 .. 1 */
} ex_colour;

typedef struct ex_canvas {
    int width, height;
    unsigned char *pixels; /* [height, width, 3] */
} ex_canvas;

/* A white canvas. False after ex_fail. */
bool ex_canvas_init(ex_canvas *canvas, int width, int height);
void ex_canvas_free(ex_canvas *canvas);

/* Blends a colour into a pixel; `cover` is the share of the pixel that it covers, 0 .. 1. Does
 * nothing outside the canvas. */
void ex_canvas_blend(ex_canvas *canvas, int x, int y, ex_colour colour, double cover);

/* Draws a filled rectangle with round corners. */
void ex_canvas_box(ex_canvas *canvas, double x, double y, double width, double height,
                   double radius, ex_colour colour);

/* Writes a PNG file, whole or not at all. False after ex_fail, also if an earlier drawing call
 * failed. */
bool ex_canvas_save(const ex_canvas *canvas, const char *path);

enum { EX_MAX_FONTS = 8 };

typedef struct ex_fonts {
    stbtt_fontinfo info[EX_MAX_FONTS];
    unsigned char *bytes[EX_MAX_FONTS];
    int count;
    size_t tried; /* how many of the known font files were tried */
    int missing;  /* the first character that no font has; 0: none */
} ex_fonts;

/* Opens the font file `first`, or, if it is NULL, the first known font that is installed. Other
 * fonts are opened when a character needs them. False after ex_fail, which names a package to
 * install. */
bool ex_fonts_open(ex_fonts *fonts, const char *first);
void ex_fonts_close(ex_fonts *fonts);

/* The width of `length` bytes of UTF-8 in a font size of `size` pixels. */
double ex_text_width(ex_fonts *fonts, const char *text, size_t length, double size);

/* Draws the text; its baseline starts at (x, y). */
void ex_text_draw(ex_canvas *canvas, ex_fonts *fonts, double x, double y, const char *text,
                  double size, ex_colour colour);

#endif
