/* Word vectors from a file: the text formats of word2vec (with a line of count and width above) and of GloVe (without), in which
 * a word may have blanks, or word2vec's binary format. */
#ifndef TC_VECTORS_H
#define TC_VECTORS_H

#include "model.h"

/* Copies the vectors of the words that the model knows into its embedding, and says how many they are. False after ex_fail, which
 * names file and line or number: the file cannot be read, is damaged, or has vectors of another width. */
bool tc_vectors_load(tc_model *model, const char *path);

#endif
