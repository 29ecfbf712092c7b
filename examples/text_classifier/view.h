/* A model's look at one text: what there is to show, in a terminal or as a picture. */
#ifndef TC_VIEW_H
#define TC_VIEW_H

#include "model.h"

typedef struct tc_view {
    const char *text;
    const tc_token *tokens;  /* [count], their places in the text */
    const int32_t *ids;      /* [count] */
    const float *weights;    /* [count], their sum is 1 */
    int32_t count;
    const tc_names *labels;
    const double *probabilities; /* by label */
    int32_t best;            /* label */
} tc_view;

/* Draws it into a PNG file, which is written whole or not at all. `font` (may be NULL) is looked into before those of the
 * system. False after tc_fail. */
bool tc_view_draw(const tc_view *view, const char *font, const char *path);

/* Prints a bar and ends the line; share 1 is 40 cells. With colour it turns from grey to blue. */
void tc_view_bar(double share, bool colour);

#endif
