/* textclf, run in this process, whose allocations and system calls fail on order. */
#ifndef FAULTS_H
#define FAULTS_H

#include "../support/support.h"

/* ---- calls.c: the system's and the C library's functions, of which one call fails ---- */

typedef enum fault {
    NO_FAULT,
    FAILS,       /* with an errno, and nothing done */
    SHORT,       /* a read or write of one byte */
    INTERRUPTED, /* EINTR, and nothing done */
    ENDS,        /* a read at the end of the file, which has become shorter */
    CTRL_C,      /* SIGINT, and then it is done */
} fault;

/* What call number `at` (from 1) of `function` does from now on. */
void fault_begin(const char *function, fault kind, int error, int64_t at);

/* Whether calls count: not those of the tests' own. */
void fault_arm(bool armed);

/* All are the system's again; whether there was such a call. */
bool fault_end(void);

/* ---- commands.c ---- */

typedef struct command {
    const char *what, *words[44]; /* the first word is the command; NULL ends them */
    const char *output[3];        /* the files that it writes, if need be */
    const char *input;            /* what stands in standard input */
    bool picture;                 /* it needs a font */
} command;

extern const command commands[];
int command_count(void);

/* A folder with all that the commands read, in which this process then is. */
void world_begin(void);
void world_end(void);

typedef struct outcome {
    int status;
    char errors[4096]; /* standard error */
} outcome;

/* Runs a command. Its output files are first what they were before (an older file, or none). */
outcome run(const command *c);

/* After run: each output is the older file, or the one that the command writes when nothing fails; nothing lies beside; if it failed,
 * standard error ends in one line that says why, and otherwise all outputs are new, and it printed what it always does. */
void check_outcome(const command *c, const outcome *o, const char *when);

/* What lies beside the outputs where the command could not remove it. */
void remove_partial_files(void);

#endif
