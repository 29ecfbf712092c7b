/* Anomaly detection: the first NaN or infinity is an error, a likely mistake a warning.
 * core/op.c and core/tape.c call the tape's anomaly_hook after each forward and backward
 * pass of an operator. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../core/params_private.h"
#include "../core/tape_private.h"
#include "graph.h"
#include "inspect.h"

enum { MAX_BACKWARD_PASSES = 1000 };

/* Position of the first NaN, or also infinity; -1 if there is none. An infinity minus itself is
 * NaN. */
static int64_t first_nonfinite(const tg_real *data, int64_t size, bool infinity_too)
{
    for (int64_t i = 0; data && i < size; i++)
        if (infinity_too ? !(data[i] - data[i] == 0) : data[i] != data[i]) return i;
    return -1;
}

/* In a forward pass no operator reads the results yet, so the scope of the readers is unknown. */
static tg_shape_string scope_of(const tg_node *node)
{
    tg_graph graph;
    if (!node->tape->backward_done || !tg_graph_of(&graph, node->tape))
        return tg_graph_own_scope(node);
    const tg_shape_string text = tg_graph_scope(&graph, node->number);
    tg_free(graph.rows);
    return text;
}

static const char *hint_of(const tg_node *node)
{
    return node->op->anomaly_hint ? node->op->anomaly_hint(node) : NULL;
}

static void report_nonfinite(tg_node *node, const char *what, const tg_tensor *tensor,
                             const tg_real *data, int64_t at)
{
    int64_t position[TG_MAX_DIMS];
    for (int64_t d = tensor->ndim, rest = at; d-- > 0; rest /= tensor->shape[d])
        position[d] = rest % tensor->shape[d];
    const char *hint = hint_of(node);
    tg_node_fail(node, "%s %s is %g at %s (operator %lld, scope \"%s\")%s%s", what,
                 tg_tensor_str(tensor).text, (double)data[at],
                 tg_shape_str(tensor->ndim, position).text, (long long)node->number,
                 scope_of(node).text, hint ? ": " : "", hint ? hint : "");
}

static void check_results(tg_node *node)
{
    tg_tape *tape = node->tape;
    for (int k = 0; k < node->n_outputs; k++) {
        const tg_tensor *y = node->outputs[k];
        const int64_t at = first_nonfinite(y->data, y->size, !node->op->may_be_infinite);
        if (at >= 0) {
            report_nonfinite(node, "the result", y, y->data, at);
            return;
        }
    }
    const char *hint = tape->warning[0] ? NULL : hint_of(node);
    if (hint)
        snprintf(tape->warning, sizeof tape->warning, "%s (operator %lld, scope \"%s\"): %s",
                 node->op->name, (long long)node->number, scope_of(node).text, hint);
}

/* A gradient that many backward passes add to and no step uses grows without limit. */
static void count_backward_pass(tg_tape *tape, tg_param_entry *entry)
{
    entry->backward_passes++;
    if (entry->backward_passes > MAX_BACKWARD_PASSES && !tape->warning[0])
        snprintf(tape->warning, sizeof tape->warning,
                 "%d backward passes added to the gradient of %s without a step: call an optimizer "
                 "or tg_params_zero_grad after each",
                 MAX_BACKWARD_PASSES, entry->name);
}

static void check_gradients(tg_node *node)
{
    for (int i = 0; i < node->n_inputs; i++) {
        tg_tensor *x = node->inputs[i];
        if (!x || !x->has_grad) continue;
        const int64_t at = first_nonfinite(x->grad, x->size, true);
        if (at >= 0)
            report_nonfinite(node,
                             x->params ? "the gradient of a parameter" : "the gradient of an input",
                             x, x->grad, at);
        if (x->params) count_backward_pass(node->tape, (tg_param_entry *)x);
    }
}

static void detect_anomaly(tg_node *node, bool backward)
{
    if (backward) check_gradients(node);
    else check_results(node);
}

void tg_tape_detect_anomaly(tg_tape *tape, bool on)
{
    if (tape) tape->anomaly_hook = on ? detect_anomaly : NULL;
}

const char *tg_tape_warning(const tg_tape *tape)
{
    return tape && tape->warning[0] ? tape->warning : NULL;
}
