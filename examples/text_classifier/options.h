/* The command line. */
#ifndef TC_OPTIONS_H
#define TC_OPTIONS_H

#include "read.h"

typedef enum tc_command { TC_TRAIN = 1, TC_EVAL = 2, TC_PREDICT = 4, TC_ATTEND = 8, TC_COMPARE = 16, TC_CHECK = 32 } tc_command;

typedef struct tc_options {
    tc_command command;
    char **arguments; /* what is no option */
    int32_t argument_count;
    const char *valid, *test, *output, *font, *vectors, *stopwords; /* NULL: not given */
    tc_reading reading;                                 /* of all data of the call */
    int encoder, attention;                             /* of tc_encoder and tc_attention; -1: not given */
    int64_t seed, seeds, epochs, batch, embedding, hidden, min_count, patience, longest, top; /* epochs, min_count, top 0: choose, all */
    bool json, frozen;
    int64_t warmup;
    int tokens; /* 0: words, 1: characters */
    int class_weight;  /* TC_BALANCED; -1: not given */
    double rate, dropout, decay, smoothing, word_dropout;
} tc_options;

enum { TC_BALANCED };

typedef enum tc_parsed { TC_RUN, TC_HELP_SHOWN, TC_USAGE_ERROR } tc_parsed;

/* Reads the command and its options, checks their ranges and the number of arguments. Shows help and usage errors. */
tc_parsed tc_options_parse(tc_options *options, int argc, char **argv);

#endif
