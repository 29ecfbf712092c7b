/* A bag of words and of runs of words, beside what the encoder reads: what counts of a text wherever it stands in it. Runs of two
 * words and more are hashed into a fixed number of rows (Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017),
 * so that two that meet in a row share its vector. */
#ifndef TC_BAG_H
#define TC_BAG_H

#include "../data/batch.h"

typedef struct tc_bag {
    tg_embedding
        embedding; /* [V + buckets, width]: the words, then the buckets; zeros until they are learned */
    int64_t words, buckets; /* V */
    int64_t longest;        /* words of a run; 0: there is no bag */
} tc_bag;

/* Registers "bag.weight". False when the params have an error. */
bool tc_bag_init(tc_bag *bag, tg_params *params, int64_t words, int64_t buckets, int64_t longest,
                 int64_t width);

/* Touches the rows of a batch; see tg_params_touch_rows. False after tc_fail. */
bool tc_bag_touch_rows(const tc_bag *bag, const tc_batch *batch);

/* The mean of the vectors of all words and runs of each text, times the root of their number: [B, width]. */
tg_tensor *tc_bag_forward(tg_tape *tape, const tc_bag *bag, const tc_batch *batch);

#endif
