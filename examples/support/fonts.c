/* stb is compiled here, with our allocator, instead of linked as a library. */
#include "checked.h"
#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_malloc(size, unused) ((void)(unused), ex_checked_allocate(size))
#define STBTT_free(memory, unused) ((void)(unused), ex_checked_free(memory))
#include "canvas.h"
#include "failure.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Font files of several distributions: first fonts for letters, then fonts with Han characters
 * and Kana. */
static const char *const font_paths[] = {
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",   /* Debian, Ubuntu */
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", /* Fedora */
    "/usr/share/fonts/TTF/DejaVuSans.ttf",               /* Arch */
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation2/LiberationSans-Regular.ttf",
    "/usr/share/fonts/liberation-sans/LiberationSans-Regular.ttf",
    "/usr/share/fonts/liberation-sans-fonts/LiberationSans-Regular.ttf",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",          /* Debian, Ubuntu */
    "/usr/share/fonts/google-droid-sans-fonts/DroidSansFallbackFull.ttf", /* Fedora */
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
};
enum { FONT_PATHS = sizeof font_paths / sizeof *font_paths };

/* Reads a whole file; NULL if that fails. */
static unsigned char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    long size = file && !fseek(file, 0, SEEK_END) ? ftell(file) : -1;
    if (size > 0 && !fseek(file, 0, SEEK_SET)) {
        bytes = ex_allocate(NULL, (size_t)size, 1);
        if (bytes && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
            ex_free(bytes);
            bytes = NULL;
        }
    }
    if (file) fclose(file);
    return bytes;
}

static bool open_font(ex_fonts *fonts, const char *path)
{
    unsigned char *bytes = fonts->count < EX_MAX_FONTS ? read_file(path) : NULL;
    int offset = bytes ? stbtt_GetFontOffsetForIndex(bytes, 0) : -1;
    if (offset < 0 || !stbtt_InitFont(&fonts->info[fonts->count], bytes, offset)) {
        ex_free(bytes);
        return false;
    }
    fonts->bytes[fonts->count++] = bytes;
    return true;
}

static bool open_next(ex_fonts *fonts)
{
    while (fonts->tried < FONT_PATHS) {
        if (open_font(fonts, font_paths[fonts->tried++])) return true;
    }
    return false;
}

bool ex_fonts_open(ex_fonts *fonts, const char *first)
{
    *fonts = (ex_fonts){0};
    if (first)
        return open_font(fonts, first) ||
               ex_fail("%s: not a readable TrueType or OpenType font", first);
    return open_next(fonts) ||
           ex_fail("no font found to draw with: install fonts-dejavu-core (Debian, Ubuntu) or "
                   "dejavu-sans-fonts (Fedora), or name one with --font FILE");
}

void ex_fonts_close(ex_fonts *fonts)
{
    for (int i = 0; i < fonts->count; i++) ex_free(fonts->bytes[i]);
    *fonts = (ex_fonts){0};
}

/* Returns the first font that has the character. If none has it, returns the first font and
 * glyph 0, its sign for missing ones. */
static const stbtt_fontinfo *find_glyph(ex_fonts *fonts, int c, int *glyph)
{
    *glyph = 0;
    for (int i = 0; i < fonts->count || open_next(fonts); i++) {
        *glyph = stbtt_FindGlyphIndex(&fonts->info[i], c);
        if (*glyph) return &fonts->info[i];
    }
    if (!fonts->missing) fonts->missing = c;
    return &fonts->info[0];
}

/* The width of a character, to where the next one starts. */
static double advance(const stbtt_fontinfo *font, int glyph, double scale)
{
    int width, bearing;
    stbtt_GetGlyphHMetrics(font, glyph, &width, &bearing);
    return scale * width;
}

double ex_text_width(ex_fonts *fonts, const char *text, size_t length, double size)
{
    double width = 0;
    for (size_t at = 0; at < length;) {
        int c, glyph;
        at += ex_text_next(text + at, &c);
        const stbtt_fontinfo *font = find_glyph(fonts, c, &glyph);
        width += advance(font, glyph, (double)stbtt_ScaleForMappingEmToPixels(font, (float)size));
    }
    return width;
}

/* A glyph as pixels: how much of each is covered, 0 .. 255. */
typedef struct shape {
    const stbtt_fontinfo *font;
    int glyph;
    float scale, shift;
    unsigned char *cover; /* NULL: nothing to draw, as for a blank */
    int width, height, left, top;
} shape;

static void find_shape(void *context)
{
    shape *s = context;
    s->cover = stbtt_GetGlyphBitmapSubpixel(s->font, s->scale, s->scale, s->shift, 0, s->glyph,
                                            &s->width, &s->height, &s->left, &s->top);
}

static void draw_glyph(ex_canvas *canvas, const stbtt_fontinfo *font, int glyph, double x, double y,
                       double scale, ex_colour colour)
{
    shape s = {.font = font, .glyph = glyph, .scale = (float)scale, .shift = (float)(x - floor(x))};
    if (!ex_checked_run(find_shape, &s)) return; /* ex_canvas_save reports it */
    for (int row = 0; s.cover && row < s.height; row++) {
        for (int column = 0; column < s.width; column++) {
            ex_canvas_blend(canvas, (int)floor(x) + s.left + column, (int)lround(y) + s.top + row,
                            colour, s.cover[row * s.width + column] / 255.0);
        }
    }
    stbtt_FreeBitmap(s.cover, NULL);
}

void ex_text_draw(ex_canvas *canvas, ex_fonts *fonts, double x, double y, const char *text,
                  double size, ex_colour colour)
{
    while (*text) {
        int c, glyph;
        text += ex_text_next(text, &c);
        const stbtt_fontinfo *font = find_glyph(fonts, c, &glyph);
        double scale = (double)stbtt_ScaleForMappingEmToPixels(font, (float)size);
        draw_glyph(canvas, font, glyph, x, y, scale, colour);
        x += advance(font, glyph, scale);
    }
}
