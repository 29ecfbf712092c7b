/* Where the first NaN or infinity began, and what is likely a mistake. */
#include "graph.h"
#include "inspect.h"

enum { MANY_PASSES = 1000 };

/* The place of the first number that is none, or -1. */
static int64_t first_nonfinite(const tg_real *data, int64_t size, bool infinity_too)
{
    for (int64_t i = 0; data && i < size; i++)
        if (infinity_too ? !(data[i] - data[i] == 0) : data[i] != data[i]) return i;
    return -1;
}

/* In a forward pass nothing reads the operator yet. */
static tg_shape_string scope_of(const tg_node *node)
{
    tg_graph graph;
    if (!node->tape->backward_done || !tg_graph_of(&graph, node->tape))
        return tg_graph_own_scope(node);
    const tg_shape_string text = tg_graph_scope(&graph, node->number);
    tg_free(graph.rows);
    return text;
}

static void report_nonfinite(tg_node *node, const char *what, const tg_tensor *tensor,
                             const tg_real *data, int64_t at)
{
    int64_t place[TG_MAX_DIMS];
    for (int64_t d = tensor->ndim, rest = at; d-- > 0; rest /= tensor->shape[d])
        place[d] = rest % tensor->shape[d];
    tg_node_fail(node, "%s %s is %g at %s (operator %lld, scope \"%s\")", what,
                 tg_tensor_text(node, tensor), (double)data[at],
                 tg_shape_text(node, tensor->ndim, place), (long long)node->number,
                 scope_of(node).text);
}

/* Whether every row of the last axis lies in 0 .. 1 and has the sum 1, as no logits do. */
static bool like_probabilities(const tg_tensor *x)
{
    const int64_t width = x->ndim ? x->shape[x->ndim - 1] : 0;
    double sum = 0;
    for (int64_t i = 0; width > 1 && i < x->size; i++) {
        if (!(x->data[i] >= 0 && x->data[i] <= 1)) return false;
        sum += (double)x->data[i];
        if (i % width == width - 1 && fabs(sum - (double)(i / width + 1)) > 1e-3) return false;
    }
    return width > 1 && x->size > 0;
}

static void warn(tg_tape *tape, const char *format, const char *name, const char *text)
{
    if (!tape->warning[0]) snprintf(tape->warning, sizeof tape->warning, format, name, text);
}

static void watch_result(tg_node *node, const tg_tensor *y)
{
    const int64_t at = first_nonfinite(y->data, y->size, !node->op->may_be_infinite);
    if (at >= 0) report_nonfinite(node, "the result", y, y->data, at);
}

static void watch_gradient(tg_node *node, tg_tensor *x)
{
    const int64_t at = first_nonfinite(x->grad, x->size, true);
    if (at >= 0)
        report_nonfinite(node,
                         x->params ? "the gradient of a parameter" : "the gradient of an input", x,
                         x->grad, at);
    if (x->params && ++((tg_param_entry *)x)->added > MANY_PASSES)
        warn(node->tape,
             "the gradient of %s was added to %s times without a step: clear it by "
             "tg_params_zero_grad, if that was "
             "not the intention",
             x->name, "1000");
}

static void watch(tg_node *node, bool backward)
{
    for (int k = 0; !backward && k < node->n_outputs; k++) watch_result(node, node->outputs[k]);
    for (int i = 0; backward && i < node->n_inputs; i++)
        if (node->inputs[i] && node->inputs[i]->has_grad) watch_gradient(node, node->inputs[i]);
    if (!backward && strcmp(node->op->name, "cross_entropy") == 0 &&
        like_probabilities(node->inputs[0]))
        warn(node->tape,
             "%s: the rows of its input %s lie in 0 .. 1 and have the sum 1: they look like "
             "probabilities, and it wants "
             "logits",
             node->op->name, tg_tensor_text(node, node->inputs[0]));
}

void tg_tape_detect_anomaly(tg_tape *tape, bool on)
{
    if (tape) tape->watch = on ? watch : NULL;
}

const char *tg_tape_warning(const tg_tape *tape)
{
    return tape && tape->warning[0] ? tape->warning : NULL;
}
