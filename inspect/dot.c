/* The tape as a graph for Graphviz. */
#include "graph.h"
#include "inspect.h"

enum { LONGEST_PERIOD = 64, MIN_REPEATS = 3 };

/* Whether two operators do the same to the same shapes in the same scope. */
static bool alike(const tg_graph *graph, int64_t a, int64_t b)
{
    const tg_node *x = graph->rows[a].node, *y = graph->rows[b].node;
    return x->op == y->op && x->n_inputs == y->n_inputs &&
           x->outputs[0]->ndim == y->outputs[0]->ndim &&
           tg_has_shape(x->outputs[0], y->outputs[0]->ndim, y->outputs[0]->shape) &&
           strcmp(tg_graph_scope(graph, a).text, tg_graph_scope(graph, b).text) == 0;
}

/* How often the `period` operators from `at` on are repeated, one group after the other. */
static int64_t repeats(const tg_graph *graph, int64_t at, int64_t period)
{
    int64_t same = 0;
    while (at + same + period < graph->count && alike(graph, at + same, at + same + period)) same++;
    return 1 + same / period;
}

/* For each operator the one that is drawn in its place, and of those that stand for others how often they do. */
static void fold(const tg_graph *graph, int64_t *drawn, int64_t *times)
{
    for (int64_t at = 0; at < graph->count;) {
        int64_t period = 1, best = 1;
        for (int64_t p = 1; p <= LONGEST_PERIOD && at + p < graph->count; p++) {
            const int64_t n = repeats(graph, at, p);
            if (n >= MIN_REPEATS && n * p > best * period) best = n, period = p;
        }
        for (int64_t i = 0; i < best * period; i++) {
            drawn[at + i] = at + i % period;
            times[at + i] = best;
        }
        at += best * period;
    }
}

/* The first `length` bytes of a text, fit for a label of Graphviz's and for a string between quotes. */
static void put(FILE *stream, const char *text, size_t length)
{
    for (size_t i = 0; i < length && text[i]; i++) {
        if (strchr("&<>\"\\", text[i])) fprintf(stream, "&#%d;", text[i]);
        else fputc(text[i], stream);
    }
}

/* Clusters open and close as the scope changes from one operator to the next; they nest by the parts of its name. */
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

/* An operator with its shape and, by the part of their names that the scope leaves open, the parameters that it reads. */
static void draw_operator(const tg_graph *graph, int64_t i, int64_t times, FILE *stream)
{
    const tg_node *node = graph->rows[i].node;
    const tg_tensor *y = node->outputs[0];
    const int known = graph->rows[i].scope.length;
    int depth = open_clusters(tg_graph_scope(graph, i).text, stream);
    fprintf(stream, "  n%lld [label=<<b>", (long long)i);
    put(stream, node->op->name, SIZE_MAX);
    fprintf(stream, "</b><br/>%s", tg_shape_str(y->ndim, y->shape).text);
    if (times > 1) fprintf(stream, "<br/>%lld times", (long long)times);
    for (int k = 0; k < node->n_inputs; k++) {
        const tg_tensor *input = node->inputs[k];
        if (!input || !input->params) continue;
        fprintf(stream, "<br/><font point-size=\"9\" color=\"#555555\">");
        put(stream, input->name + known + (input->name[known] == '.'), SIZE_MAX);
        fprintf(stream, " %s</font>", tg_shape_str(input->ndim, input->shape).text);
    }
    fprintf(stream, ">%s];", y->has_grad ? ", fillcolor=\"#dbe9f6\"" : "");
    while (depth--) fprintf(stream, " }");
    fprintf(stream, "\n");
}

/* Graphviz draws an edge once ("strict"), however many of the operators that are drawn as one have it. */
static void draw_edges(const tg_graph *graph, const int64_t *drawn, FILE *stream)
{
    for (int64_t i = 0; i < graph->count; i++) {
        const tg_node *node = graph->rows[i].node;
        for (int k = 0; k < node->n_inputs; k++) {
            const tg_tensor *input = node->inputs[k];
            if (!input || !input->node) continue;
            const int64_t from = drawn[input->node->number];
            const char *style = from >= drawn[i] ? " [style=dashed, constraint=false]"
                                                 : ""; /* from a step to the next one */
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
    fold(&graph, drawn, drawn + graph.count);
    fprintf(stream, "strict digraph tape {\n  graph [fontname=\"sans-serif\", fontsize=11, "
                    "fontcolor=\"#555555\", "
                    "color=\"#bbbbbb\", style=rounded, labeljust=l];\n  node [shape=box, "
                    "style=\"rounded,filled\", fillcolor=white, "
                    "color=\"#7a8fa6\", fontname=\"sans-serif\", fontsize=11];\n  edge "
                    "[color=\"#555555\", arrowsize=0.7];\n");
    for (int64_t i = 0; i < graph.count; i++)
        if (drawn[i] == i) draw_operator(&graph, i, drawn[graph.count + i], stream);
    draw_edges(&graph, drawn, stream);
    fprintf(stream, "}\n");
    tg_free(graph.rows);
    tg_free(drawn);
    return !ferror(stream);
}
