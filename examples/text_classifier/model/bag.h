/* A bag of words and n-grams beside the encoder: a feature of the text that ignores word
 * positions. N-grams of two words and more are hashed into a fixed number of rows; n-grams that
 * share a row share its vector (Joulin et al., "Bag of Tricks for Efficient Text Classification",
 * 2017). */
#ifndef TC_BAG_H
#define TC_BAG_H

#include "../data/batch.h"

typedef struct tc_bag {
    tg_embedding embedding; /* [V + buckets, width]: the words, then the buckets; starts as zeros */
    int64_t words, buckets; /* V */
    int64_t max_ngram;      /* words of the longest n-gram; 0: no bag */
} tc_bag;

/* Registers "bag.weight". Returns false if the params have an error. */
bool tc_bag_init(tc_bag *bag, tg_params *params, int64_t words, int64_t buckets, int64_t max_ngram,
                 int64_t width);

/* Marks the rows that a batch reads as touched; see tg_params_touch_rows. Returns false after
 * ex_fail. */
bool tc_bag_touch_rows(const tc_bag *bag, const tc_batch *batch);

/* Returns [B, width]: the sum of a text's n word and n-gram vectors, divided by sqrt(n). */
tg_tensor *tc_bag_forward(tg_tape *tape, const tc_bag *bag, const tc_batch *batch);

#endif
