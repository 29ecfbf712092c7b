/* Runs textclf in this process while chosen allocations and system calls fail. */
#ifndef FAULTS_H
#define FAULTS_H

#include "../support/support.h"

/* ---- calls.c: functions of the system and the C library, one call of which fails ---- */

typedef enum fault {
    NO_FAULT,
    FAILS,       /* does nothing and sets errno */
    SHORT,       /* reads or writes one byte */
    INTERRUPTED, /* does nothing: EINTR */
    ENDS,        /* reads nothing, as at the end of a file that has become shorter */
    CTRL_C,      /* raises SIGINT, then succeeds */
} fault;

/* Plans a fault for call number `at`, from 1, of `function`. */
void fault_begin(const char *function, fault kind, int error, int64_t at);

/* Whether calls are counted: those of the tests themselves are not. */
void fault_arm(bool armed);

/* Removes the planned fault; returns whether there was such a call. */
bool fault_end(void);

/* ---- commands.c ---- */

typedef struct command {
    const char *what, *words[44]; /* the first word is the command; NULL ends them */
    const char *output[3];        /* the files that it writes */
    const char *input;            /* standard input */
    bool picture;                 /* it needs a font */
} command;

extern const command commands[];
int command_count(void);

/* Makes a folder with all files that the commands read, and enters it. */
void world_begin(void);
void world_end(void);

typedef struct outcome {
    int status;
    char errors[4096]; /* standard error */
} outcome;

/* Runs a command, after it has put an older file in the place of each output. */
outcome run(const command *c);

/* Checks the result of run. If the command failed, standard error ends in one line that says why,
 * and each output is the older file or the complete new one. If it succeeded, the outputs and the
 * printed text are those of a run without faults. No partial file is left. */
void check_outcome(const command *c, const outcome *o, const char *when);

/* Removes partial files that the command could not remove because its call of unlink failed. */
void remove_partial_files(void);

#endif
