#include "canvas.h"

#include "checked.h"
#include "failure.h"
#include "files.h"

/* stb is compiled here, with our allocator, instead of linked as a library. */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_MALLOC(size) tc_checked_allocate(size)
#define STBIW_REALLOC_SIZED(memory, old, size) tc_checked_reallocate(memory, old, size)
#define STBIW_FREE(memory) tc_checked_free(memory)
#include <math.h>
#include <stb_image_write.h>
#include <stdio.h>
#include <string.h>

bool tc_canvas_init(tc_canvas *canvas, int width, int height)
{
    size_t bytes = (size_t)width * (size_t)height * 3;
    *canvas = (tc_canvas){width, height, tc_allocate(NULL, bytes, 1)};
    if (!canvas->pixels) return false;
    memset(canvas->pixels, 255, bytes);
    return true;
}

void tc_canvas_free(tc_canvas *canvas)
{
    tc_free(canvas->pixels);
    *canvas = (tc_canvas){0};
}

static void blend(unsigned char *channel, double colour, double cover)
{
    *channel = (unsigned char)lround(*channel * (1 - cover) + 255 * colour * cover);
}

void tc_canvas_blend(tc_canvas *canvas, int x, int y, tc_colour colour, double cover)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) return;
    unsigned char *pixel = canvas->pixels + 3 * ((size_t)y * (size_t)canvas->width + (size_t)x);
    blend(pixel, colour.red, cover);
    blend(pixel + 1, colour.green, cover);
    blend(pixel + 2, colour.blue, cover);
}

void tc_canvas_box(tc_canvas *canvas, double x, double y, double width, double height,
                   double radius, tc_colour colour)
{
    for (int row = (int)floor(y); row < y + height; row++) {
        for (int column = (int)floor(x); column < x + width; column++) {
            /* Shrink the box by the radius on all sides. The distance of the pixel's centre from
             * it, less the radius, is the distance from the rounded box; within half a pixel of
             * its edge the pixel is covered in part. */
            double dx = fmax(fmax(x + radius - column - 0.5, column + 0.5 - (x + width - radius)),
                             0);
            double dy = fmax(fmax(y + radius - row - 0.5, row + 0.5 - (y + height - radius)), 0);
            double cover = fmin(fmax(0.5 - (hypot(dx, dy) - radius), 0), 1);
            if (cover > 0) tc_canvas_blend(canvas, column, row, colour, cover);
        }
    }
}

/* ---- files ---- */

typedef struct encoding {
    const tc_canvas *canvas;
    FILE *stream;
} encoding;

static void write_bytes(void *stream, void *bytes, int size)
{
    fwrite(bytes, 1, (size_t)size, stream);
}

static void encode(void *context)
{
    const encoding *e = context;
    stbi_write_png_to_func(write_bytes, e->stream, e->canvas->width, e->canvas->height, 3,
                           e->canvas->pixels, 0);
}

bool tc_canvas_save(const tc_canvas *canvas, const char *path)
{
    tc_output output;
    encoding e = {canvas, tc_output_open(&output, path)};
    return tc_output_close(&output, e.stream && !tc_failure() && tc_checked_run(encode, &e));
}
