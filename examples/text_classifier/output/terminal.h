/* Shows texts, labels and bars in a terminal. */
#ifndef TC_TERMINAL_H
#define TC_TERMINAL_H

#include "../model/analysis.h"

/* Whether to use colours: standard output is a terminal and NO_COLOR is not set. */
bool tc_term_colour(void);

/* Returns the columns that a text of `length` bytes takes. Han characters take two. */
int tc_term_columns(const char *text, size_t length);

/* Returns the columns of the widest word. */
int tc_term_widest(const tc_analysis *analysis);

/* Prints a text on one line: tabs, newlines and other control characters become blanks. */
void tc_term_print(const char *text, size_t length);

/* Prints as much of a text as fits in `width` columns, padded with blanks; `right` aligns it
 * right. */
void tc_term_cell(const char *text, int width, bool right);

/* Prints the line with the predicted label and its probability. */
void tc_term_heading(const tc_analysis *analysis, bool colour);

/* Prints the start of word i's line, padded to `widest` columns, with a question mark if the word
 * is not in the vocabulary. Returns whether it is. */
bool tc_term_word(const tc_analysis *analysis, int32_t i, int widest);

/* Prints a bar whose length is |share| of `cells` columns, and returns the columns that it takes.
 * With colour it goes from grey to blue, or to orange for a negative share. */
int tc_term_blocks(double share, int cells, bool colour);

/* Prints a bar of up to 40 columns and a newline. */
void tc_term_bar(double share, bool colour);

#endif
