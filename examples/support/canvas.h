/* A picture to draw on, and text in the fonts of the system. Positions and sizes are in pixels. */
#ifndef EX_CANVAS_H
#define EX_CANVAS_H

#include <stb_truetype.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct tc_colour {
    double red, green, blue; /* 0 .. 1 */
} tc_colour;

typedef struct tc_canvas {
    int width, height;
    unsigned char *pixels; /* [height, width, 3] */
} tc_canvas;

/* A white canvas. False after tc_fail. */
bool tc_canvas_init(tc_canvas *canvas, int width, int height);
void tc_canvas_free(tc_canvas *canvas);

/* Blends a colour into a pixel; `cover` is the share of the pixel that it covers, 0 .. 1. Does
 * nothing outside the canvas. */
void tc_canvas_blend(tc_canvas *canvas, int x, int y, tc_colour colour, double cover);

/* Draws a filled rectangle with round corners. */
void tc_canvas_box(tc_canvas *canvas, double x, double y, double width, double height,
                   double radius, tc_colour colour);

/* Writes a PNG file, whole or not at all. False after tc_fail, also if an earlier drawing call
 * failed. */
bool tc_canvas_save(const tc_canvas *canvas, const char *path);

enum { EX_MAX_FONTS = 8 };

typedef struct tc_fonts {
    stbtt_fontinfo info[EX_MAX_FONTS];
    unsigned char *bytes[EX_MAX_FONTS];
    int count;
    size_t tried; /* how many of the known font files were tried */
    int missing;  /* the first character that no font has; 0: none */
} tc_fonts;

/* Opens the font file `first`, or, if it is NULL, the first known font that is installed. Other
 * fonts are opened when a character needs them. False after tc_fail, which names a package to
 * install. */
bool tc_fonts_open(tc_fonts *fonts, const char *first);
void tc_fonts_close(tc_fonts *fonts);

/* The width of `length` bytes of UTF-8 in a font size of `size` pixels. */
double tc_text_width(tc_fonts *fonts, const char *text, size_t length, double size);

/* Draws the text; its baseline starts at (x, y). */
void tc_text_draw(tc_canvas *canvas, tc_fonts *fonts, double x, double y, const char *text,
                  size_t length, double size, tc_colour colour);

#endif
