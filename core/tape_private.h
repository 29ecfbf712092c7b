/* What a tape consists of. Private: programs see core/tape.h. */
#ifndef TG_TAPE_PRIVATE_H
#define TG_TAPE_PRIVATE_H

#include "error.h"
#include "memory.h"
#include "op.h"

struct tg_tape {
    tg_arena arena;   /* tensors, nodes and saved memory, until the reset */
    tg_arena scratch; /* until the current call of an operator returns */
    tg_node *first, *last;
    int64_t length;
    bool training, recording, backward_done;
    struct tg_tape_scope {
        struct tg_tape_scope *outer;
        char path[TG_MAX_NAME];
    } * scope; /* the innermost scope that the program has open, in the arena; or NULL */

    /* Called after each pass of an operator; NULL unless anomaly detection is on
     * (inspect/anomaly.c). */
    void (*anomaly_hook)(tg_node *node, bool backward);
    char warning[320]; /* from anomaly detection; empty if there is none */
    tg_random random;
    tg_error error;
};

/* A tensor of the tape without data, and one with data that is not cleared. */
tg_tensor *tg_tensor_new(tg_tape *tape, int ndim, const int64_t *shape);
tg_tensor *tg_tensor_alloc(tg_tape *tape, int ndim, const int64_t *shape);

/* Memory for the gradient of any tensor, allocated at first use; see tg_input_grad_target. */
tg_real *tg_tensor_grad(tg_tape *tape, tg_tensor *tensor, bool *add);

#endif
