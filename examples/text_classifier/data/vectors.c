#include "vectors.h"

#include "../../support/failure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_WORD = 1000,   /* bytes of a word in a binary file, with its terminating 0 */
    SNIFF_BYTES = 4096 /* bytes that tell a binary file from text */
};

typedef struct loader {
    const char *path;
    const ex_names *words;
    float *embedding; /* [words, width] */
    int64_t width;
    float *row;    /* [width] the vector being read */
    bool *is_set;  /* [words] a word that occurs twice takes its first vector */
    int32_t found; /* words with a vector */
} loader;

/* Copies the row that was read if the vocabulary has the word. */
static void store_row(loader *l, const char *word)
{
    const int32_t id = ex_names_find(l->words, word);
    if (id < EX_FIRST_WORD || l->is_set[id]) return;
    l->is_set[id] = true;
    memcpy(l->embedding + id * l->width, l->row, (size_t)l->width * sizeof *l->row);
    l->found++;
}

static bool wrong_width(const loader *l, int64_t width)
{
    return ex_fail(
        "%s: the vectors have width %lld, but --embedding is %lld; give --embedding %lld", l->path,
        (long long)width, (long long)l->width, (long long)width);
}

/* Whether a text starts with word2vec's header: a line with the number of words and the width. */
static bool is_header(const char *text, long long *count, long long *width)
{
    char *at, *end;
    *count = strtoll(text, &at, 10);
    *width = strtoll(at, &end, 10);
    if (at == text || end == at || !strchr(" \t", *at)) return false;
    while (*end == ' ' || *end == '\r') end++;
    return !*end || *end == '\n';
}

/* ---- text: each line holds a word, which may contain blanks, and its numbers ---- */

/* The start of the last field before `end`, or `end` if there is none. */
static char *field_before(const char *line, char *end)
{
    char *at = end;
    while (at > line && at[-1] == ' ') at--;
    if (at == line) return end;
    while (at > line && at[-1] != ' ') at--;
    return at;
}

/* The start of the last `count` fields of a line. *found is their number, at most `count`. */
static char *last_fields(char *line, int64_t count, int64_t *found)
{
    char *at = line + strlen(line), *start;
    for (*found = 0; *found < count && (start = field_before(line, at)) < at; ++*found) at = start;
    return at;
}

/* Counts the numbers at the end of a line. The first field is always a word. */
static int64_t numbers_at_end(char *line)
{
    char *at = line + strlen(line), *start, *end;
    for (int64_t count = 0;; count++, at = start) {
        start = field_before(line, at);
        strtof(start, &end);
        if (start == at || start == line || end == start || (*end && *end != ' ')) return count;
    }
}

static bool read_line(loader *l, char *line, long number, bool first)
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
    if (good && ex_names_find(l->words, line) < EX_FIRST_WORD) return true;
    for (int64_t i = 0; good && i < l->width; i++) {
        char *next;
        l->row[i] = strtof(start, &next);
        good = next != start && isfinite(l->row[i]);
        start = next;
    }
    if (good) store_row(l, line);
    line[strcspn(line, " ")] = 0;
    size_t bad;
    if (!good && !ex_text_valid(line, strlen(line), &bad)) {
        return ex_fail("%s:%ld: neither text nor word2vec's binary format; if the file is "
                       "compressed, unpack it",
                       l->path, number);
    }
    return good ||
           ex_fail("%s:%ld: \"%.40s\" does not have %lld finite numbers (--embedding); each "
                   "line must be a word and its vector",
                   l->path, number, line, (long long)l->width);
}

static bool read_text(loader *l, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0;
    long long count, width;
    bool good = true, first = true;
    for (long number = 1; good && getline(&line, &capacity, file) >= 0; number++) {
        line[strcspn(line, "\r\n")] = 0;
        for (char *c = line; *c; c++) *c = *c == '\t' ? ' ' : *c;
        if (!line[strspn(line, " ")] || (number == 1 && is_header(line, &count, &width))) continue;
        good = read_line(l, line, number, first);
        first = false;
    }
    /* getline also fails if there is no memory for a line */
    if (good && !feof(file)) good = ex_fail("%s: %s", l->path, strerror(errno));
    free(line);
    return good;
}

/* ---- word2vec's binary format: a header, then words with a blank and little-endian floats ---- */

/* Skips the newline that some writers put after each vector. Returns false if no blank follows. */
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
                   ex_fail("%s: the header promises %lld words, but the file ends or is damaged at "
                           "word %lld",
                           l->path, count, i + 1);
        }
        for (int64_t j = 0; j < l->width; j++) {
            if (!isfinite(l->row[j]))
                return ex_fail("%s: the vector of \"%.40s\" contains NaN or infinity", l->path,
                               word);
        }
        store_row(l, word);
    }
    return true;
}

/* A text file goes on with text after its header. */
static bool is_binary(const char *start, size_t size)
{
    size_t bad;
    long long count, width;
    if (!is_header(start, &count, &width) || ex_text_valid(start, size, &bad)) return false;
    /* the end of the sample may cut a character in two */
    return size < SNIFF_BYTES || bad + 4 < size;
}

static bool read_file(loader *l, FILE *file)
{
    char start[SNIFF_BYTES + 1];
    const size_t size = fread(start, 1, SNIFF_BYTES, file);
    long long count, width;
    start[size] = 0;
    if (fseek(file, 0, SEEK_SET))
        return ex_fail("%s: cannot seek; give a file, not a pipe", l->path);
    if (!is_binary(start, size)) return read_text(l, file);
    is_header(start, &count, &width);
    return width == l->width ? read_binary(l, file, count) : wrong_width(l, width);
}

bool tc_vectors_load(const char *path, const ex_names *words, float *embedding, int64_t width)
{
    const size_t count = (size_t)words->count;
    const int32_t known = words->count - EX_FIRST_WORD;
    loader l = {.path = path, .words = words, .embedding = embedding, .width = width};
    l.row = ex_allocate(NULL, (size_t)width, sizeof *l.row);
    l.is_set = ex_allocate(NULL, count, sizeof *l.is_set);
    FILE *file = fopen(path, "rb");
    bool good = l.row && l.is_set && (file || ex_fail("%s: %s", path, strerror(errno)));
    if (good) {
        memset(l.is_set, 0, count * sizeof *l.is_set);
        good = read_file(&l, file);
        if (ferror(file)) good = ex_fail("%s: %s", path, strerror(errno));
    }
    if (good) {
        fprintf(stderr, "vectors:    %d of %d words (%.1f %%) found in %s\n", l.found, known,
                known > 0 ? 100.0 * l.found / known : 0.0, path);
    }
    if (file) fclose(file);
    ex_free(l.row);
    ex_free(l.is_set);
    return good;
}
