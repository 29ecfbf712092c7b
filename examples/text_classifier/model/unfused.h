/* The classifier's forward pass once more, of operators that can be followed one by one: what tc_model_forward does in
 * evaluation, with no fused operator, and with names and scopes for the stepper. */
#ifndef TC_UNFUSED_H
#define TC_UNFUSED_H

#include "model.h"
#include "../../stepper/stepper.h"

/* The logits [1, C] of a batch of one text, which has words; NULL after an error on the tape. */
tg_tensor *tc_unfused_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch,
                              stepper *page);

#endif
