/* Draws the analysis of a text: its words in boxes, shaded by their attention weights. */
#ifndef TC_PICTURE_H
#define TC_PICTURE_H

#include "../model/analysis.h"

/* Writes a PNG file, whole or not at all. `font` (may be NULL) is searched before the system's
 * fonts. Returns false after ex_fail. */
bool tc_picture_draw(const tc_analysis *analysis, const char *font, const char *path);

#endif
