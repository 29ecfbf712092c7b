/* Reads word vectors from a file: word2vec's text format (its first line holds count and width),
 * GloVe's text format (no such line; a word may contain blanks), or word2vec's binary format. */
#ifndef TC_VECTORS_H
#define TC_VECTORS_H

#include "../../support/names.h"

/* Copies the vectors of the known words into rows of `embedding`, [words->count, width], and
 * prints on standard error how many it found. Returns false after ex_fail, which names file and
 * line or number: the file cannot be read, is damaged, or has vectors of another width. */
bool tc_vectors_load(const char *path, const ex_names *words, float *embedding, int64_t width);

#endif
