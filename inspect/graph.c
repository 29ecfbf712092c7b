/* Scopes: of each operator the one that its parameters' names tell, or else those round it. */
#include "graph.h"

/* What a and b have in common, in whole parts between dots; all of b, where a is not known yet. */
static tg_scope_name common(tg_scope_name a, tg_scope_name b)
{
    int same = 0, i = 0;
    if (a.length < 0) return b;
    for (;; i++) {
        const bool a_ends = i == a.length || a.name[i] == '.',
                   b_ends = i == b.length || b.name[i] == '.';
        if (a_ends && b_ends) same = i;
        if (i == a.length || i == b.length || a.name[i] != b.name[i])
            return (tg_scope_name){a.name, same};
    }
}

static const tg_scope_name unknown = {"", -1};

static tg_graph_row *maker_of(const tg_graph *graph, const tg_tensor *input)
{
    return input && input->node ? &graph->rows[input->node->number] : NULL;
}

/* Of the parameters that the operator reads: their names without the last part. */
static void read_names(tg_graph_row *row)
{
    for (int i = 0; i < row->node->n_inputs; i++) {
        const tg_tensor *input = row->node->inputs[i];
        if (!input || !input->params) continue;
        const char *dot = strrchr(input->name, '.');
        row->scope = common(row->scope,
                            (tg_scope_name){input->name, dot ? (int)(dot - input->name) : 0});
    }
    row->reads = row->scope.length >= 0;
}

/* What the scopes of those who read a result have in common, from the last operator to the first, so that they are known before. */
static void ask_readers(tg_graph *graph)
{
    for (int64_t at = graph->count; at-- > 0;) {
        tg_graph_row *row = &graph->rows[at];
        if (row->scope.length < 0) row->scope.length = 0;
        for (int i = 0; i < row->node->n_inputs; i++) {
            tg_graph_row *maker = maker_of(graph, row->node->inputs[i]);
            if (!maker || maker->reads) continue;
            maker->scope = common(maker->scope, row->scope);
            maker->first_reader = row->scope;
        }
    }
}

/* What stands between parts of a layer belongs to the layer, and so does what joins results of it. Where readers have nothing in
 * common, an operator stands with what it reads. */
static void ask_makers(tg_graph *graph)
{
    for (int64_t at = 0; at < graph->count; at++) {
        tg_graph_row *row = &graph->rows[at];
        tg_scope_name made = unknown, between = {"", 0};
        int makers = 0;
        for (int i = 0; !row->reads && row->first_reader.length >= 0 && i < row->node->n_inputs;
             i++) {
            const tg_graph_row *maker = maker_of(graph, row->node->inputs[i]);
            makers += maker != NULL;
            if (!maker || !maker->scope.length) continue;
            const tg_scope_name way = common(maker->scope, row->first_reader);
            if (way.length > between.length) between = way;
            made = common(made, maker->scope);
        }
        if (between.length) row->scope = between;
        else if (made.length > 0 && (makers > 1 || !row->scope.length)) row->scope = made;
    }
}

bool tg_graph_of(tg_graph *graph, const tg_tape *tape)
{
    const size_t bytes = (size_t)tape->length * sizeof *graph->rows;
    *graph = (tg_graph){.count = tape->length, .rows = tg_realloc(NULL, bytes ? bytes : 1)};
    if (!graph->rows) return false;
    int64_t at = 0;
    for (const tg_node *node = tape->first; node; node = node->next, at++) {
        graph->rows[at] = (tg_graph_row){node, unknown, unknown, false};
        read_names(&graph->rows[at]);
    }
    ask_readers(graph);
    ask_makers(graph);
    return true;
}

tg_shape_string tg_graph_own_scope(const tg_node *node)
{
    tg_graph_row row = {node, unknown, unknown, false};
    read_names(&row);
    if (!row.reads) row.scope.length = 0;
    return tg_graph_scope(&(tg_graph){1, &row}, 0);
}

tg_shape_string tg_graph_scope(const tg_graph *graph, int64_t row)
{
    const tg_scope_name scope = graph->rows[row].scope;
    const char *own = graph->rows[row].node->scope ? graph->rows[row].node->scope : "";
    tg_shape_string text;
    snprintf(text.text, sizeof text.text, "%s%s%.*s", own, *own && scope.length ? "/" : "",
             scope.length, scope.name);
    for (char *c = text.text + strlen(own); *c; c++)
        if (*c == '.') *c = '/';
    return text;
}
