/* What the files of the benchmark share; see bench.c. */
#ifndef BENCH_H
#define BENCH_H

#include <tapegrad.h>

#include "timing.h"

typedef struct bench {
    double seconds;      /* of one measurement */
    int threads;         /* now in use */
    bool machine;        /* tab-separated lines instead of the table */
    int64_t longest;     /* T of `attention` */
    int64_t adam_steps;  /* of `adam` */
    char programs[1024]; /* the folder in which textclf is */
} bench;

/* A workload adds its rows to the table; false after an error. */
typedef bool (*bench_run)(const bench *b);
bool run_documents(const bench *b);
bool run_sst2(const bench *b);
bool run_large(const bench *b);
bool run_encoder(const bench *b);
bool run_infer(const bench *b);
bool run_gemm(const bench *b);
bool run_gru(const bench *b);
bool run_attention(const bench *b);
bool run_adam(const bench *b);
bool run_job(const bench *b);

/* ---- bench.c ---- */

/* Says why a workload ended; returns false. */
bool bench_fail(const char *format, ...) TG_PRINTF(1, 2);

/* Whether neither the tape nor the parameters (both may be NULL) have an error; says what it is. */
bool bench_good(const tg_tape *tape, const tg_params *params);

/* Measures a step of `flops` operations (0: not counted) and prints its row. */
bool bench_row(const bench *b, const char *name, double flops, timing_step step, void *state,
               const char *note);

/* Prints the row of what a workload has timed itself. */
void bench_print(const bench *b, const char *name, timing time, double flops, double peak,
                 const char *note);

/* ---- machine.c ---- */

/* GFLOP/s of fused multiply-adds in registers, on that many threads at the same time: the median over `seconds`. */
double bench_peak(int threads, double seconds);

void bench_set_threads(int threads);
int bench_threads(void); /* the most that there can be */

/* realloc that counts, for tg_set_allocator; the bytes held, and the most since bench_start_most_held. */
void *bench_allocator(void *memory, size_t size);
size_t bench_held(void);
size_t bench_most_held(void);
void bench_start_most_held(void);

#endif
