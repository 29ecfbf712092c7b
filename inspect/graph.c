/* The scope of each operator. An operator that reads parameters has the scope that their names
 * share. Any other one gets its scope from the operators that read its result, or from those that
 * made its inputs. */
#include <stdio.h>
#include <string.h>

#include "../core/tape_private.h"
#include "graph.h"

/* The parts between dots with which both a and b begin; b if a is unknown. */
static tg_scope_name common(tg_scope_name a, tg_scope_name b)
{
    if (a.length < 0) return b;
    int same = 0;
    for (int i = 0;; i++) {
        const bool a_ends = i == a.length || a.name[i] == '.';
        const bool b_ends = i == b.length || b.name[i] == '.';
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

/* From the parameters that the operator reads: their names without the last part. */
static void scope_from_parameters(tg_graph_row *row)
{
    for (int i = 0; i < row->node->n_inputs; i++) {
        const tg_tensor *input = row->node->inputs[i];
        if (!input || !input->params) continue;
        const char *dot = strrchr(input->name, '.');
        row->scope = common(row->scope,
                            (tg_scope_name){input->name, dot ? (int)(dot - input->name) : 0});
    }
    row->reads_parameter = row->scope.length >= 0;
}

/* From the readers of a result: what their scopes share. Walks from the last operator to the first,
 * so that the readers' scopes are known. */
static void scope_from_readers(tg_graph *graph)
{
    for (int64_t at = graph->count; at-- > 0;) {
        tg_graph_row *row = &graph->rows[at];
        if (row->scope.length < 0) row->scope.length = 0;
        for (int i = 0; i < row->node->n_inputs; i++) {
            tg_graph_row *maker = maker_of(graph, row->node->inputs[i]);
            if (!maker || maker->reads_parameter) continue;
            maker->scope = common(maker->scope, row->scope);
            maker->first_reader = row->scope;
        }
    }
}

/* From the makers of the inputs. An operator between two parts of a layer belongs to the layer
 * (`between`), and so does one that joins results of it (`shared`, with several makers). Also
 * without a scope shared by its readers, an operator has the scope of its makers. */
static void scope_from_makers(const tg_graph *graph, tg_graph_row *row)
{
    if (row->reads_parameter || row->first_reader.length < 0) return;
    tg_scope_name shared = unknown, between = {"", 0};
    int makers = 0;
    for (int i = 0; i < row->node->n_inputs; i++) {
        const tg_graph_row *maker = maker_of(graph, row->node->inputs[i]);
        makers += maker != NULL;
        if (!maker || !maker->scope.length) continue;
        const tg_scope_name with_reader = common(maker->scope, row->first_reader);
        if (with_reader.length > between.length) between = with_reader;
        shared = common(shared, maker->scope);
    }
    if (between.length) row->scope = between;
    else if (shared.length > 0 && (makers > 1 || !row->scope.length)) row->scope = shared;
}

bool tg_graph_of(tg_graph *graph, const tg_tape *tape)
{
    const size_t bytes = (size_t)tape->length * sizeof *graph->rows;
    *graph = (tg_graph){.count = tape->length, .rows = tg_realloc(NULL, bytes ? bytes : 1)};
    if (!graph->rows) return false;
    int64_t at = 0;
    for (const tg_node *node = tape->first; node; node = node->next, at++) {
        graph->rows[at] = (tg_graph_row){node, unknown, unknown, false};
        scope_from_parameters(&graph->rows[at]);
    }
    scope_from_readers(graph);
    for (at = 0; at < graph->count; at++) scope_from_makers(graph, &graph->rows[at]);
    return true;
}

tg_shape_string tg_graph_own_scope(const tg_node *node)
{
    tg_graph_row row = {node, unknown, unknown, false};
    scope_from_parameters(&row);
    if (!row.reads_parameter) row.scope.length = 0;
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
