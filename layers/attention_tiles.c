/* The work on one tile of attention: memory, products, scores and masks. */
#include <math.h>

#include "attention_tiles.h"

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- heads ---- */

static tg_head_rows head_rows(const tg_attention_attributes *op, int64_t index, tg_real *data,
                              int64_t time, int64_t width)
{
    const int64_t b = index / op->heads, h = index % op->heads, row = op->heads * width;
    return (tg_head_rows){data ? data + b * time * row + h * width : NULL, width, row};
}

tg_head_rows tg_rows_of_queries(const tg_attention_head *head, tg_real *data, int64_t width)
{
    return head_rows(head->op, head->index, data, head->op->Tq, width);
}

tg_head_rows tg_rows_of_keys(const tg_attention_head *head, tg_real *data, int64_t width)
{
    return head_rows(head->op, head->index, data, head->op->Tk, width);
}

static tg_head_rows rows_from(tg_head_rows rows, int64_t first)
{
    rows.data += first * rows.row;
    return rows;
}

static tg_matrix matrix_of(tg_head_rows rows) { return (tg_matrix){rows.data, rows.row, 1}; }

/* Numbers of a packed matrix, of a tile's keys or queries and a head's width. */
static int64_t pack_size(const tg_attention_attributes *op)
{
    const int64_t width = op->D > op->Dv ? op->D : op->Dv;
    return op->config.one_query ? 0 : tg_pack_size(TG_TILE_KEYS, width);
}

static int64_t workspace_size(const tg_attention_attributes *op)
{
    return 5 * TG_TILE_SIZE + 5 * pack_size(op) + 3 * op->Tq;
}

static tg_attention_head head_at(const tg_node *node, int64_t index, const void *context,
                                 tg_real *workspace)
{
    const tg_attention_attributes *op = node->attributes;
    const int64_t b = index / op->heads, pack = pack_size(op);
    tg_real *matrices = workspace, *packed = matrices + 5 * TG_TILE_SIZE, *rows = packed + 5 * pack;
    tg_tensor *const *in = node->inputs, *y = node->outputs[0];
    return (tg_attention_head){.node = node,
                               .op = op,
                               .context = context,
                               .index = index,
                               .b = b,
                               .h = index % op->heads,
                               .queries = op->mask.query_lengths.data[b],
                               .keys = op->mask.lengths.data[b],
                               .q = head_rows(op, index, in[TG_Q]->data, op->Tq, op->D),
                               .k = head_rows(op, index, in[TG_K]->data, op->Tk, op->D),
                               .v = head_rows(op, index, in[TG_V]->data, op->Tk, op->Dv),
                               .y = head_rows(op, index, y->data, op->Tq, op->Dv),
                               .dy = head_rows(op, index, y->grad, op->Tq, op->Dv),
                               .s = matrices,
                               .p = matrices + (op->config.raw ? 0 : 1) * TG_TILE_SIZE,
                               .r = matrices + 2 * TG_TILE_SIZE,
                               .e = matrices + (op->e_is_p ? 1 : 3) * TG_TILE_SIZE,
                               .ds = matrices + 4 * TG_TILE_SIZE,
                               .k_transposed = packed,
                               .v_transposed = packed + pack,
                               .k_packed = packed + 2 * pack,
                               .v_packed = packed + 3 * pack,
                               .query_rows = packed + 4 * pack,
                               .m = rows,
                               .l = rows + op->Tq,
                               .dy_dot_y = rows + 2 * op->Tq};
}

void tg_each_head(tg_node *node, tg_head_function function, const void *context)
{
    const tg_attention_attributes *op = node->attributes;
    const int64_t heads = op->B * op->heads, width = op->D > op->Dv ? op->D : op->Dv;
    const int64_t work = heads * op->Tq * op->Tk * width;
    const int64_t threads = smaller(tg_thread_count(work / 4), heads > 0 ? heads : 1);
    tg_real *memory = tg_scratch(node, threads * workspace_size(op));
    if (!memory) return;
#pragma omp parallel for if (threads > 1) num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < threads; t++) {
        tg_real *workspace = memory + t * workspace_size(op);
        for (int64_t i = t * heads / threads; i < (t + 1) * heads / threads; i++) {
            tg_attention_head head = head_at(node, i, context, workspace);
            function(&head);
        }
    }
}

/* ---- products ---- *
 * With one query packing would cost more than the product: rows are taken one by one. */

static void pack_keys(const tg_attention_head *head, int64_t j0, int64_t keys)
{
    const tg_attention_attributes *op = head->op;
    const tg_head_rows k = rows_from(head->k, j0), v = rows_from(head->v, j0);
    if (op->config.one_query) return;
    if (tg_scores_are_products(head)) {
        const int64_t size = tg_pack_size(op->D, keys);
        tg_pack(op->D, keys, tg_matrix_transposed(matrix_of(k)), head->k_transposed);
        for (int64_t i = 0; i < size; i++) head->k_transposed[i] *= (tg_real)op->config.scale;
        tg_pack_if_needed(keys, op->D, matrix_of(k), head->k_packed);
    }
    tg_pack(op->Dv, keys, tg_matrix_transposed(matrix_of(v)), head->v_transposed);
    tg_pack_if_needed(keys, op->Dv, matrix_of(v), head->v_packed);
}

void tg_each_tile(tg_attention_head *head, tg_tile_function function)
{
    tg_tile t;
    for (t.j0 = 0; t.j0 < head->keys; t.j0 += TG_TILE_KEYS) {
        t.keys = smaller(TG_TILE_KEYS, head->keys - t.j0);
        pack_keys(head, t.j0, t.keys);
        for (t.i0 = 0; t.i0 < head->queries; t.i0 += TG_TILE_QUERIES) {
            t.queries = smaller(TG_TILE_QUERIES, head->queries - t.i0);
            const bool all_later = head->op->mask.causal && t.j0 >= t.i0 + t.queries;
            if (!all_later) function(head, t);
        }
    }
}

/* out_ij = scale x_i . y_j, where x has the tile's queries and y its keys. With several queries y
 * is read from y_transposed, which holds the scale already. */
static void dot_products(const tg_attention_head *head, tg_tile t, tg_head_rows x, tg_head_rows y,
                         tg_real scale, const tg_real *y_transposed, tg_real *out)
{
    x = rows_from(x, t.i0);
    y = rows_from(y, t.j0);
    if (!head->op->config.one_query) {
        tg_matmul_packed(&(tg_product){.m = t.queries,
                                       .n = t.keys,
                                       .k = x.width,
                                       .a = matrix_of(x),
                                       .b = tg_matrix_packed(y_transposed),
                                       .c = out,
                                       .c_row = TG_TILE_KEYS});
        return;
    }
    for (int64_t j = 0; j < t.keys; j++)
        out[j] = scale * tg_array_dot(x.width, x.data, y.data + j * y.row);
}

void tg_tile_dy_dot_v(const tg_attention_head *head, tg_tile t)
{
    dot_products(head, t, head->dy, head->v, 1, head->v_transposed, head->ds);
}

/* C [m, width] += A [m, k] B [k, width], B and C being rows of the head; `packed` is B as
 * tg_pack_if_needed left it. */
static void add_product(const tg_attention_head *head, int64_t m, int64_t k, tg_matrix a,
                        tg_head_rows b, const tg_real *packed, tg_head_rows c)
{
    if (!head->op->config.one_query) {
        tg_matmul_packed(&(tg_product){.m = m,
                                       .n = b.width,
                                       .k = k,
                                       .a = a,
                                       .b = tg_packed_or_in_place(b.width, matrix_of(b), packed),
                                       .start = c.data,
                                       .c = c.data,
                                       .c_row = c.row});
        return;
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < k; j++)
            tg_array_add_scaled(b.width, a.data[i * a.row + j * a.column], b.data + j * b.row,
                                c.data + i * c.row);
}

void tg_add_weighted_keys(const tg_attention_head *head, tg_tile t, const tg_real *w,
                          tg_head_rows x, const tg_real *packed, tg_head_rows c)
{
    add_product(head, t.queries, t.keys, (tg_matrix){w, TG_TILE_KEYS, 1}, rows_from(x, t.j0),
                packed, rows_from(c, t.i0));
}

void tg_add_weighted_queries(const tg_attention_head *head, tg_tile t, const tg_real *w,
                             tg_head_rows x, tg_head_rows c)
{
    x = rows_from(x, t.i0);
    if (!head->op->config.one_query)
        tg_pack_if_needed(t.queries, x.width, matrix_of(x), head->query_rows);
    add_product(head, t.keys, t.queries, (tg_matrix){w, 1, TG_TILE_KEYS}, x, head->query_rows,
                rows_from(c, t.j0));
}

/* ---- scores and masks ---- */

static tg_real pair_score(const tg_attention_head *head, const tg_real *q, const tg_real *k)
{
    const int64_t D = head->op->D;
    if (head->op->config.score == TG_SCORE_EUCLIDEAN) return -TG_DISPATCH(tg_k_distance, D, q, k);
    const tg_real *w = head->node->inputs[TG_SCORE_WEIGHT]->data + head->h * D;
    return TG_DISPATCH(tg_k_additive_score, D, q, k, w);
}

/* Dropout's factors for query i of the tile: 0 or 1 / (1 - rate). */
static void draw_dropout(const tg_attention_head *head, tg_tile t, int64_t i)
{
    const tg_attention_attributes *op = head->op;
    const double rate = op->config.dropout;
    tg_real *r = head->r + i * TG_TILE_KEYS;
    const int64_t word = (head->index * op->Tq + t.i0 + i) * op->Tk + t.j0;
    tg_random random = op->random;
    random.counter += (uint64_t)word;
    if (rate != 0) tg_array_dropout_mask(t.keys, random, rate, r);
    else
        for (int64_t j = 0; j < t.keys; j++) r[j] = 1;
}

/* Leaves out the keys that query i of the tile may not attend to. */
static void mask_row(const tg_attention_head *head, tg_tile t, int64_t i)
{
    const tg_attention_attributes *op = head->op;
    const int64_t *stride = op->mask_strides, past = t.i0 + i - t.j0 + 1;
    const int64_t end = op->mask.causal ? smaller(t.keys, past) : t.keys;
    const uint8_t *mask = op->mask.mask.data;
    if (!mask && end == t.keys) return;
    if (mask) mask += head->b * stride[0] + (t.i0 + i) * stride[1] + t.j0 * stride[2];
    for (int64_t j = 0; j < t.keys; j++) {
        if (j < end && (!mask || mask[j * stride[2]])) continue;
        head->s[i * TG_TILE_KEYS + j] = op->config.raw ? 0 : -(tg_real)INFINITY;
        head->r[i * TG_TILE_KEYS + j] = 0;
    }
}

void tg_tile_scores(const tg_attention_head *head, tg_tile t)
{
    const tg_head_rows q = rows_from(head->q, t.i0), k = rows_from(head->k, t.j0);
    if (tg_scores_are_products(head))
        dot_products(head, t, head->q, head->k, (tg_real)head->op->config.scale, head->k_transposed,
                     head->s);
    else
        for (int64_t i = 0; i < t.queries; i++)
            for (int64_t j = 0; j < t.keys; j++)
                head->s[i * TG_TILE_KEYS + j] = pair_score(head, q.data + i * q.row,
                                                           k.data + j * k.row);
    for (int64_t i = 0; i < t.queries; i++) {
        if (!head->op->e_is_p) draw_dropout(head, t, i);
        mask_row(head, t, i);
    }
}

void tg_apply_dropout(const tg_attention_head *head, tg_tile t)
{
    const bool times_score = head->op->config.times_score;
    if (head->op->e_is_p) return;
    for (int64_t i = 0; i < t.queries; i++)
        for (int64_t j = i * TG_TILE_KEYS; j < i * TG_TILE_KEYS + t.keys; j++) {
            const tg_real rp = head->p[j] * head->r[j], e = times_score ? rp * head->s[j] : rp;
            head->e[j] = head->r[j] == 0 ? 0 : e; /* not 0 times infinity */
        }
}
