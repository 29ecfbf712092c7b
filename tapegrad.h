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
 * a step is enough.
 *
 * What holds of every function whose own lines do not say otherwise:
 *
 * - **Shapes** are written [B, T, E], with the letters of base.h. Tensors are contiguous and row-major.
 * - **Ownership.** A tensor that is returned belongs to the tape that was passed, and is good until tg_tape_reset or
 *   tg_tape_free; a parameter belongs to its tg_params. A text that is returned belongs to the one who was asked, and is
 *   good until the next call on it. What is passed stays the caller's: arrays, views and texts are read during the call,
 *   and copied where they are needed later.
 * - **Errors** never print, exit or abort. The first one stays with the tape or, of a function without a tape, with the
 *   tg_params (tg_tape_error, tg_params_error), and names the operator or the parameter, the shapes and the sizes at fault.
 *   NULL or false is returned then and by all later calls. A NULL tape, tg_params or tensor is taken and does nothing, so
 *   that calls can be strung together. Shapes that do not fit and want of memory are errors everywhere, and not mentioned
 *   again.
 * - **Threads.** A tape is used by one thread at a time. Tapes of several threads may read the same tg_params at once;
 *   whoever writes parameters, their gradients or what is kept beside them must be alone with it: tg_backward, the steps
 *   and clipping of optimizers, a layer's init, loading and saving. Inside a call the library uses OpenMP's threads by
 *   itself.
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
