/* One model, trained by several processes at once: mpirun -n 4 textclf train .. Each goes through its share of every batch, and their
 * gradients are added up before the step, so that all take the same step and hold the same weights. Process 0 alone prints and writes
 * files. Without MPI (meson's option mpi) there is one process, and nothing of this is left. */
#ifndef TC_RANKS_H
#define TC_RANKS_H

#include "../support/failure.h"
#include "batch.h"

#ifdef TC_MPI

extern int tc_rank, tc_ranks; /* number of this process, and how many there are */

/* Joins the other processes. What any but process 0 prints from now on goes nowhere. */
void tc_ranks_begin(void);

/* False after ex_fail: this process's plan is not that of process 0. All call it. */
bool tc_ranks_agree(const char *plan);

/* Leaves of a batch this process's share, a row at least, and returns what that counts in the whole, 0 .. 1: rows weigh as their
 * labels do (NULL: all alike). */
double tc_ranks_share(tc_batch *batch, const tg_real *class_weights);

/* Adds up what all processes have, as much as it counts: gradients and loss; and whether one of them wants to stop. All call it.
 * False after ex_fail. */
bool tc_ranks_add(tg_params *params, double share, double *loss, bool *stop);

/* ex_end, in place of it. A process that failed ends all others, which cannot go on without it. */
int tc_ranks_end(int status);

#else

enum { tc_rank = 0, tc_ranks = 1 };
#define tc_ranks_begin() ((void)0)
#define tc_ranks_agree(plan) true
#define tc_ranks_share(batch, class_weights) 1.0
#define tc_ranks_add(params, share, loss, stop) ((void)(share), true)
#define tc_ranks_end(status) ex_end("textclf", status, NULL)

#endif
#endif
