/* The tape as a table. */
#include <stdio.h>
#include <math.h>
#include <string.h>

#include "../core/tape_private.h"
#include "graph.h"
#include "inspect.h"

enum { INPUTS_WIDTH = 26 }; /* of a column, in characters */

typedef struct text {
    char text[192];
} text;

/* 1536 as "1.5K" with a `unit` of 1024. */
static text short_number(double number, double unit)
{
    static const char letters[] = " KMGTP";
    text t;
    int power = 0;
    for (; number >= 999.5 && letters[power + 1]; power++) number /= unit;
    snprintf(t.text, sizeof t.text, power && number < 9.95 ? "%.1f%c" : "%.0f%c", number,
             letters[power]);
    return t;
}

/* "-0.31 .. 2.4", or the number of values that are not finite. */
static text range_of(const tg_real *data, int64_t size)
{
    text t = {"-"};
    double min = (double)INFINITY, max = -min;
    int64_t nonfinite = 0;
    for (int64_t i = 0; data && i < size; i++) {
        const double x = (double)data[i];
        if (!isfinite(x)) {
            nonfinite++;
            continue;
        }
        min = fmin(min, x);
        max = fmax(max, x);
    }
    if (nonfinite) snprintf(t.text, sizeof t.text, "%lld not finite", (long long)nonfinite);
    else if (min <= max) snprintf(t.text, sizeof t.text, "%.3g .. %.3g", min, max);
    return t;
}

/* "#3" for the result of operator 3, the last part of a parameter's name, or a constant's shape. */
static text input_text(const tg_tensor *input)
{
    text t = {""};
    const char *dot = input->name ? strrchr(input->name, '.') : NULL;
    if (input->params) snprintf(t.text, sizeof t.text, "%s", dot ? dot + 1 : input->name);
    else if (input->node) snprintf(t.text, sizeof t.text, "#%lld", (long long)input->node->number);
    else snprintf(t.text, sizeof t.text, "%s", tg_shape_str(input->ndim, input->shape).text);
    return t;
}

/* As many of them as fit into the column. */
static text inputs_of(const tg_node *node)
{
    text t = {""};
    for (int i = 0; i < node->n_inputs; i++) {
        const size_t used = strlen(t.text);
        if (!node->inputs[i]) continue;
        const text input = input_text(node->inputs[i]);
        if (used && used + strlen(input.text) + 2 > INPUTS_WIDTH - 3) {
            strcat(t.text, " ..");
            break;
        }
        snprintf(t.text + used, sizeof t.text - used, "%s%s", used ? ", " : "", input.text);
    }
    return t;
}

typedef struct sums {
    double bytes, flops;
} sums;

static void print_row(const tg_graph *graph, int64_t i, sums *all, FILE *stream)
{
    const tg_node *node = graph->rows[i].node;
    const double flops = node->op->flops ? node->op->flops(node) : 0;
    all->flops += flops;
    for (int k = 0; k < node->n_outputs; k++) {
        const tg_tensor *y = node->outputs[k];
        const bool view = node->n_inputs && node->inputs[0] && y->data == node->inputs[0]->data;
        const double bytes = view ? 0 : (double)y->size * sizeof *y->data;
        all->bytes += bytes;
        if (k) fprintf(stream, "%5s %-20s %-26s", "", "", "");
        else
            fprintf(stream, "%5lld %-20s %-26s", (long long)i, node->op->name,
                    tg_graph_scope(graph, i).text);
        fprintf(stream, " %-18s %-*s %6s %6s  %-18s  %s\n", tg_shape_str(y->ndim, y->shape).text,
                INPUTS_WIDTH, k ? "" : inputs_of(node).text, short_number(bytes, 1024).text,
                k || !node->op->flops ? "-" : short_number(flops, 1000).text,
                range_of(y->data, y->size).text,
                range_of(y->has_grad ? y->grad : NULL, y->size).text);
    }
}

bool tg_tape_print(tg_tape *tape, FILE *stream)
{
    tg_graph graph;
    sums all = {0, 0};
    if (!tape) return false;
    if (!tg_graph_of(&graph, tape))
        return tg_fail(&tape->error, "out of memory: %zu bytes to print the tape",
                       (size_t)graph.count * sizeof *graph.rows);
    fprintf(stream, "%5s %-20s %-26s %-18s %-*s %6s %6s  %-18s  %s\n", "#", "operator", "scope",
            "result", INPUTS_WIDTH, "inputs", "bytes", "FLOPs", "values", "gradients");
    for (int64_t i = 0; i < graph.count; i++) print_row(&graph, i, &all, stream);
    fprintf(stream,
            "%lld operators, %sB of results, %sB of the tape in use, %sFLOPs in the forward pass\n",
            (long long)graph.count, short_number(all.bytes, 1024).text,
            short_number((double)tape->arena.used, 1024).text, short_number(all.flops, 1000).text);
    tg_free(graph.rows);
    return !ferror(stream);
}
