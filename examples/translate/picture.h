/* Draws the alignment of a text with its translation. */
#ifndef TR_PICTURE_H
#define TR_PICTURE_H

#include <stdbool.h>
#include <tapegrad.h>

typedef struct tr_alignment {
    const char *text, *answer; /* T and TR_ISO characters */
    const char *caption;
    const tg_real *weights; /* [10, T] */
} tr_alignment;

/* Writes a PNG file. False after ex_fail. */
bool tr_picture_save(const tr_alignment *alignment, const char *path);

#endif
