/* Shared by the files of the benchmark; see bench.c. */
#ifndef BENCH_H
#define BENCH_H

#include <tapegrad.h>

#include "timing.h"

typedef struct bench {
    double seconds;      /* of one measurement */
    int threads;         /* of the present measurement */
    bool machine;        /* tab-separated lines instead of the table */
    int64_t longest;     /* T of `attention` */
    int64_t adam_steps;  /* of `adam` */
    char programs[1024]; /* the folder of textclf */
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

/* Prints why a workload failed; returns false. */
bool bench_fail(const char *format, ...) TG_PRINTF(1, 2);

/* Whether neither the tape nor the parameters (both may be NULL) have an error; prints the
 * error. */
bool bench_good(const tg_tape *tape, const tg_params *params);

/* Measures a step of `flops` operations (0: not counted) and prints its row. */
bool bench_row(const bench *b, const char *name, double flops, timing_step step, void *state,
               const char *note);

/* Prints the row of a workload that takes its own time. */
void bench_print(const bench *b, const char *name, timing time, double flops, double peak,
                 const char *note);

/* ---- machine.c ---- */

/* GFLOP/s of fused multiply-adds in registers, on `threads` threads at once: the median over
 * `seconds`. */
double bench_peak(int threads, double seconds);

void bench_set_threads(int threads);
int bench_threads(void); /* the maximum */

/* A realloc that counts bytes, for tg_set_allocator; the bytes allocated now, and their maximum
 * since bench_reset_peak_memory. */
void *bench_allocator(void *memory, size_t size);
size_t bench_memory(void);
size_t bench_peak_memory(void);
void bench_reset_peak_memory(void);

#endif
