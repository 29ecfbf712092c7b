#include "ranks.h"

#include <fcntl.h>
#include <limits.h>
#include <mpi.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int tc_rank, tc_ranks = 1;
static int own_stderr;
static bool training; /* all have come through tc_ranks_agree */

void tc_ranks_begin(void)
{
    int level; /* of threads: MPI is called by the first alone */
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &tc_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &tc_ranks);
    if (!tc_rank) return;
    const int nowhere = open("/dev/null", O_WRONLY);
    own_stderr = dup(STDERR_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
}

/* Before a training all of them look at the same options and data: here they tell each other what came of it. Of those that failed
 * the first says why and ends the others, which wait for that. */
static void meet(bool failed)
{
    int first = failed ? tc_rank : tc_ranks;
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (first < tc_ranks && first != tc_rank) MPI_Barrier(MPI_COMM_WORLD);
}

bool tc_ranks_agree(const char *plan)
{
    meet(false);
    training = true;
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (const char *c = plan; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    uint64_t first = hash;
    MPI_Bcast(&first, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return hash == first ||
           ex_fail(
               "process %d has other options, other data or another instruction set than process 0",
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
        return ex_fail("%lld gradients are more than one message holds", (long long)n);
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
    if (joined && !training) meet(status == 1);
    if (tc_rank && ex_failure()) {
        if (training)
            sleep(1); /* what all of them find process 0 says, and ends the others meanwhile */
        dup2(own_stderr, STDERR_FILENO);
    }
    status = ex_end("textclf", status, NULL);
    if (joined && status == 1) MPI_Abort(MPI_COMM_WORLD, status);
    if (joined) MPI_Finalize();
    return status;
}
