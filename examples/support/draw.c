#include "draw.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void draw_text(ex_canvas *canvas, ex_fonts *fonts, double x, double y, draw_style style,
               const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    double width = ex_text_width(fonts, text, strlen(text), style.size);
    if (style.side == DRAW_RIGHT) x -= width;
    if (style.side == DRAW_MIDDLE) x -= width / 2;
    ex_text_draw(canvas, fonts, x, y, text, style.size, style.colour);
}

void draw_line(ex_canvas *canvas, double x0, double y0, double x1, double y1, double width,
               ex_colour colour)
{
    const double dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy, reach = width / 2 + 1;
    for (int y = (int)floor(fmin(y0, y1) - reach); y <= fmax(y0, y1) + reach; y++) {
        for (int x = (int)floor(fmin(x0, x1) - reach); x <= fmax(x0, x1) + reach; x++) {
            /* the distance of the pixel's centre from the nearest point of the line */
            double along = length > 0 ? ((x + 0.5 - x0) * dx + (y + 0.5 - y0) * dy) / length : 0;
            along = fmin(fmax(along, 0), 1);
            double distance = hypot(x + 0.5 - x0 - along * dx, y + 0.5 - y0 - along * dy);
            double cover = fmin(fmax(width / 2 - distance + 0.5, 0), 1);
            if (cover > 0) ex_canvas_blend(canvas, x, y, colour, cover);
        }
    }
}

void draw_dot(ex_canvas *canvas, double x, double y, double radius, ex_colour colour)
{
    ex_canvas_box(canvas, x - radius, y - radius, 2 * radius, 2 * radius, radius, colour);
}
