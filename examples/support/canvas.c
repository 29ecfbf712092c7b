#include "canvas.h"

#include "checked.h"
#include "failure.h"
#include "files.h"

/* stb is compiled here, with our allocator, instead of linked as a library. */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_MALLOC(size) ex_checked_allocate(size)
#define STBIW_REALLOC_SIZED(memory, old, size) ex_checked_reallocate(memory, old, size)
#define STBIW_FREE(memory) ex_checked_free(memory)
#include <math.h>
#include <stb_image_write.h>
#include <stdio.h>
#include <string.h>

bool ex_canvas_init(ex_canvas *canvas, int width, int height)
{
    size_t bytes = (size_t)width * (size_t)height * 3;
    *canvas = (ex_canvas){width, height, ex_allocate(NULL, bytes, 1)};
    if (!canvas->pixels) return false;
    memset(canvas->pixels, 255, bytes);
    return true;
}

void ex_canvas_free(ex_canvas *canvas)
{
    ex_free(canvas->pixels);
    *canvas = (ex_canvas){0};
}

static void blend(unsigned char *channel, double colour, double cover)
{
    *channel = (unsigned char)lround(*channel * (1 - cover) + 255 * colour * cover);
}

void ex_canvas_blend(ex_canvas *canvas, int x, int y, ex_colour colour, double cover)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) return;
    unsigned char *pixel = canvas->pixels + 3 * ((size_t)y * (size_t)canvas->width + (size_t)x);
    blend(pixel, colour.red, cover);
    blend(pixel + 1, colour.green, cover);
    blend(pixel + 2, colour.blue, cover);
}

void ex_canvas_box(ex_canvas *canvas, double x, double y, double width, double height,
                   double radius, ex_colour colour)
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
            if (cover > 0) ex_canvas_blend(canvas, column, row, colour, cover);
        }
    }
}

/* ---- files ---- */

typedef struct encoding {
    const ex_canvas *canvas;
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

bool ex_canvas_save(const ex_canvas *canvas, const char *path)
{
    ex_output output;
    encoding e = {canvas, ex_output_open(&output, path)};
    return ex_output_close(&output, e.stream && !ex_failure() && ex_checked_run(encode, &e));
}
