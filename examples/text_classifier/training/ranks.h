/* Trains one model by several MPI processes: mpirun -n 4 textclf train ... Each process computes
 * the gradients of its share of every batch. The sum of all gradients is taken before the step,
 * so all processes take the same step and have the same weights. Only process 0 prints and writes
 * files. Without MPI (meson's option mpi) there is one process and these functions do nothing. */
#ifndef TC_RANKS_H
#define TC_RANKS_H

#include "../../support/failure.h"
#include "../data/batch.h"

#ifdef TC_MPI

extern int tc_rank, tc_ranks; /* the number of this process, from 0; the number of processes */

/* Joins the other processes. From now on the output of all processes but process 0 is discarded. */
void tc_ranks_begin(void);

/* Checks that all processes have the same settings, given as JSON. All processes must call it.
 * Returns false after ex_fail if this process differs from process 0. */
bool tc_ranks_agree(const char *settings);

/* Reduces a batch to this process's share, at least one row. Returns the share's weight in the
 * batch, 0 to 1: the rows have the weights of their labels, or equal weights if class_weights is
 * NULL. */
double tc_ranks_share(tc_batch *batch, const tg_real *class_weights);

/* Sums gradients and loss over all processes, weighted by their shares; *stop becomes true if it
 * is true in one of them. All processes must call it. Returns false after ex_fail. */
bool tc_ranks_add(tg_params *params, double share, double *loss, bool *stop);

/* Replaces ex_end. A process that failed ends all others, which cannot continue without it. */
int tc_ranks_end(int status);

#else

enum { tc_rank = 0, tc_ranks = 1 };
#define tc_ranks_begin() ((void)0)
#define tc_ranks_agree(settings) true
#define tc_ranks_share(batch, class_weights) 1.0
#define tc_ranks_add(params, share, loss, stop) ((void)(share), true)
#define tc_ranks_end(status) ex_end("textclf", status, NULL)

#endif
#endif
