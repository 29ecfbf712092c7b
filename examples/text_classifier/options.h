/* The command line. */
#ifndef TC_OPTIONS_H
#define TC_OPTIONS_H

#include "read.h"

typedef enum tc_command { TC_TRAIN = 1, TC_EVAL = 2, TC_PREDICT = 4, TC_ATTEND = 8, TC_COMPARE = 16, TC_CHECK = 32, TC_EXPLAIN = 64,
                         TC_STEP = 128, TC_TAPE = 256 } tc_command;

typedef struct tc_options {
    tc_command command;
    char **words;     /* the whole command line, options before arguments; NULL ends it */
    char **arguments; /* what is no option */
    int32_t argument_count;
    tc_reading reading;     /* of all data of the call */
    const char *valid, *test, *output, *font, *vectors, *stopwords, *checkpoint, *report, *step_label; /* NULL: not given */
    int encoder, attention; /* of tc_encoder and tc_attention; -1: not given */
    int class_weight;       /* TC_BALANCED; -1: not given */
    int tokens;             /* 0: words, 1: characters */
    bool json, frozen, max_pool, no_punctuation, resume;
    int64_t seed, batch, embedding, hidden, patience, longest, warmup, ngrams, buckets, average;
    int64_t seeds, epochs, min_count, max_vocab, top; /* 0: choose, or all */
    double rate, dropout, decay, smoothing, word_dropout, every;
} tc_options;

enum { TC_BALANCED };

typedef enum tc_parsed { TC_RUN, TC_HELP_SHOWN, TC_USAGE_ERROR } tc_parsed;

/* The values of all options that shape a training, by name, as a JSON object of strings, which the caller frees; NULL without memory. */
struct json_t *tc_options_plan(const tc_options *options);

/* Reads the command and its options, checks their ranges and the number of arguments. Shows help and usage errors. */
tc_parsed tc_options_parse(tc_options *options, int argc, char **argv);

#endif
