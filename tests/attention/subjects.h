/* All kinds of attention behind one call: a test states a property once for all of them. */
#ifndef TEST_ATTENTION_SUBJECTS_H
#define TEST_ATTENTION_SUBJECTS_H

#include "../support/attention.h"

enum { SCORES = 6, MODES = 4 };
extern const char *const score_names[SCORES];

/* Self-attention by every score in every mode; cross-attention and pooling by every score; and the
 * layers. */
enum {
    SELF,
    CROSS = SELF + SCORES * MODES,
    POOL = CROSS + SCORES,
    SEQUENTIAL = POOL + SCORES,
    MULTIHEAD,
    MULTIHEAD_CROSS,
    ENCODER_POST,
    ENCODER_PRE,
    DECODER_POST,
    DECODER_PRE,
    SUBJECTS
};

typedef struct subject {
    int kind;
    int64_t E;
    char name[64];
    tg_params *params;
    tg_attention attention;
    tg_attention_pool pool;
    tg_sequential_attention sequential;
    tg_multihead multihead;
    tg_transformer blocks[2];
} subject;

bool subject_is_pooled(int kind);
bool subject_has_memory(int kind);
bool subject_can_be_causal(int kind);

/* E must be even: multi-head attention has two heads. Free it with tg_params_free(params). */
subject subject_new(int kind, int64_t E);

/* Sets dropout of the weights and of the blocks' parts, if the subject has them. */
void subject_set_dropout(subject *s, double dropout);

typedef struct subject_call {
    tg_tensor *x, *memory; /* [B, T, E], [B, Tk, E] */
    tg_ints lengths, memory_lengths;
    bool by_query; /* the lengths are query lengths, too */
    bool causal;
} subject_call;

/* [B, T, ..] or, pooled, [B, ..]; `attended` may be NULL. */
tg_tensor *subject_forward(tg_tape *tape, const subject *s, const subject_call *call,
                           tg_tensor **attended);

#endif
