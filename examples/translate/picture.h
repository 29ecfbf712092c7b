/* The alignment of a text with its translation, as a picture. */
#ifndef TR_PICTURE_H
#define TR_PICTURE_H

#include <stdbool.h>
#include <tapegrad.h>

typedef struct tr_alignment {
    const char *text, *answer; /* of T and of TR_ISO characters */
    const char *caption;
    const tg_real *weights; /* [10, T] */
} tr_alignment;

/* Writes a PNG file. False after tc_fail. */
bool tr_picture_save(const tr_alignment *alignment, const char *path);

#endif
