#include "vectors.h"

#include "failure.h"
#include "files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORD = 1000 }; /* bytes of a word in a binary file, and the 0 */

/* A file of vectors on its way into the embedding. */
typedef struct loader {
    tc_model *model;
    const char *path;
    int64_t width; /* of the embedding */
    float *row;    /* [width] */
    bool *seen;    /* [words] the first vector of a word counts */
    int32_t found;
} loader;

static void take(loader *l, const char *word)
{
    const int32_t id = tc_names_find(&l->model->words, word);
    if (id < TC_FIRST_WORD || l->seen[id]) return;
    l->seen[id] = true;
    memcpy(l->model->embedding.weight->data + id * l->width, l->row, (size_t)l->width * sizeof *l->row);
    l->found++;
}

static bool wrong_width(const loader *l, int64_t width)
{
    return tc_fail("%s: its vectors have %lld numbers, and --embedding is %lld: give --embedding %lld", l->path, (long long)width,
                   (long long)l->width, (long long)width);
}

/* Whether a text starts with the header of word2vec's formats, a line of the number of words and the width. */
static bool is_header(const char *text, long long *count, long long *width)
{
    int end = 0;
    if (sscanf(text, "%lld %lld%n", count, width, &end) != 2 || end == 0) return false;
    while (text[end] == ' ' || text[end] == '\r') end++;
    return !text[end] || text[end] == '\n';
}

/* ---- text: a word, which may have blanks in it, and its numbers ---- */

/* Where the last `count` fields of a line begin; *found is how many there are, at most that many. */
static char *last_fields(char *line, int64_t count, int64_t *found)
{
    char *at = line + strlen(line), *start = at;
    for (*found = 0; *found < count && at > line; *found += at < start, start = at) {
        while (at > line && at[-1] == ' ') at--;
        start = at;
        while (at > line && at[-1] != ' ') at--;
    }
    return at;
}

/* How many fields at the end of a line are numbers. */
static int64_t numbers_at_end(char *line)
{
    int64_t count = 0, found;
    for (;; count++) {
        char *start = last_fields(line, count + 1, &found), *end;
        strtof(start, &end);
        if (found <= count || start == line || end == start || (*end && *end != ' ')) return count;
    }
}

static bool take_line(loader *l, char *line, long number, bool first)
{
    int64_t found;
    if (first) {
        const int64_t numbers = numbers_at_end(line);
        if (numbers > 1 && numbers != l->width) return wrong_width(l, numbers);
    }
    char *start = last_fields(line, l->width, &found), *end = start;
    while (end > line && end[-1] == ' ') end--;
    bool good = found == l->width && end > line;
    if (good) end[0] = 0;
    if (good && tc_names_find(&l->model->words, line) < TC_FIRST_WORD) return true;
    for (int64_t i = 0; good && i < l->width; i++) {
        char *next;
        l->row[i] = strtof(start, &next);
        good = next != start && isfinite(l->row[i]);
        start = next;
    }
    if (good) take(l, line);
    line[strcspn(line, " ")] = 0;
    return good || tc_fail("%s:%ld: \"%.40s\" has not the %lld finite numbers of --embedding", l->path, number, line,
                           (long long)l->width);
}

static bool read_text(loader *l, char *bytes)
{
    long number = 1;
    long long count, width;
    bool first = true;
    for (char *line = bytes, *next; line; line = next, number++) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        for (char *c = line; *c; c++) *c = *c == '\t' ? ' ' : *c;
        if (!line[strspn(line, " ")] || (number == 1 && is_header(line, &count, &width))) continue;
        if (!take_line(l, line, number, first)) return false;
        first = false;
    }
    return true;
}

/* ---- word2vec's binary format: after the header a word, a blank and its numbers as little-endian floats ---- */

static bool read_binary(loader *l, const char *bytes, size_t size, long long count)
{
    const char *stop = bytes + size, *at = bytes + strcspn(bytes, "\n");
    char word[MOST_WORD];
    for (long long i = 0; i < count; i++) {
        size_t length = 0;
        while (at < stop && *at == '\n') at++; /* some writers end each vector with one */
        while (at < stop && *at != ' ' && length < sizeof word - 1) word[length++] = *at++;
        word[length] = 0;
        if (stop - at < 1 + l->width * (ptrdiff_t)sizeof *l->row || *at != ' ') {
            return tc_fail("%s: it says that it has %lld words and ends or is damaged at number %lld", l->path, count, i + 1);
        }
        memcpy(l->row, at + 1, (size_t)l->width * sizeof *l->row);
        at += 1 + l->width * (ptrdiff_t)sizeof *l->row;
        for (int64_t j = 0; j < l->width; j++) {
            if (!isfinite(l->row[j])) return tc_fail("%s: the vector of \"%.40s\" has a number that is not finite", l->path, word);
        }
        take(l, word);
    }
    return true;
}

/* After the header of text comes text. */
static bool is_binary(const char *bytes, size_t size)
{
    const size_t looked_at = size < 4096 ? size : 4096;
    size_t bad;
    long long count, width;
    if (!is_header(bytes, &count, &width) || tc_text_valid(bytes, looked_at, &bad)) return false;
    return size == looked_at || bad + 4 < looked_at; /* else a character may be cut there */
}

static bool read_file(loader *l, char *bytes, size_t size)
{
    long long count, width;
    bytes[size] = 0;
    if (!is_binary(bytes, size)) return read_text(l, bytes);
    is_header(bytes, &count, &width);
    return width == l->width ? read_binary(l, bytes, size, count) : wrong_width(l, width);
}

bool tc_vectors_load(tc_model *model, const char *path)
{
    const int32_t words = model->words.count;
    size_t size;
    loader l = {.model = model, .path = path, .width = model->settings.embedding};
    l.row = tc_allocate(NULL, (size_t)l.width, sizeof *l.row);
    l.seen = tc_allocate(NULL, (size_t)words, sizeof *l.seen);
    char *bytes = l.row && l.seen ? tc_file_read(path, &size) : NULL;
    if (bytes) memset(l.seen, 0, (size_t)words * sizeof *l.seen);
    bool good = bytes && read_file(&l, bytes, size);
    if (good) {
        fprintf(stderr, "vectors:    %d of %d words (%.1f %%) found in %s\n", l.found, words - TC_FIRST_WORD,
                words > TC_FIRST_WORD ? 100.0 * l.found / (words - TC_FIRST_WORD) : 0.0, path);
    }
    free(bytes);
    free(l.row);
    free(l.seen);
    return good;
}
