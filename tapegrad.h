/* tapegrad: a tiny neural-network framework around a tape that you can read. This is the one header
 * that a program includes.
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
 * A program creates and frees two kinds of things: a tg_params, which owns every parameter, and a
 * tg_tape, which owns everything that operators make. Layers are plain structs of pointers into a
 * tg_params. Calls after an error do nothing, so one check per step is enough.
 *
 * These rules hold for every function whose own comment does not say otherwise:
 *
 * - Shapes are written [B, T, E], with the letters of base.h. Tensors are contiguous and row-major.
 * - Ownership. A returned tensor belongs to the tape that was passed, until tg_tape_reset or
 *   tg_tape_free; a parameter belongs to its tg_params. A returned text belongs to the object that
 *   was asked, until the next call on it. Arguments stay the caller's: arrays, views and texts are
 *   read during the call, and copied if they are needed later.
 * - Errors. No function prints, exits or aborts. The first error stays with the tape or, for a
 *   function without a tape, with the tg_params (tg_tape_error, tg_params_error). It names the
 *   operator or the parameter and the shapes and sizes at fault. That call and all later ones
 *   return NULL or false. Functions accept a NULL tape, tg_params or tensor and then do nothing, so
 *   calls can be chained. Shapes that do not fit and lack of memory are errors everywhere; the
 *   comments do not repeat this.
 * - Threads. One thread at a time uses a tape. Tapes on several threads may read one tg_params at
 *   the same time. Whatever writes parameters, their gradients or their optimizer state must be
 *   alone with it: tg_backward, optimizer steps, clipping, a layer's init, loading and saving.
 *   Inside a call the library uses OpenMP's threads by itself.
 *
 * The headers, in the order of a first reading: */
#ifndef TAPEGRAD_H
#define TAPEGRAD_H

#include "core/base.h"   /* the number type, sizes, the allocator */
#include "core/tensor.h" /* tensors; views of integers and masks */
#include "core/tape.h"   /* the tape, its modes and errors, tg_backward */
#include "core/ops.h"    /* the operators */
#include "core/params.h" /* parameters and their files */
#include "layers/linear.h"
#include "layers/embedding.h"
#include "layers/lstm.h"
#include "layers/attention.h"
#include "layers/transformer.h"
#include "layers/layer_norm.h"
#include "layers/dropout.h"
#include "optim/optim.h"         /* SGD, Adam, AdamW, clipping, learning rates */
#include "core/op.h"             /* an operator of your own */
#include "core/compute.h"        /* fast products and loops for its passes */
#include "core/shape.h"          /* sizes and texts of shapes */
#include "inspect/gradcheck.h"   /* is its gradient right? */
#include "inspect/check_layer.h" /* is a layer right? */
#include "inspect/inspect.h"     /* the tape in words and as a graph; where a NaN began */
#include "core/random.h"         /* the generator */

#endif
