#include "graph.h"

/* How much of a and b is the same, in whole parts between dots. */
static int common(const char *a, int a_length, const char *b, int b_length)
{
    int same = 0, i = 0;
    for (;; i++) {
        const bool a_ends = i == a_length || a[i] == '.', b_ends = i == b_length || b[i] == '.';
        if (a_ends && b_ends) same = i;
        if (i == a_length || i == b_length || a[i] != b[i]) return same;
    }
}

static void narrow(tg_graph_row *row, const char *name, int length)
{
    row->length = row->length < 0 ? length : common(row->name, row->length, name, length);
    row->name = name;
}

/* Of the parameters that the operator reads: their names without the last part. False where it reads none. */
static bool read_names(tg_graph_row *row)
{
    bool reads = false;
    for (int i = 0; i < row->node->n_inputs; i++) {
        const tg_tensor *input = row->node->inputs[i];
        if (!input || !input->params) continue;
        const char *dot = strrchr(input->name, '.');
        narrow(row, input->name, dot ? (int)(dot - input->name) : 0);
        reads = true;
    }
    return reads;
}

/* What the scopes of those who read a result have in common, from the last operator to the first, so that they are known before. */
static void ask_readers(tg_graph *graph)
{
    for (int64_t at = graph->count; at-- > 0;) {
        tg_graph_row *row = &graph->rows[at];
        if (row->length < 0) row->length = 0;
        for (int i = 0; i < row->node->n_inputs; i++) {
            const tg_tensor *input = row->node->inputs[i];
            tg_graph_row *maker = input && input->node ? &graph->rows[input->node->number] : NULL;
            if (maker && !maker->reads) narrow(maker, row->name, row->length);
        }
    }
}

/* A part of a layer that stands before another part of it belongs to the layer. */
static void ask_makers(tg_graph *graph)
{
    for (int64_t at = 0; at < graph->count; at++) {
        tg_graph_row *row = &graph->rows[at];
        for (int i = 0; !row->reads && i < row->node->n_inputs; i++) {
            const tg_tensor *input = row->node->inputs[i];
            const tg_graph_row *maker = input && input->node ? &graph->rows[input->node->number] : NULL;
            const int same = maker ? common(row->name, row->length, maker->name, maker->length) : 0;
            if (same) row->length = same;
        }
    }
}

bool tg_graph_of(tg_graph *graph, const tg_tape *tape)
{
    const size_t bytes = (size_t)tape->length * sizeof *graph->rows;
    *graph = (tg_graph){.count = tape->length, .rows = tg_realloc(NULL, bytes ? bytes : 1)};
    if (!graph->rows) return false;
    int64_t at = 0;
    for (const tg_node *node = tape->first; node; node = node->next, at++) {
        graph->rows[at] = (tg_graph_row){.node = node, .name = "", .length = -1};
        graph->rows[at].reads = read_names(&graph->rows[at]);
    }
    ask_readers(graph);
    ask_makers(graph);
    return true;
}

tg_text tg_graph_scope(const tg_graph *graph, int64_t row)
{
    const tg_graph_row *r = &graph->rows[row];
    const char *own = r->node->scope ? r->node->scope : "";
    tg_text text;
    snprintf(text.text, sizeof text.text, "%s%s%.*s", own, *own && r->length ? "/" : "", r->length, r->name);
    for (char *c = text.text + strlen(own); *c; c++)
        if (*c == '.') *c = '/';
    return text;
}
