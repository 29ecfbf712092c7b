/* How a model's look at one text is shown, in a terminal and as a picture. */
#ifndef TC_VIEW_H
#define TC_VIEW_H

#include "look.h"

/* Draws it into a PNG file, which is written whole or not at all. `font` (may be NULL) is looked into before those of the
 * system. False after ex_fail. */
bool tc_view_draw(const tc_seen *view, const char *font, const char *path);

/* What values are measured by where they are shown: the largest of their magnitudes, or 1 where all are 0. */
double tc_view_most(const double *values, int32_t count);

/* ---- in a terminal ---- */

/* Whether standard output is a terminal that is to have colours. */
bool tc_view_colour(void);

/* Columns that a piece of text takes (Han characters take two), and that the widest word of a view takes. */
int tc_view_columns(const char *text, size_t length);

/* Prints a piece of text on one line: what a terminal or a table would take for more than text is a blank. */
void tc_view_plain(const char *text, size_t length);

/* Prints as much of a text as fits in `width` columns, and blanks up to them: before it (`right`) or after. */
void tc_view_cell(const char *text, int width, bool right);
int tc_view_widest(const tc_seen *view);

/* Prints the line of label and probability; and the start of a word's line, in which its first number follows. False for a
 * word that is not in the vocabulary, which has a question mark. */
void tc_view_head(const tc_seen *view, bool colour);
bool tc_view_word(const tc_seen *view, int32_t i, int widest);

/* Prints a bar, of `cells` cells for share 1 or -1, and returns the cells that it takes. With colour it turns from grey to
 * blue, or to orange where the share is negative. */
int tc_view_cells(double share, int cells, bool colour);

/* A bar of up to 40 cells, and the end of the line. */
void tc_view_bar(double share, bool colour);

#endif
