#include "vectors.h"

#include "failure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether a line is the header: two whole numbers and nothing else. */
static bool is_header(const char *line)
{
    int end = 0;
    long long count, width;
    return sscanf(line, "%lld %lld %n", &count, &width, &end) == 2 && end > 0 && !line[end];
}

/* Reads `width` numbers into `row`; returns how many there are in the line, at most one more than that. */
static int64_t read_numbers(const char *text, float *row, int64_t width)
{
    int64_t count = 0;
    char *end;
    for (; count <= width; count++, text = end) {
        float number = strtof(text, &end);
        if (end == text || !isfinite(number)) break;
        if (count < width) row[count] = number;
    }
    return count;
}

/* One line, a word and its vector, into the embedding if the word is known. */
static bool take_line(tc_model *model, char *line, float *row, int32_t *found, const char *path, long number)
{
    const tg_tensor *weight = model->embedding.weight;
    const int64_t width = weight->shape[1];
    char *blank = strchr(line, ' ');
    if (blank) *blank = 0;
    int64_t count = blank ? read_numbers(blank + 1, row, width) : 0;
    if (count != width) {
        return tc_fail("%s:%ld: \"%.40s\" has not the %lld finite numbers of --embedding", path, number, line,
                       (long long)width);
    }
    int32_t id = tc_names_find(&model->words, line);
    if (id < TC_FIRST_WORD) return true;
    memcpy(weight->data + id * width, row, (size_t)width * sizeof *row);
    *found += 1;
    return true;
}

static bool read_file(tc_model *model, FILE *file, float *row, int32_t *found, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    for (long number = 1; good && getline(&line, &room, file) >= 0; number++) {
        line[strcspn(line, "\r\n")] = 0;
        if (!*line || (number == 1 && is_header(line))) continue;
        good = take_line(model, line, row, found, path, number);
    }
    if (good && ferror(file)) good = tc_fail("%s: %s", path, strerror(errno));
    free(line);
    return good;
}

bool tc_vectors_load(tc_model *model, const char *path)
{
    float *row = tc_allocate(NULL, (size_t)model->settings.embedding, sizeof *row);
    FILE *file = fopen(path, "r");
    int32_t found = 0;
    bool good = row && (file || tc_fail("%s: %s", path, strerror(errno))) && read_file(model, file, row, &found, path);
    if (good) fprintf(stderr, "vectors:    %d of %d words found in %s\n", found, model->words.count - TC_FIRST_WORD, path);
    if (file) fclose(file);
    free(row);
    return good;
}
