/* The tape as a graph for Graphviz. */
#include <stdio.h>
#include <string.h>

#include "../core/tape_private.h"
#include "graph.h"
#include "inspect.h"

enum { MAX_PERIOD = 64, MIN_REPEATS = 3 }; /* of operators that are drawn once */

static const char HEADER[] =
    "strict digraph tape {\n"
    "  graph [fontname=\"sans-serif\", fontsize=11, fontcolor=\"#555555\", color=\"#bbbbbb\", "
    "style=rounded, labeljust=l];\n"
    "  node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#7a8fa6\", "
    "fontname=\"sans-serif\", fontsize=11];\n"
    "  edge [color=\"#555555\", arrowsize=0.7];\n";

/* Whether two operators of one kind have equal shapes and scopes. */
static bool equal(const tg_graph *graph, int64_t a, int64_t b)
{
    const tg_node *x = graph->rows[a].node, *y = graph->rows[b].node;
    return x->op == y->op && x->n_inputs == y->n_inputs &&
           x->outputs[0]->ndim == y->outputs[0]->ndim &&
           tg_has_shape(x->outputs[0], y->outputs[0]->ndim, y->outputs[0]->shape) &&
           strcmp(tg_graph_scope(graph, a).text, tg_graph_scope(graph, b).text) == 0;
}

/* How many times in a row the group of `period` operators stands that begins at `at`. */
static int64_t repeats(const tg_graph *graph, int64_t at, int64_t period)
{
    int64_t same = 0;
    while (at + same + period < graph->count && equal(graph, at + same, at + same + period)) same++;
    return 1 + same / period;
}

/* drawn[i]: the operator that is drawn in place of operator i. times[i]: how often its group
 * repeats. The longest repetition from each operator on wins. */
static void fold(const tg_graph *graph, int64_t *drawn, int64_t *times)
{
    for (int64_t at = 0; at < graph->count;) {
        int64_t period = 1, best = 1;
        for (int64_t p = 1; p <= MAX_PERIOD && at + p < graph->count; p++) {
            const int64_t n = repeats(graph, at, p);
            if (n < MIN_REPEATS || n * p <= best * period) continue;
            best = n;
            period = p;
        }
        for (int64_t i = 0; i < best * period; i++) {
            drawn[at + i] = at + i % period;
            times[at + i] = best;
        }
        at += best * period;
    }
}

/* Writes at most `length` bytes of a text, escaped for a label and for a quoted string. */
static void put(FILE *stream, const char *text, size_t length)
{
    for (size_t i = 0; i < length && text[i]; i++) {
        if (strchr("&<>\"\\", text[i])) fprintf(stream, "&#%d;", text[i]);
        else fputc(text[i], stream);
    }
}

/* Opens a cluster for each part of the scope, one inside the other; returns their number. Graphviz
 * joins clusters of one name. */
static int open_clusters(const char *scope, FILE *stream)
{
    int depth = 0;
    for (const char *at = scope; *at; depth++) {
        const char *end = at + strcspn(at, "/");
        fprintf(stream, "  subgraph \"cluster_");
        put(stream, scope, (size_t)(end - scope));
        fprintf(stream, "\" { label=<<b>");
        put(stream, at, (size_t)(end - at));
        fprintf(stream, "</b>>;");
        at = *end ? end + 1 : end;
    }
    return depth;
}

/* Writes an operator with its shape and the parameters that it reads, whose names go on where the
 * scope ends. */
static void draw_operator(const tg_graph *graph, int64_t i, int64_t times, FILE *stream)
{
    const tg_node *node = graph->rows[i].node;
    const tg_tensor *y = node->outputs[0];
    const int scope_length = graph->rows[i].scope.length;
    int depth = open_clusters(tg_graph_scope(graph, i).text, stream);
    fprintf(stream, "  n%lld [label=<<b>", (long long)i);
    put(stream, node->op->name, SIZE_MAX);
    fprintf(stream, "</b><br/>%s", tg_shape_str(y->ndim, y->shape).text);
    if (times > 1) fprintf(stream, "<br/>%lld times", (long long)times);
    for (int k = 0; k < node->n_inputs; k++) {
        const tg_tensor *input = node->inputs[k];
        if (!input || !input->params) continue;
        fprintf(stream, "<br/><font point-size=\"9\" color=\"#555555\">");
        put(stream, input->name + scope_length + (input->name[scope_length] == '.'), SIZE_MAX);
        fprintf(stream, " %s</font>", tg_shape_str(input->ndim, input->shape).text);
    }
    fprintf(stream, ">%s];", y->has_grad ? ", fillcolor=\"#dbe9f6\"" : "");
    while (depth--) fprintf(stream, " }");
    fprintf(stream, "\n");
}

/* Operators drawn as one repeat an edge; in a "strict" graph, Graphviz draws it once. An edge from
 * one repetition to the next runs backward and is dashed. */
static void draw_edges(const tg_graph *graph, const int64_t *drawn, FILE *stream)
{
    for (int64_t i = 0; i < graph->count; i++) {
        const tg_node *node = graph->rows[i].node;
        for (int k = 0; k < node->n_inputs; k++) {
            const tg_tensor *input = node->inputs[k];
            if (!input || !input->node) continue;
            const int64_t from = drawn[input->node->number];
            const char *style = from >= drawn[i] ? " [style=dashed, constraint=false]" : "";
            fprintf(stream, "  n%lld -> n%lld%s;\n", (long long)from, (long long)drawn[i], style);
        }
    }
}

bool tg_tape_write_dot(tg_tape *tape, FILE *stream)
{
    tg_graph graph;
    if (!tape) return false;
    const size_t bytes = (size_t)(2 * tape->length + 1) * sizeof(int64_t);
    int64_t *drawn = tg_graph_of(&graph, tape) ? tg_realloc(NULL, bytes) : NULL;
    if (!drawn) {
        tg_free(graph.rows);
        return tg_fail(&tape->error, "out of memory: %zu bytes to draw the tape",
                       graph.rows ? bytes : (size_t)graph.count * sizeof *graph.rows);
    }
    const int64_t *times = drawn + graph.count;
    fold(&graph, drawn, drawn + graph.count);
    fputs(HEADER, stream);
    for (int64_t i = 0; i < graph.count; i++)
        if (drawn[i] == i) draw_operator(&graph, i, times[i], stream);
    draw_edges(&graph, drawn, stream);
    fprintf(stream, "}\n");
    tg_free(graph.rows);
    tg_free(drawn);
    return !ferror(stream);
}
