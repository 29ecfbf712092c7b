/* tapegrad: a tiny neural-network framework round a tape that you can read. This is the one header to include.
 *
 * A training step reads like its mathematics:
 *
 *     tg_tensor *x = tg_embedding_forward(tape, &words, tokens);                          [B, T, E]
 *     tg_tensor *h = tg_lstm_forward(tape, &encoder, x, lengths);                         [B, T, H]
 *     tg_tensor *c = tg_additive_attention_forward(tape, &attention, h, lengths, NULL);   [B, H]
 *     tg_tensor *loss = tg_cross_entropy(tape, tg_linear_forward(tape, &classify, c), labels);
 *     tg_backward(tape, loss);
 *     tg_clip_grad_norm(params, 5);
 *     tg_adam_step(&adam, params);
 *     if (tg_tape_error(tape) || tg_params_error(params)) ...
 *     tg_tape_reset(tape);
 *
 * Two things are made and freed: a tg_params, which owns every parameter, and a tg_tape, which owns everything that an
 * operator makes. Layers are plain structs of pointers into a tg_params. Calls after an error do nothing, so that one check
 * a step is enough. In the order of a first reading: */
#ifndef TAPEGRAD_H
#define TAPEGRAD_H

#include "core/base.h"      /* the number type, sizes, the allocator */
#include "core/tensor.h"    /* tensors; views of integers and masks */
#include "core/tape.h"      /* the tape, its modes and errors, tg_backward */
#include "core/ops.h"       /* the operators */
#include "core/params.h"    /* parameters and their files */
#include "layers/linear.h"
#include "layers/embedding.h"
#include "layers/lstm.h"
#include "layers/attention.h"
#include "layers/transformer.h"
#include "layers/layer_norm.h"
#include "layers/dropout.h"
#include "optim/optim.h"    /* SGD, Adam, AdamW, clipping, learning rates */
#include "core/op.h"        /* an operator of one's own */
#include "inspect/gradcheck.h" /* is its gradient right? */
#include "inspect/check_layer.h" /* is a layer right? */
#include "inspect/inspect.h"   /* the tape in words and as a graph; where a NaN began */
#include "core/random.h"    /* the generator */

#endif
