/* The model's forward pass in single operators: the same as tc_model_forward in evaluation,
 * without fused operators, and with names and scopes for the stepper. */
#ifndef TC_UNFUSED_H
#define TC_UNFUSED_H

#include "../../stepper/stepper.h"
#include "model.h"

/* Returns the logits [1, C] of a batch of one text, which must have words; NULL after an error on
 * the tape. */
tg_tensor *tc_unfused_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch,
                              stepper *page);

#endif
