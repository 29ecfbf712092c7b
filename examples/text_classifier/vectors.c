#include "vectors.h"

#include "../support/failure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_WORD = 1000,
    LOOKED_AT = 4096
}; /* bytes of a word in a binary file, and the 0; and those that tell it from text */

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
    const int32_t id = ex_names_find(&l->model->words, word);
    if (id < EX_FIRST_WORD || l->seen[id]) return;
    l->seen[id] = true;
    memcpy(l->model->embedding.weight->data + id * l->width, l->row,
           (size_t)l->width * sizeof *l->row);
    l->found++;
}

static bool wrong_width(const loader *l, int64_t width)
{
    return ex_fail(
        "%s: its vectors have %lld numbers, and --embedding is %lld: give --embedding %lld",
        l->path, (long long)width, (long long)l->width, (long long)width);
}

/* Whether a text starts with the header of word2vec's formats, a line of the number of words and the width. */
static bool is_header(const char *text, long long *count, long long *width)
{
    char *at, *end;
    *count = strtoll(text, &at, 10);
    *width = strtoll(at, &end, 10);
    if (at == text || end == at || !strchr(" \t", *at)) return false;
    while (*end == ' ' || *end == '\r') end++;
    return !*end || *end == '\n';
}

/* ---- text: a word, which may have blanks in it, and its numbers ---- */

/* Where the last field before `end` begins; `end` itself where there is none. */
static char *field_before(const char *line, char *end)
{
    char *at = end;
    while (at > line && at[-1] == ' ') at--;
    if (at == line) return end;
    while (at > line && at[-1] != ' ') at--;
    return at;
}

/* Where the last `count` fields of a line begin; *found is how many there are, at most that many. */
static char *last_fields(char *line, int64_t count, int64_t *found)
{
    char *at = line + strlen(line), *start;
    for (*found = 0; *found < count && (start = field_before(line, at)) < at; ++*found) at = start;
    return at;
}

/* How many fields at the end of a line are numbers; the first field of all is a word. */
static int64_t numbers_at_end(char *line)
{
    char *at = line + strlen(line), *start, *end;
    for (int64_t count = 0;; count++, at = start) {
        start = field_before(line, at);
        strtof(start, &end);
        if (start == at || start == line || end == start || (*end && *end != ' ')) return count;
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
    if (good && ex_names_find(&l->model->words, line) < EX_FIRST_WORD) return true;
    for (int64_t i = 0; good && i < l->width; i++) {
        char *next;
        l->row[i] = strtof(start, &next);
        good = next != start && isfinite(l->row[i]);
        start = next;
    }
    if (good) take(l, line);
    line[strcspn(line, " ")] = 0;
    size_t bad;
    if (!good && !ex_text_valid(line, strlen(line), &bad)) {
        return ex_fail("%s:%ld: it is neither text nor word2vec's binary format: unpack it first, "
                       "if it is packed",
                       l->path, number);
    }
    return good || ex_fail("%s:%ld: \"%.40s\" has not the %lld finite numbers of --embedding: a "
                           "line is a word and its numbers",
                           l->path, number, line, (long long)l->width);
}

static bool read_text(loader *l, FILE *file)
{
    char *line = NULL;
    size_t room = 0;
    long long count, width;
    bool good = true, first = true;
    for (long number = 1; good && getline(&line, &room, file) >= 0; number++) {
        line[strcspn(line, "\r\n")] = 0;
        for (char *c = line; *c; c++) *c = *c == '\t' ? ' ' : *c;
        if (!line[strspn(line, " ")] || (number == 1 && is_header(line, &count, &width))) continue;
        good = take_line(l, line, number, first);
        first = false;
    }
    if (good && !feof(file))
        good = ex_fail("%s: %s", l->path,
                       strerror(errno)); /* a line that finds no memory is no end */
    free(line);
    return good;
}

/* ---- word2vec's binary format: after the header a word, a blank and its numbers as little-endian floats ---- */

/* Without the line ends that some writers put after each vector. False where no blank follows. */
static bool read_word(FILE *file, char word[MAX_WORD])
{
    int c = getc(file), length = 0;
    while (c == '\n') c = getc(file);
    for (; c != EOF && c != ' ' && length < MAX_WORD - 1; c = getc(file)) word[length++] = (char)c;
    word[length] = 0;
    return c == ' ';
}

static bool read_binary(loader *l, FILE *file, long long count)
{
    char word[MAX_WORD];
    for (int c = getc(file); c != EOF && c != '\n';) c = getc(file); /* the header */
    for (long long i = 0; i < count; i++) {
        if (!read_word(file, word) ||
            fread(l->row, sizeof *l->row, (size_t)l->width, file) != (size_t)l->width) {
            return ferror(file) ||
                   ex_fail(
                       "%s: it says that it has %lld words and ends or is damaged at number %lld",
                       l->path, count, i + 1);
        }
        for (int64_t j = 0; j < l->width; j++) {
            if (!isfinite(l->row[j]))
                return ex_fail("%s: the vector of \"%.40s\" has a number that is not finite",
                               l->path, word);
        }
        take(l, word);
    }
    return true;
}

/* After the header of text comes text. */
static bool is_binary(const char *start, size_t size)
{
    size_t bad;
    long long count, width;
    if (!is_header(start, &count, &width) || ex_text_valid(start, size, &bad)) return false;
    return size < LOOKED_AT || bad + 4 < size; /* else a character may be cut there */
}

static bool read_file(loader *l, FILE *file)
{
    char start[LOOKED_AT + 1];
    const size_t size = fread(start, 1, LOOKED_AT, file);
    long long count, width;
    start[size] = 0;
    if (fseek(file, 0, SEEK_SET))
        return ex_fail("%s: it is read twice, and has to be a file, not a pipe", l->path);
    if (!is_binary(start, size)) return read_text(l, file);
    is_header(start, &count, &width);
    return width == l->width ? read_binary(l, file, count) : wrong_width(l, width);
}

bool tc_vectors_load(tc_model *model, const char *path)
{
    const int32_t words = model->words.count;
    loader l = {.model = model, .path = path, .width = model->settings.embedding};
    l.row = ex_allocate(NULL, (size_t)l.width, sizeof *l.row);
    l.seen = ex_allocate(NULL, (size_t)words, sizeof *l.seen);
    FILE *file = fopen(path, "rb");
    bool good = l.row && l.seen && (file || ex_fail("%s: %s", path, strerror(errno)));
    if (good) {
        memset(l.seen, 0, (size_t)words * sizeof *l.seen);
        good = read_file(&l, file);
        if (ferror(file)) good = ex_fail("%s: %s", path, strerror(errno));
    }
    if (good) {
        fprintf(stderr, "vectors:    %d of %d words (%.1f %%) found in %s\n", l.found,
                words - EX_FIRST_WORD,
                words > EX_FIRST_WORD ? 100.0 * l.found / (words - EX_FIRST_WORD) : 0.0, path);
    }
    if (file) fclose(file);
    ex_free(l.row);
    ex_free(l.seen);
    return good;
}
