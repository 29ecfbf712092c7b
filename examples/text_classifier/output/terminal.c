#include "terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

bool tc_term_colour(void) { return isatty(STDOUT_FILENO) && !getenv("NO_COLOR"); }

int tc_term_columns(const char *text, size_t length)
{
    int columns = 0, c;
    for (size_t i = 0; i < length;) {
        i += ex_text_next(text + i, &c);
        columns += utf8proc_charwidth(c);
    }
    return columns;
}

void tc_term_print(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        putchar((unsigned char)text[i] < ' ' || text[i] == 0x7F ? ' ' : text[i]);
}

void tc_term_cell(const char *text, int width, bool right)
{
    int used = 0, c;
    size_t end = 0;
    while (text[end]) {
        const size_t bytes = ex_text_next(text + end, &c);
        if (used + utf8proc_charwidth(c) > width) break;
        used += utf8proc_charwidth(c);
        end += bytes;
    }
    printf("%*s", right ? width - used : 0, "");
    tc_term_print(text, end);
    printf("%*s", right ? 0 : width - used, "");
}

int tc_term_widest(const tc_analysis *analysis)
{
    int widest = 0;
    for (int32_t i = 0; i < analysis->count; i++) {
        const int width = tc_term_columns(analysis->text + analysis->tokens.items[i].start,
                                          analysis->tokens.items[i].length);
        if (width > widest) widest = width;
    }
    return widest;
}

void tc_term_heading(const tc_analysis *analysis, bool colour)
{
    const char *label = analysis->labels->items[analysis->best];
    fputs(colour ? "\033[1m" : "", stdout);
    tc_term_print(label, strlen(label));
    printf(" %.4f%s\n", analysis->probabilities[analysis->best], colour ? "\033[0m" : "");
}

bool tc_term_word(const tc_analysis *analysis, int32_t i, int widest)
{
    const ex_token *token = &analysis->tokens.items[i];
    const char *word = analysis->text + token->start;
    const bool known = analysis->ids[i] != EX_UNKNOWN;
    printf("  %.*s%*s %s ", (int)token->length, word, widest - tc_term_columns(word, token->length),
           "", known ? " " : "?");
    return known;
}

/* Bars have a resolution of an eighth of a column. The shades are from the 256-colour palette. */
int tc_term_blocks(double share, int cells, bool colour)
{
    static const char *const eighth_blocks[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    static const int shades[2][6] = {{250, 153, 111, 69, 33, 27}, {250, 223, 216, 209, 208, 202}};
    const double size = fabs(share);
    const int eighths = (int)lround(size * cells * 8);
    if (colour) printf("\033[38;5;%dm", shades[share < 0][(int)lround(size * 5)]);
    for (int i = 0; i < eighths / 8; i++) printf("█");
    printf("%s%s", eighth_blocks[eighths % 8], colour ? "\033[0m" : "");
    return (eighths + 7) / 8;
}

void tc_term_bar(double share, bool colour)
{
    tc_term_blocks(share, 40, colour);
    printf("\n");
}
