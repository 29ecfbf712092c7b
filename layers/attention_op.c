/* Attention of several heads without a [Tq, Tk] matrix: exact, in tiles of 64 queries and 192 keys,
 * with an online softmax (Milakov and Gimelshein, 2018) and a backward pass that computes the
 * weights again (Dao et al., "FlashAttention", 2022). attention_plain.c is the same with whole
 * matrices, one head and one kind of score: read it first.
 *
 *     s_ij = scale q_i . k_j   or  w . tanh(q_i + k_j)   or  -|q_i - k_j|
 *     p_ij = e^s_ij / sum_k e^s_ik                        raw: p = s
 *     e_ij = r_ij p_ij                                    times_score: e = r p s
 *     y_i  = sum_j e_ij v_j
 *
 * r is dropout's mask: 0, or 1 / (1 - rate). A pair that is left out, by lengths, mask or
 * causality, has p = e = 0. A query without any pair has y = 0. Queries and keys past a length are
 * not read.
 *
 * The backward pass goes up these lines. dy is dL/dy, and so on.
 *
 *     y_i = sum_j e_ij v_j   dv_j = sum_i e_ij dy_i,   de_ij = dy_i . v_j
 *     e = r p                dp_ij = r_ij de_ij
 *     p_i = softmax(s_i)     ds_ij = p_ij (dp_ij - sum_k p_ik dp_ik): s_ij moves every weight of
 *                            its query, p_ik by p_ik ([j = k] - p_ij); this is summed over k
 *     product                dq_i = scale sum_j ds_ij k_j,   dk_j = scale sum_i ds_ij q_i
 *     additive               with t = tanh(q_i + k_j): dq_i and dk_j gain ds_ij w (1 - t^2),
 *                            dw gains ds_ij t
 *     distance               dq_i gains ds_ij (q_i - k_j) / s_ij, dk_j loses it; 0 if s_ij = 0
 *
 * The sum over k needs all weights of a query, but it is also
 *
 *     sum_k p_ik dp_ik = sum_k p_ik r_ik dy_i . v_k = dy_i . sum_k e_ik v_k = dy_i . y_i
 *
 * which needs none of them. With times_score, dp_ij is r_ij s_ij de_ij, the sum is dy_i . y_i
 * again, and s_ij is a factor of e_ij as well: ds_ij gains r_ij p_ij de_ij. If scores are raw, ds
 * is dp.
 *
 * Tiles, forward. After some tiles a query holds three results for their keys: the largest score m,
 * l = sum e^(s - m), and y = sum e^(s - m) r v. If the next tile has a larger score, l and y are
 * first multiplied by e^(m - m_new), which makes them what they would be had m_new been known from
 * the start. Then the tile adds its own terms. At the end y is divided by l, and m and 1 / l are
 * saved. (m + ln l alone would do, but has fewer correct digits if m is large.)
 *
 * Tiles, backward. p = e^(s - m) / l is computed again. All else above is a sum over pairs, to
 * which each tile adds its own. */
#include <math.h>
#include <string.h>

#include "attention_tiles.h"

/* ---- shape ---- */

static bool check_mask(tg_node *node, tg_attention_attributes *op)
{
    const int64_t shape[3] = {op->B, op->Tq, op->Tk};
    tg_mask *mask = &op->mask.mask;
    if (!tg_copy_lengths(node, "lengths", &op->mask.lengths, op->B, op->Tk) ||
        !tg_copy_lengths(node, "query lengths", &op->mask.query_lengths, op->B, op->Tq))
        return false;
    if (!mask->data) return true;
    if (!tg_broadcast_strides(3, shape, mask->ndim, mask->shape, op->mask_strides))
        return tg_node_fail(node, "mask %s does not broadcast to %s",
                            tg_shape_str(mask->ndim, mask->shape).text,
                            tg_shape_str(3, shape).text);
    return tg_copy_mask(node, mask);
}

static bool inputs_fit(const tg_node *node, int64_t heads)
{
    const tg_tensor *q = node->inputs[TG_Q], *k = node->inputs[TG_K], *v = node->inputs[TG_V],
                    *w = node->inputs[TG_SCORE_WEIGHT];
    if (q->ndim != 3 || k->ndim != 3 || v->ndim != 3) return false;
    if (q->shape[0] != k->shape[0] || k->shape[0] != v->shape[0]) return false;
    if (k->shape[1] != v->shape[1] || q->shape[2] != k->shape[2]) return false;
    if (heads < 1 || q->shape[2] % heads || v->shape[2] % heads) return false;
    return !w || w->size == q->shape[2];
}

static bool attention_shape(tg_node *node)
{
    tg_attention_attributes *op = node->attributes;
    const tg_tensor *q = node->inputs[TG_Q], *k = node->inputs[TG_K], *v = node->inputs[TG_V];
    const tg_attention_config *config = &op->config;
    if (!inputs_fit(node, op->heads))
        return tg_node_fail(node,
                            "queries %s, keys %s and values %s do not fit together (heads: %lld)",
                            tg_tensor_str(q).text, tg_tensor_str(k).text, tg_tensor_str(v).text,
                            (long long)op->heads);
    if (!(config->dropout >= 0 && config->dropout < 1))
        return tg_node_fail(node, "the dropout %g is outside 0 <= p < 1", config->dropout);
    op->B = q->shape[0];
    op->Tq = q->shape[1];
    op->Tk = k->shape[1];
    op->D = q->shape[2] / op->heads;
    op->Dv = v->shape[2] / op->heads;
    op->e_is_p = config->dropout == 0 && !config->raw && !config->times_score;
    op->softmax_stats = tg_save(node, 2 * op->B * op->heads * op->Tq);
    return op->softmax_stats && check_mask(node, op) &&
           tg_output(node, TG_SHAPE(op->B, op->Tq, v->shape[2]));
}

static double attention_flops(const tg_node *node)
{
    const tg_attention_attributes *op = node->attributes;
    return 2.0 * (double)(op->B * op->heads) * (double)op->Tq * (double)op->Tk *
           (double)(op->D + op->Dv);
}

/* m and 1 / l of the head's query i. */
static tg_real *softmax_stats(const tg_attention_head *head, int64_t i)
{
    return head->op->softmax_stats + 2 * (head->index * head->op->Tq + i);
}

/* ---- forward ---- */

static void forward_tile(tg_attention_head *head, tg_tile t)
{
    const tg_head_rows *y = &head->y;
    tg_tile_scores(head, t);
    if (!head->op->config.raw) {
        const tg_online_rows rows = {head->m + t.i0, head->l + t.i0, y->data + t.i0 * y->row,
                                     y->width, y->row};
        TG_DISPATCH(tg_k_online_softmax, t.queries, t.keys, TG_TILE_KEYS, head->s, head->p, rows);
    }
    tg_apply_dropout(head, t);
    tg_add_weighted_keys(head, t, head->e, head->v, head->v_packed, head->y);
}

/* Divides y by l, and saves m and 1 / l. */
static void finish_row(tg_attention_head *head, int64_t i)
{
    tg_real *y = head->y.data + i * head->y.row, *stats = softmax_stats(head, i);
    const bool nothing = head->m[i] == -(tg_real)INFINITY;
    stats[0] = nothing ? (tg_real)INFINITY : head->m[i]; /* e^(s - infinity) = 0 */
    stats[1] = nothing ? 1 : 1 / head->l[i];
    if (nothing) return;
    for (int64_t j = 0; j < head->y.width; j++) y[j] *= stats[1];
}

static void forward_head(tg_attention_head *head)
{
    const int64_t Tq = head->op->Tq;
    for (int64_t i = 0; i < Tq; i++) {
        head->m[i] = -(tg_real)INFINITY;
        head->l[i] = 0;
        memset(head->y.data + i * head->y.row, 0, (size_t)head->y.width * sizeof(tg_real));
    }
    tg_each_tile(head, forward_tile);
    if (head->op->config.raw) return;
    for (int64_t i = 0; i < Tq; i++) finish_row(head, i);
}

static void attention_forward(tg_node *node)
{
    const tg_attention_attributes *op = node->attributes;
    tg_each_head(node, forward_head, NULL);
    if (op->config.dropout != 0 && !tg_tape_error(node->tape))
        tg_tape_random(node->tape)->counter += (uint64_t)(op->B * op->heads * op->Tq * op->Tk);
}

/* ---- backward: a tile's matrices again, and their gradients ---- */

/* s, r and p. */
static void recompute_tile(const tg_attention_head *head, tg_tile t)
{
    tg_tile_scores(head, t);
    if (!head->op->config.raw)
        TG_DISPATCH(tg_k_softmax_from_stats, t.queries, t.keys, TG_TILE_KEYS, head->s,
                    softmax_stats(head, t.i0), head->p);
}

/* Three functions of one pair, which is at index `at` of the tile's matrices. */

static bool is_left_out(const tg_attention_head *head, int64_t at)
{
    return head->op->config.raw ? head->r[at] == 0 : head->s[at] == -(tg_real)INFINITY;
}

/* r_ij de_ij, while ds holds dy_i . v_j. */
static tg_real dropped_grad(const tg_attention_head *head, int64_t at)
{
    return head->op->e_is_p ? head->ds[at] : head->r[at] * head->ds[at];
}

/* dp_ij */
static tg_real weight_grad(const tg_attention_head *head, int64_t at)
{
    const tg_real grad = dropped_grad(head, at);
    return head->op->config.times_score ? grad * head->s[at] : grad;
}

/* Replaces dy_i . v_j in ds by dp_ij. */
static void weight_grads(const tg_attention_head *head, tg_tile t)
{
    for (int64_t i = 0; i < t.queries; i++)
        for (int64_t at = i * TG_TILE_KEYS; at < i * TG_TILE_KEYS + t.keys; at++)
            head->ds[at] = is_left_out(head, at) ? 0 : weight_grad(head, at);
}

/* Replaces dy_i . v_j in ds by factor ds_ij. */
static void score_grads(const tg_attention_head *head, tg_tile t, tg_real factor)
{
    const tg_attention_config *config = &head->op->config;
    const tg_real *p = head->p, *dy_dot_y = head->dy_dot_y + t.i0;
    tg_real *ds = head->ds;
    if (head->op->e_is_p) {
        tg_array_softmax_backward(t.queries, t.keys, TG_TILE_KEYS, p, dy_dot_y, factor, ds);
        return;
    }
    for (int64_t i = 0; i < t.queries; i++)
        for (int64_t at = i * TG_TILE_KEYS; at < i * TG_TILE_KEYS + t.keys; at++) {
            const tg_real dp = weight_grad(head, at);
            const tg_real by_weight = config->raw ? dp : p[at] * (dp - dy_dot_y[i]);
            const tg_real as_factor = config->times_score ? dropped_grad(head, at) * p[at] : 0;
            ds[at] = is_left_out(head, at) ? 0 : factor * (by_weight + as_factor);
        }
}

/* dy_i . y_i of every query, then the tiles. Before a backward pass there is no dy, and the weights
 * need none. */
static void each_tile_again(tg_attention_head *head, tg_tile_function function)
{
    const tg_head_rows *y = &head->y, *dy = &head->dy;
    if (dy->data && !head->op->config.raw)
        for (int64_t i = 0; i < head->queries; i++)
            head->dy_dot_y[i] = tg_array_dot(y->width, dy->data + i * y->row, y->data + i * y->row);
    tg_each_tile(head, function);
}

/* ---- backward: the gradients of the inputs ---- */

/* Gradient arrays of the inputs; one that nobody wants is NULL. The kernels of pairs write both dq
 * and dk: then the workspace takes what is not wanted. */
typedef struct gradients {
    tg_real *dq, *dk, *dv;
    tg_real *workspace; /* [B, heads, 4, D]: dw, a tile's dw, unwanted dq, unwanted dk */
} gradients;

static void pairs_backward(const tg_attention_head *head, tg_tile t, const gradients *g)
{
    const int64_t D = head->op->D;
    const tg_head_rows *q = &head->q, *k = &head->k;
    const bool additive = head->op->config.score == TG_SCORE_ADDITIVE;
    const tg_real *w = additive ? head->node->inputs[TG_SCORE_WEIGHT]->data + head->h * D : NULL;
    tg_real *dw = g->workspace + head->index * 4 * D, *tile_dw = dw + D;
    tg_head_rows dq = g->dq ? tg_rows_of_queries(head, g->dq, D) : (tg_head_rows){dw + 2 * D, D, 0};
    tg_head_rows dk = g->dk ? tg_rows_of_keys(head, g->dk, D) : (tg_head_rows){dw + 3 * D, D, 0};
    memset(tile_dw, 0, (size_t)D * sizeof *tile_dw);
    for (int64_t i = 0; i < t.queries; i++)
        for (int64_t j = 0; j < t.keys; j++) {
            const tg_real ds = head->ds[i * TG_TILE_KEYS + j], s = head->s[i * TG_TILE_KEYS + j];
            const tg_real *q_i = q->data + (t.i0 + i) * q->row,
                          *k_j = k->data + (t.j0 + j) * k->row;
            const tg_pair_grads to = {dq.data + (t.i0 + i) * dq.row, dk.data + (t.j0 + j) * dk.row,
                                      tile_dw};
            if (ds == 0) continue;
            if (additive) TG_DISPATCH(tg_k_additive_score_backward, D, ds, q_i, k_j, w, to);
            else TG_DISPATCH(tg_k_distance_backward, D, s == 0 ? 0 : ds / s, q_i, k_j, to);
        }
    tg_array_add(D, tile_dw, dw); /* a sum of short sums is more accurate */
}

static void products_backward(const tg_attention_head *head, tg_tile t, const gradients *g)
{
    const int64_t D = head->op->D;
    if (g->dk) tg_add_weighted_queries(head, t, head->ds, head->q, tg_rows_of_keys(head, g->dk, D));
    if (g->dq)
        tg_add_weighted_keys(head, t, head->ds, head->k, head->k_packed,
                             tg_rows_of_queries(head, g->dq, D));
}

static void backward_tile(tg_attention_head *head, tg_tile t)
{
    const gradients *g = head->context;
    const bool products = tg_scores_are_products(head);
    recompute_tile(head, t);
    tg_apply_dropout(head, t);
    tg_tile_dy_dot_v(head, t);
    score_grads(head, t, products ? (tg_real)head->op->config.scale : 1);
    if (g->dv)
        tg_add_weighted_queries(head, t, head->e, head->dy,
                                tg_rows_of_keys(head, g->dv, head->op->Dv));
    if (products) products_backward(head, t, g);
    else pairs_backward(head, t, g);
}

static void backward_head(tg_attention_head *head) { each_tile_again(head, backward_tile); }

static void attention_backward(tg_node *node)
{
    const tg_attention_attributes *op = node->attributes;
    const int64_t heads = op->B * op->heads, size = 4 * op->D;
    const gradients g = {tg_input_grad(node, TG_Q), tg_input_grad(node, TG_K),
                         tg_input_grad(node, TG_V), tg_scratch(node, heads * size)};
    if (!g.workspace) return;
    memset(g.workspace, 0, (size_t)(heads * size) * sizeof *g.workspace);
    tg_each_head(node, backward_head, &g);
    tg_real *dw = tg_input_grad(node, TG_SCORE_WEIGHT);
    if (!dw) return;
    for (int64_t i = 0; i < heads; i++)
        tg_array_add(op->D, g.workspace + i * size, dw + i % op->heads * op->D);
}

const tg_op tg_op_attention = {.name = "attention",
                               .attribute_size = sizeof(tg_attention_attributes),
                               .optional = 1 << TG_SCORE_WEIGHT,
                               .shape = attention_shape,
                               .forward = attention_forward,
                               .backward = attention_backward,
                               .flops = attention_flops};

tg_tensor *tg_attend(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                     tg_tensor *score_weight, int64_t heads, tg_attention_config config,
                     const tg_attention_mask *mask)
{
    tg_attention_attributes op = {.heads = heads, .config = config};
    if (mask) op.mask = *mask;
    if (tg_tape_training(tape)) op.random = *tg_tape_random(tape);
    else op.config.dropout = 0;
    return tg_apply(tape, &tg_op_attention, &op, 4, (tg_tensor *[]){q, k, v, score_weight}, NULL);
}

/* ---- weights and gradients on request ---- */

typedef enum quantity { WEIGHTS, WEIGHT_GRADS, SCORE_GRADS } quantity;

typedef struct request {
    quantity quantity;
    tg_real *out; /* [B, heads, Tq, Tk] */
} request;

static void write_tile(tg_attention_head *head, tg_tile t)
{
    const request *r = head->context;
    const tg_real *from = r->quantity == WEIGHTS ? head->p : head->ds;
    recompute_tile(head, t);
    if (r->quantity != WEIGHTS) tg_tile_dy_dot_v(head, t);
    if (r->quantity == WEIGHT_GRADS) weight_grads(head, t);
    if (r->quantity == SCORE_GRADS) score_grads(head, t, 1);
    for (int64_t i = 0; i < t.queries; i++) {
        const int64_t row = head->index * head->op->Tq + t.i0 + i;
        memcpy(r->out + row * head->op->Tk + t.j0, from + i * TG_TILE_KEYS,
               (size_t)t.keys * sizeof *from);
    }
}

static void write_head(tg_attention_head *head) { each_tile_again(head, write_tile); }

static tg_tensor *matrix_of(tg_tape *tape, const tg_tensor *y, quantity wanted)
{
    if (!tape || tg_tape_error(tape) || !y) return NULL;
    if (!y->node || y->node->op != &tg_op_attention)
        return tg_tape_fail(tape, "attention: the tensor is not an attention's result");
    if (wanted != WEIGHTS && !y->has_grad)
        return tg_tape_fail(tape, "attention: gradients exist only after a backward pass");
    const tg_attention_attributes *op = y->node->attributes;
    tg_tensor *out = tg_constant(tape, NULL, TG_SHAPE(op->B, op->heads, op->Tq, op->Tk));
    if (!out) return NULL;
    tg_each_head(y->node, write_head, &(request){wanted, out->data});
    tg_scratch_free(y->node);
    return tg_tape_error(tape) ? NULL : out;
}

tg_tensor *tg_attention_weights(tg_tape *tape, const tg_tensor *attended)
{
    return matrix_of(tape, attended, WEIGHTS);
}

tg_tensor *tg_attention_weight_grads(tg_tape *tape, const tg_tensor *attended)
{
    return matrix_of(tape, attended, WEIGHT_GRADS);
}

tg_tensor *tg_attention_score_grads(tg_tape *tape, const tg_tensor *attended)
{
    return matrix_of(tape, attended, SCORE_GRADS);
}
