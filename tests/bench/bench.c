/* Measures the speed of tapegrad and prints a table.
 *
 *     build/bench [-s SECONDS] [-t THREADS] [-l LONGEST] [-n STEPS] [-m] [WORKLOAD]...
 *
 * Without WORKLOAD it measures all of them:
 *
 *     documents   a tiny classifier: V 20, E 50, H 50, an LSTM and additive attention, B 4, T 10
 *     sst2        a sentence classifier: V 15,000, E 128, an LSTM of 128 in both directions,
 *                 additive attention, 2 classes, B 32, T 32
 *     large       V 15,000, E 512, an LSTM of 512, additive attention, 4 classes, B 64, T 64
 *     encoder     a transformer encoder block of 4 heads: D 256, feed-forward 1,024, B 16, T 128;
 *                 and D 64, feed-forward 256, B 32, T 32
 *     infer       one sentence of 20 words through the sst2 model in inference mode
 *     gemm        matrix products: squares, all transposes, and the shapes of an LSTM
 *     attention   tiled dot attention forward and backward, one sequence, 4 heads of 64, T from 512
 *                 to LONGEST (16384)
 *     adam        an embedding of 200,000 x 128 of which a batch reads about 600 rows: STEPS (1000)
 *                 steps, with a dense gradient and with a sparse one (tg_params_set_sparse)
 *     job         two programs, from start to end: textclf train on four sentences, textclf predict
 *
 * A training workload measures complete steps: forward pass, backward pass, clipping, Adam, reset
 * of the tape. Sequences have no padding; ids are uniform from a fixed seed (Zipf's law in `adam`).
 * After a warm-up, a row is measured for SECONDS (2). It shows the median, the interquartile range
 * in percent of the median, GFLOP/s of matrix products by the printed formula, and their share of
 * the FMA peak. The peak is measured before and after the row, on as many threads. THREADS is 1 or
 * 2; without it each workload is measured on one thread and then on two. -m prints tab-separated
 * lines instead: workload, threads, ms, spread, GFLOP/s, percent of the peak, note; "-" for a
 * missing value. tests/bench/compare.sh compares with PyTorch and OpenBLAS. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

typedef struct workload {
    const char *name;
    bench_run run;
    const char *formula;
} workload;

static const workload workloads[] = {
    {"documents", run_documents,
     "a step is 6 B T (4 H (E + H) + H^2) operations, B 4, T 10, E 50, H 50"},
    {"sst2", run_sst2,
     "a step is 6 B T (2 x 4 H (E + H) + (2H)^2) operations, B 32, T 32, E 128, H 128"},
    {"large", run_large,
     "a step is 6 B T (4 H (E + H) + H^2) operations, B 64, T 64, E 512, H 512"},
    {"encoder", run_encoder,
     "a step is 6 B T (4 D^2 + 2 D F + 2 T D) operations, F the feed-forward width"},
    {"infer", run_infer,
     "a sentence is 2 T (2 x 4 H (E + H) + (2H)^2) operations, T 20, E 128, H 128"},
    {"gemm", run_gemm,
     "a product is 2 M N K operations; M x K by K x N, n: not transposed, t: transposed; the time "
     "of "
     "squares includes packing, that of others only where the note says so"},
    {"attention", run_attention,
     "a pass is 12 T^2 N D operations: two products forward and four backward, N 4, D 64 "
     "(recomputed scores do not count)"},
    {"adam", run_adam,
     "no matrix products; ms a step, the whole run over its steps, spread of its tenths"},
    {"gru", run_gru,
     "3 gates (tg_lstm: 4): 3 x 2 B T H gates (I + H), forward and backward, no optimizer"},
    {"job", run_job, "no matrix products that count"},
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0], MAX_ROWS = 128, SHARE_OF_PEAK = 16 };

/* The rows for one thread, with which those for two threads are compared. */
static struct {
    char name[48];
    double ms, peak;
} singles[MAX_ROWS];
static int single_count;

bool bench_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    return false;
}

bool bench_good(const tg_tape *tape, const tg_params *params)
{
    const char *error = tape ? tg_tape_error(tape) : NULL;
    if (!error && params) error = tg_params_error(params);
    return error ? bench_fail("%s", error) : true;
}

/* The speedup of two threads over one, and that of the peak. */
static void add_gain(const bench *b, const char *name, double ms, double peak, char *text,
                     size_t size)
{
    if (b->threads == 1 && single_count < MAX_ROWS) {
        snprintf(singles[single_count].name, sizeof singles[0].name, "%s", name);
        singles[single_count].ms = ms;
        singles[single_count++].peak = peak;
    }
    for (int i = 0; b->threads > 1 && i < single_count; i++) {
        if (strcmp(singles[i].name, name) != 0) continue;
        const int used = snprintf(text, size, "x %.2f", singles[i].ms / ms);
        if (peak > 0 && singles[i].peak > 0 && used > 0 && (size_t)used < size)
            snprintf(text + used, size - (size_t)used, " (peak x %.2f)", peak / singles[i].peak);
    }
}

void bench_print(const bench *b, const char *name, timing time, double flops, double peak,
                 const char *note)
{
    char rate[32] = "-", share[32] = "-", gain[64] = "";
    const double gflops = flops / time.ms * 1e-6;
    if (flops > 0) snprintf(rate, sizeof rate, b->machine ? "%.4f" : "%.1f", gflops);
    if (flops > 0 && peak > 0) snprintf(share, sizeof share, "%.1f", 100 * gflops / peak);
    add_gain(b, name, time.ms, peak, gain, sizeof gain);
    if (b->machine)
        printf("%s\t%d\t%.6g\t%.2f\t%s\t%s\t%s\n", name, b->threads, time.ms, time.spread, rate,
               share, note && *note ? note : "-");
    else
        printf("%-18s%4d%13.*f%7.1f%10s%8s  %s%s%s\n", name, b->threads, time.ms < 10 ? 4 : 2,
               time.ms, time.spread, rate, share, gain, *gain && note ? "  " : "",
               note ? note : "");
    fflush(stdout);
}

bool bench_row(const bench *b, const char *name, double flops, timing_step step, void *state,
               const char *note)
{
    timing time;
    const double peak_before = flops > 0 ? bench_peak(b->threads, b->seconds / SHARE_OF_PEAK) : 0;
    if (!timing_measure(b->seconds, step, state, &time)) return false;
    const double peak_after = flops > 0 ? bench_peak(b->threads, b->seconds / SHARE_OF_PEAK) : 0;
    bench_print(b, name, time, flops, (peak_before + peak_after) / 2, note);
    return true;
}

static void print_head(const bench *b, int threads)
{
    printf("tapegrad %s, %s; fused multiply-adds in registers reach", TG_VERSION, tg_isa());
    for (int t = threads ? threads : 1; t <= (threads ? threads : 2) && t <= bench_threads(); t++)
        printf(" %.1f GFLOP/s on %d", bench_peak(t, b->seconds / 4), t);
    printf(" (threads)\n\n%-18s%4s%13s%7s%10s%8s\n", "workload", "thr.", "median ms", "IQR %",
           "GFLOP/s", "% peak");
}

static bool selected(const workload *w, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], w->name) == 0) return true;
    return count == 0;
}

static bool known(const char *name)
{
    for (int i = 0; i < WORKLOADS; i++)
        if (strcmp(name, workloads[i].name) == 0) return true;
    return false;
}

/* textclf is built in the folder of this program. */
static void find_programs(bench *b, const char *program)
{
    const char *slash = strrchr(program, '/');
    if (slash) snprintf(b->programs, sizeof b->programs, "%.*s", (int)(slash - program), program);
    else snprintf(b->programs, sizeof b->programs, ".");
}

static int usage(void)
{
    fprintf(stderr, "usage: bench [-s SECONDS] [-t 1|2] [-l LONGEST] [-n STEPS] [-m] "
                    "[WORKLOAD]...\nworkloads:");
    for (int i = 0; i < WORKLOADS; i++) fprintf(stderr, " %s", workloads[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    bench b = {.seconds = 2, .longest = 16384, .adam_steps = 1000};
    int only = 0, failures = 0;
    bool good = true;
    int option;
    while ((option = getopt(argc, argv, "s:t:l:n:m")) != -1) {
        if (option == 's') b.seconds = strtod(optarg, NULL);
        else if (option == 't') {
            only = atoi(optarg);
            good = good && (only == 1 || only == 2);
        } else if (option == 'l') b.longest = strtol(optarg, NULL, 10);
        else if (option == 'n') b.adam_steps = strtol(optarg, NULL, 10);
        else if (option == 'm') b.machine = true;
        else good = false;
    }
    good = good && b.seconds > 0 && b.longest >= 512 && b.adam_steps >= 1;
    for (int i = optind; i < argc; i++) good = good && known(argv[i]);
    if (!good) return usage();
    tg_set_allocator(bench_allocator);
    find_programs(&b, argv[0]);
    if (!b.machine) print_head(&b, only);
    for (int i = 0; i < WORKLOADS; i++) {
        if (!selected(&workloads[i], argc - optind, argv + optind)) continue;
        if (!b.machine) printf("\n%s: %s\n", workloads[i].name, workloads[i].formula);
        for (b.threads = only ? only : 1; b.threads <= (only ? only : 2); b.threads++) {
            if (b.threads > bench_threads()) {
                failures += only > 0;
                bench_fail("%s on %d threads: the machine has one processor, or there is no OpenMP",
                           workloads[i].name, b.threads);
                continue;
            }
            bench_set_threads(b.threads);
            if (!workloads[i].run(&b)) failures++;
        }
    }
    return failures ? 1 : 0;
}
