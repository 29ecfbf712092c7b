/* A picture to draw on, and text on it in the fonts of the system. Positions and sizes are in pixels. */
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

/* Lays a colour over the share `cover` (0 .. 1) of a pixel; one outside the canvas is left alone. */
void tc_canvas_blend(tc_canvas *canvas, int x, int y, tc_colour colour, double cover);

/* A filled rectangle with round corners. */
void tc_canvas_box(tc_canvas *canvas, double x, double y, double width, double height,
                   double radius, tc_colour colour);

/* Writes a PNG file, whole or not at all. False after tc_fail, also where drawing failed before. */
bool tc_canvas_save(const tc_canvas *canvas, const char *path);

enum { EX_MAX_FONTS = 8 };

typedef struct tc_fonts {
    stbtt_fontinfo info[EX_MAX_FONTS];
    unsigned char *bytes[EX_MAX_FONTS];
    int count;
    size_t tried; /* of the known places */
    int missing;  /* the first character that no font has; 0: none */
} tc_fonts;

/* Opens `first` (may be NULL), else the first font of the system's; the others are opened when a character asks for them.
 * False after tc_fail, which says what to install. */
bool tc_fonts_open(tc_fonts *fonts, const char *first);
void tc_fonts_close(tc_fonts *fonts);

/* The width of a piece of UTF-8 whose em is `size` pixels. */
double tc_text_width(tc_fonts *fonts, const char *text, size_t length, double size);

/* Draws it; (x, y) is the start of its baseline. */
void tc_text_draw(tc_canvas *canvas, tc_fonts *fonts, double x, double y, const char *text,
                  size_t length, double size, tc_colour colour);

#endif
