#include "ranks.h"

#include <fcntl.h>
#include <limits.h>
#include <mpi.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int tc_rank, tc_ranks = 1;
static int own_stderr;
static bool training; /* all processes have passed tc_ranks_agree */

void tc_ranks_begin(void)
{
    int level; /* of thread support; only the first thread calls MPI */
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &tc_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &tc_ranks);
    if (!tc_rank) return;
    const int null_device = open("/dev/null", O_WRONLY);
    own_stderr = dup(STDERR_FILENO);
    dup2(null_device, STDOUT_FILENO);
    dup2(null_device, STDERR_FILENO);
}

/* Before training, all processes check the same options and data; here they exchange the result.
 * The first process that failed reports the error and ends the others, which wait for that. */
static void synchronize(bool failed)
{
    int first = failed ? tc_rank : tc_ranks;
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (first < tc_ranks && first != tc_rank) MPI_Barrier(MPI_COMM_WORLD);
}

bool tc_ranks_agree(const char *settings)
{
    synchronize(false);
    training = true;
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (const char *c = settings; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    uint64_t first = hash;
    MPI_Bcast(&first, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return hash == first ||
           ex_fail(
               "process %d differs from process 0 in its options, its data or its instruction set",
               tc_rank);
}

double tc_ranks_share(tc_batch *batch, const tg_real *class_weights)
{
    const int64_t rows = batch->rows;
    const int32_t from = (int32_t)(rows * tc_rank / tc_ranks),
                  to = (int32_t)(rows * (tc_rank + 1) / tc_ranks);
    double all = 0, mine = 0;
    for (int32_t b = 0; b < rows; b++) {
        const double weight = class_weights ? (double)class_weights[batch->labels[b]] : 1;
        all += weight;
        if (b >= from && b < to) mine += weight;
    }
    batch->tokens += (int64_t)from * batch->time;
    batch->lengths += from;
    batch->labels += from;
    batch->index += from;
    batch->rows = to > from ? to - from : 1;
    return mine / all;
}

bool tc_ranks_add(tg_params *params, double share, double *loss, bool *stop)
{
    static tg_real *sums;
    int64_t n = 0, at = 0;
    for (tg_grad_piece g = {0}; tg_grad_next(params, &g);) n += g.size;
    if (n > INT_MAX - 2)
        return ex_fail("%lld gradients do not fit in one MPI message", (long long)n);
    tg_real *larger = ex_allocate(sums, (size_t)n + 2, sizeof *sums);
    if (!larger) return false;
    sums = larger;
    for (tg_grad_piece g = {0}; tg_grad_next(params, &g);) {
        for (int64_t i = 0; i < g.size; i++) sums[at++] = (tg_real)share * g.grad[i];
    }
    sums[n] = (tg_real)(share * *loss);
    sums[n + 1] = *stop;
    MPI_Allreduce(MPI_IN_PLACE, sums, (int)n + 2, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    at = 0;
    for (tg_grad_piece g = {0}; tg_grad_next(params, &g); at += g.size)
        memcpy(g.grad, sums + at, (size_t)g.size * sizeof *sums);
    *loss = (double)sums[n];
    *stop = sums[n + 1] > 0;
    return true;
}

int tc_ranks_end(int status)
{
    int joined;
    MPI_Initialized(&joined);
    if (joined && !training) synchronize(status == 1);
    if (tc_rank && ex_failure()) {
        if (training) sleep(1); /* process 0 reports an error that all have, and ends the others */
        dup2(own_stderr, STDERR_FILENO);
    }
    status = ex_end("textclf", status, NULL);
    if (joined && status == 1) MPI_Abort(MPI_COMM_WORLD, status);
    if (joined) MPI_Finalize();
    return status;
}
