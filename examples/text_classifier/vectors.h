/* Word vectors from a file of word2vec's text format: a line is a word and its numbers, parted by blanks; a first line of
 * count and width is skipped. */
#ifndef TC_VECTORS_H
#define TC_VECTORS_H

#include "model.h"

/* Copies the vectors of the words that the model knows into its embedding, and prints how many they are. False after
 * tc_fail, which names file and line: the file cannot be read, or a line has not as many numbers as the embedding. */
bool tc_vectors_load(tc_model *model, const char *path);

#endif
