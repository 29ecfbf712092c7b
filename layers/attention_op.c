/* Attention of several heads, y_i = sum_j e_ij v_j, without ever holding a [T, T] matrix: exact, in tiles with an online softmax
 * (Milakov and Gimelshein, 2018; Dao et al., "FlashAttention", 2022), computed again in the backward pass.
 *
 *     s_ij = scale q_i . k_j,  or w . tanh(q_i + k_j),  or -|q_i - k_j|
 *     p_ij = e^(s_ij) / sum_j e^(s_ij)                           raw: p = s
 *     e_ij = r_ij p_ij, times s_ij for the general formula;  r dropout's mask, 0 or 1 / (1 - rate)
 *
 * Forward: row i keeps m, the largest s so far, l = sum e^(s - m), and the sum of e^(s - m) v; a tile with a larger score scales
 * both down by e^(m - m_new). At the end y is divided by l; m and 1 / l are all that is kept. (Their L = m + ln l in one number
 * would lose digits where m is large.)
 *
 * Backward, tile by tile, with p = e^(s - m) / l again:
 *     dv_j = sum_i e_ij dy_i      de_ij = r_ij dy_i . v_j      dp_ij = de_ij, times s_ij
 *     ds_ij = p_ij (dp_ij - dy_i . y_i)                         raw: dp_ij;    general formula: + de_ij p_ij
 *     product   dq_i = scale sum_j ds_ij k_j                    dk_j = scale sum_i ds_ij q_i
 *     additive  t = tanh(q_i + k_j):  dq_i, dk_j += ds_ij w (1 - t^2),  dw += ds_ij t
 *     distance  dq_i += ds_ij (q_i - k_j) / s_ij,  dk_j -= the same;  0 where s_ij = 0
 * since sum_j p_ij dp_ij = dy_i . y_i: the softmax's derivative (core/op_softmax.c) without its row.
 *
 * Queries and keys past a length are not read; what the mask or causality leaves out has p = 0; a row with nothing left is
 * zeros. */
#include "../core/internal.h"
#include "attention_op.h"
#include "kernels.h"

enum { Q, K, V, SCORE };
enum { QUERIES = 64, KEYS = 192, TILE = QUERIES * KEYS };

typedef struct attention_attributes {
    tg_attention_config how;
    tg_attention_mask mask;
    bool plain;                          /* e is p: nothing is dropped, the softmax is the weight */
    tg_random random;                    /* dropout's; word (row of kept) Tk + j is for (i, j) */
    int64_t heads, batch, tq, tk, d, dv; /* d, dv: widths of one head's q and k, and of its v */
    int64_t mask_strides[3];             /* of the mask in [B, Tq, Tk] */
    tg_real *kept; /* [B, heads, Tq, 2] m and 1 / l; infinity and 1 where nothing is attended to */
} attention_attributes;

/* ---- shape ---- */

static bool check_mask(tg_node *node, attention_attributes *op)
{
    const int64_t shape[3] = {op->batch, op->tq, op->tk};
    tg_mask *mask = &op->mask.mask;
    if (!tg_copy_lengths(node, &op->mask.lengths, op->batch, op->tk) ||
        !tg_copy_lengths_of(node, "query lengths", &op->mask.query_lengths, op->batch, op->tq))
        return false;
    if (!mask->data) return true;
    if (!tg_broadcast_strides(3, shape, mask->ndim, mask->shape, op->mask_strides))
        return tg_node_fail(node, "mask %s does not broadcast to %s",
                            tg_shape_text(node, mask->ndim, mask->shape),
                            tg_shape_text(node, 3, shape));
    return tg_copy_mask(node, mask);
}

static bool attention_shape(tg_node *node)
{
    attention_attributes *op = node->attributes;
    const tg_tensor *q = node->inputs[Q], *k = node->inputs[K], *v = node->inputs[V],
                    *w = node->inputs[SCORE];
    bool fits = q->ndim == 3 && k->ndim == 3 && v->ndim == 3 && q->shape[0] == k->shape[0] &&
                k->shape[0] == v->shape[0] && k->shape[1] == v->shape[1] &&
                q->shape[2] == k->shape[2] && op->heads > 0 && q->shape[2] % op->heads == 0 &&
                v->shape[2] % op->heads == 0 && (!w || w->size == q->shape[2]);
    if (!fits)
        return tg_node_fail(node,
                            "queries %s, keys %s and values %s do not fit together (heads: %lld)",
                            tg_tensor_text(node, q), tg_tensor_text(node, k),
                            tg_tensor_text(node, v), (long long)op->heads);
    op->batch = q->shape[0], op->tq = q->shape[1], op->tk = k->shape[1];
    op->d = q->shape[2] / op->heads, op->dv = v->shape[2] / op->heads;
    if (!(op->how.dropout >= 0 && op->how.dropout < 1))
        return tg_node_fail(node, "the dropout %g is outside 0 <= p < 1", op->how.dropout);
    if (op->how.dropout != 0)
        node->tape->random.counter += (uint64_t)(op->batch * op->heads * op->tq * op->tk);
    op->plain = op->how.dropout == 0 && !op->how.raw && !op->how.times_score;
    op->kept = tg_save(node, 2 * op->batch * op->heads * op->tq);
    return op->kept && check_mask(node, op) &&
           tg_output(node, TG_SHAPE(op->batch, op->tq, v->shape[2]));
}

static double attention_flops(const tg_node *node)
{
    const attention_attributes *op = node->attributes;
    return 2.0 * (double)(op->batch * op->heads) * (double)op->tq * (double)op->tk *
           (double)(op->d + op->dv);
}

/* ---- a head: one of one sequence, and a thread's working memory ---- */

typedef struct head {
    const tg_node *node;
    const attention_attributes *op;
    int64_t index, b, h;   /* index = b heads + h */
    int64_t queries, keys; /* that exist: the sequences' lengths */
    void *context;         /* of the pass: a gradients, or a look */
    tg_real *s, *p, *r, *e,
        *ds; /* [QUERIES, KEYS]; r is not there where e is p; p is s where scores are raw */
    tg_real *k_t, *v_t, *k, *v,
        *rows; /* packed: scale K^T and V^T, K and V of a tile's keys; dy or q of its queries */
    tg_real *m, *l; /* [Tq]; in the backward pass l is dy . y */
} head;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Where a head's rows begin in a [B, time, heads * width] array, from row `first` on. */
static int64_t place(const head *a, int64_t time, int64_t width, int64_t first)
{
    return ((a->b * time + first) * a->op->heads + a->h) * width;
}

static tg_matrix head_rows(const head *a, const tg_real *data, int64_t time, int64_t width,
                           int64_t first)
{
    return (tg_matrix){data + place(a, time, width, first), a->op->heads * width, 1};
}

/* Each thread takes whole heads. */
static void each_head(tg_node *node, void (*function)(head *a), void *context)
{
    const attention_attributes *op = node->attributes;
    const int64_t tasks = op->batch * op->heads, wide = op->d > op->dv ? op->d : op->dv;
    const int64_t pack = op->how.one_query
                             ? 0
                             : tg_gemm_pack_size(KEYS, wide); /* of the other shape it is no more */
    const int64_t each = 5 * TILE + 5 * pack + 2 * op->tq;
    const int64_t work = tasks * op->tq * op->tk * wide;
    const int64_t threads = work > 4 * TG_PARALLEL_WORK ? least(tg_threads(true), tasks) : 1;
    tg_real *memory = tg_scratch(node, threads * each);
    if (!memory) return;
#pragma omp parallel for if (threads > 1) num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < threads; t++) {
        tg_real *at = memory + t * each, *packs = at + 5 * TILE;
        head a = {.node = node,
                  .op = op,
                  .context = context,
                  .s = at,
                  .p = at + (op->how.raw ? 0 : TILE),
                  .r = at + 2 * TILE,
                  .e = at + (op->plain ? 1 : 3) * TILE,
                  .ds = at + 4 * TILE,
                  .k_t = packs,
                  .v_t = packs + pack,
                  .k = packs + 2 * pack,
                  .v = packs + 3 * pack,
                  .rows = packs + 4 * pack,
                  .m = packs + 5 * pack,
                  .l = packs + 5 * pack + op->tq};
        for (a.index = t * tasks / threads; a.index < (t + 1) * tasks / threads; a.index++) {
            a.b = a.index / op->heads, a.h = a.index % op->heads;
            a.keys = op->mask.lengths.data[a.b], a.queries = op->mask.query_lengths.data[a.b];
            function(&a);
        }
    }
}

/* ---- tiles: queries i0 .. i0 + rows - 1, keys j0 .. j0 + n - 1 ---- */

typedef struct tile {
    int64_t i0, rows, j0, n;
} tile;

static bool is_product(const head *a)
{
    return a->op->how.score != TG_SCORE_ADDITIVE && a->op->how.score != TG_SCORE_EUCLIDEAN;
}

/* With one query packing a matrix would cost more than its product: rows are taken one by one. */
static bool is_single(const head *a) { return a->op->how.one_query; }

static void dot_rows(int64_t n, int64_t width, tg_real scale, const tg_real *x, tg_matrix rows,
                     tg_real *y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = scale * TG_DISPATCH(tg_k_dot, width, x, rows.data + j * rows.row);
}

/* C += A B, where B is packed, packed now, or read where it stands. */
static void multiply(const head *h, int64_t m, int64_t n, int64_t k, tg_matrix a, tg_matrix b,
                     tg_real *packed, bool pack, tg_real *c, int64_t c_row)
{
    const bool in_place = tg_gemm_in_place(n, b);
    for (int64_t i = 0; is_single(h) && i < m; i++)
        for (int64_t p = 0; p < k; p++)
            TG_DISPATCH(tg_k_axpy, n, a.data[i * a.row + p * a.column], b.data + p * b.row,
                        c + i * c_row);
    if (is_single(h)) return;
    if (pack && !in_place) TG_DISPATCH(tg_k_gemm_pack, k, n, b, packed);
    if (!in_place) b = tg_matrix_packed(packed);
    TG_DISPATCH(tg_k_gemm, &(tg_product){m, n, k, a, b, c, c, c_row}, NULL);
}

static void pack_keys(const head *a, int64_t j0, int64_t n)
{
    const attention_attributes *op = a->op;
    if (is_single(a)) return;
    const int64_t size = tg_gemm_pack_size(op->d, n);
    tg_matrix k = head_rows(a, a->node->inputs[K]->data, op->tk, op->d, j0);
    tg_matrix v = head_rows(a, a->node->inputs[V]->data, op->tk, op->dv, j0);
    if (is_product(a)) {
        TG_DISPATCH(tg_k_gemm_pack, op->d, n, tg_matrix_transposed(k), a->k_t);
        for (int64_t i = 0; i < size; i++) a->k_t[i] *= (tg_real)op->how.scale;
        if (!tg_gemm_in_place(op->d, k)) TG_DISPATCH(tg_k_gemm_pack, n, op->d, k, a->k);
    }
    TG_DISPATCH(tg_k_gemm_pack, op->dv, n, tg_matrix_transposed(v), a->v_t);
    if (!tg_gemm_in_place(op->dv, v)) TG_DISPATCH(tg_k_gemm_pack, n, op->dv, v, a->v);
}

/* Calls for each tile that holds something to attend to, key by key, its keys packed. */
static void each_tile(head *a, void (*function)(head *a, tile t))
{
    for (int64_t j0 = 0; j0 < a->keys; j0 += KEYS) {
        int64_t n = least(KEYS, a->keys - j0);
        pack_keys(a, j0, n);
        for (int64_t i0 = 0; i0 < a->queries; i0 += QUERIES) {
            int64_t rows = least(QUERIES, a->queries - i0);
            if (!a->op->mask.causal || j0 < i0 + rows) function(a, (tile){i0, rows, j0, n});
        }
    }
}

static void scores_by_pairs(const head *a, tile t)
{
    const attention_attributes *op = a->op;
    tg_matrix q = head_rows(a, a->node->inputs[Q]->data, op->tq, op->d, t.i0);
    tg_matrix k = head_rows(a, a->node->inputs[K]->data, op->tk, op->d, t.j0);
    for (int64_t i = 0; i < t.rows; i++)
        for (int64_t j = 0; j < t.n; j++) {
            const tg_real *x = q.data + i * q.row, *y = k.data + j * k.row;
            a->s[i * KEYS + j] = op->how.score == TG_SCORE_ADDITIVE
                                     ? TG_DISPATCH(tg_k_additive_score, op->d, x, y,
                                                   a->node->inputs[SCORE]->data + a->h * op->d)
                                     : -TG_DISPATCH(tg_k_distance, op->d, x, y);
        }
}

/* s and r of a tile: r is dropout's mask, and 0 for what may not be attended to, whose s is -infinity (0 for raw scores). */
static void tile_scores(const head *a, tile t)
{
    const attention_attributes *op = a->op;
    const tg_real left_out = op->how.raw ? 0 : -(tg_real)INFINITY;
    const tg_matrix q = head_rows(a, a->node->inputs[Q]->data, op->tq, op->d, t.i0);
    const tg_matrix k = head_rows(a, a->node->inputs[K]->data, op->tk, op->d, t.j0);
    if (!is_product(a)) scores_by_pairs(a, t);
    else if (is_single(a)) dot_rows(t.n, op->d, (tg_real)op->how.scale, q.data, k, a->s);
    else
        TG_DISPATCH(tg_k_gemm,
                    &(tg_product){t.rows, t.n, op->d, q, tg_matrix_packed(a->k_t), NULL, a->s,
                                  KEYS},
                    NULL);
    for (int64_t i = 0; i < t.rows; i++) {
        tg_real *s = a->s + i * KEYS, *r = a->r + i * KEYS;
        const int64_t *step = op->mask_strides,
                      end = op->mask.causal ? least(t.n, t.i0 + i - t.j0 + 1) : t.n;
        const uint64_t word = (uint64_t)((a->index * op->tq + t.i0 + i) * op->tk + t.j0);
        const uint8_t *mask = op->mask.mask.data;
        if (op->plain && !mask && end == t.n) continue;
        if (mask) mask += a->b * step[0] + (t.i0 + i) * step[1] + t.j0 * step[2];
        TG_DISPATCH(tg_k_dropout_mask, op->how.dropout != 0 ? t.n : 0, op->random.key,
                    op->random.counter + word, (uint32_t)(op->how.dropout * 0x1p32),
                    (tg_real)(1 / (1 - op->how.dropout)), r);
        for (int64_t j = 0; j < t.n; j++) {
            bool out = j >= end || (mask && !mask[j * step[2]]);
            if (out) s[j] = left_out;
            r[j] = out ? 0 : op->how.dropout != 0 ? r[j] : 1;
        }
    }
}

/* e = p r, times s for the general formula. */
static void apply_dropout(const head *a, tile t)
{
    for (int64_t i = 0; !a->op->plain && i < t.rows * KEYS; i++)
        if (i % KEYS < t.n)
            a->e[i] = a->r[i] == 0 ? 0 : a->p[i] * a->r[i] * (a->op->how.times_score ? a->s[i] : 1);
}

/* ---- forward ---- */

static void forward_tile(head *a, tile t)
{
    const attention_attributes *op = a->op;
    tg_real *y = a->node->outputs[0]->data + place(a, op->tq, op->dv, t.i0);
    const int64_t row = op->heads * op->dv;
    tile_scores(a, t);
    if (!op->how.raw)
        TG_DISPATCH(tg_k_online_softmax, t.rows, t.n, KEYS, a->s, a->p, a->m + t.i0, a->l + t.i0,
                    op->dv, row, y);
    apply_dropout(a, t);
    const tg_matrix v = head_rows(a, a->node->inputs[V]->data, op->tk, op->dv, t.j0);
    multiply(a, t.rows, op->dv, t.n, (tg_matrix){a->e, KEYS, 1}, v, a->v, false, y, row);
}

static void forward_head(head *a)
{
    const attention_attributes *op = a->op;
    tg_real *y = a->node->outputs[0]->data + place(a, op->tq, op->dv, 0),
            *kept = op->kept + 2 * a->index * op->tq;
    const int64_t row = op->heads * op->dv;
    for (int64_t i = 0; i < op->tq; i++) {
        a->m[i] = -(tg_real)INFINITY, a->l[i] = 0;
        memset(y + i * row, 0, (size_t)op->dv * sizeof *y);
    }
    each_tile(a, forward_tile);
    for (int64_t i = 0; i < op->tq && !op->how.raw; i++) {
        bool nothing = a->m[i] == -(tg_real)INFINITY;
        kept[2 * i] = nothing ? (tg_real)INFINITY : a->m[i];
        kept[2 * i + 1] = nothing ? 1 : 1 / a->l[i];
        for (int64_t j = 0; !nothing && j < op->dv; j++) y[i * row + j] *= kept[2 * i + 1];
    }
}

static void attention_forward(tg_node *node) { each_head(node, forward_head, NULL); }

/* ---- backward ---- */

/* Which matrix is asked for. */
typedef enum quantity { WEIGHTS, WEIGHT_GRADS, SCORE_GRADS } quantity;

/* p of a tile again; then, unless weights alone are wanted, e and in ds dL/d(weight), which is dp, or `factor` dL/d(score). */
static void recompute_tile(const head *a, tile t, quantity wanted, tg_real factor)
{
    const attention_attributes *op = a->op;
    tile_scores(a, t);
    if (!op->how.raw)
        TG_DISPATCH(tg_k_softmax_from_stats, t.rows, t.n, KEYS, a->s,
                    op->kept + 2 * (a->index * op->tq + t.i0), a->p);
    if (wanted == WEIGHTS) return;
    apply_dropout(a, t);
    tg_matrix dy = head_rows(a, a->node->outputs[0]->grad, op->tq, op->dv, t.i0);
    if (is_single(a))
        dot_rows(t.n, op->dv, 1, dy.data,
                 head_rows(a, a->node->inputs[V]->data, op->tk, op->dv, t.j0), a->ds);
    else
        TG_DISPATCH(tg_k_gemm,
                    &(tg_product){t.rows, t.n, op->dv, dy, tg_matrix_packed(a->v_t), NULL, a->ds,
                                  KEYS},
                    NULL);
    if (op->plain && wanted == SCORE_GRADS) {
        TG_DISPATCH(tg_k_softmax_backward, t.rows, t.n, KEYS, a->p, a->l + t.i0, factor, a->ds);
        return;
    }
    for (int64_t i = 0; i < t.rows; i++) {
        const tg_real *s = a->s + i * KEYS, *p = a->p + i * KEYS, *r = a->r + i * KEYS;
        tg_real *ds = a->ds + i * KEYS;
        const tg_real sum = a->l[t.i0 + i];
        for (int64_t j = 0; j < t.n; j++) {
            tg_real de = op->plain ? ds[j] : r[j] * ds[j],
                    dp = op->how.times_score ? de * s[j] : de;
            tg_real score = (op->how.raw ? dp : p[j] * (dp - sum)) +
                            (op->how.times_score ? de * p[j] : 0);
            bool out = op->how.raw ? r[j] == 0 : s[j] == -(tg_real)INFINITY;
            ds[j] = out ? 0 : wanted == SCORE_GRADS ? factor * score : dp;
        }
    }
}

/* dy_i . y_i of every row, which raw scores do without; then tile by tile. */
static void each_tile_again(head *a, void (*function)(head *a, tile t))
{
    const tg_tensor *y = a->node->outputs[0];
    for (int64_t i = 0; i < a->queries && y->grad; i++) {
        const int64_t at = place(a, a->op->tq, a->op->dv, i);
        a->l[i] = a->op->how.raw ? 0 : TG_DISPATCH(tg_k_dot, a->op->dv, y->grad + at, y->data + at);
    }
    each_tile(a, function);
}

typedef struct gradients {
    tg_real *of[3]; /* of q, k, v; NULL where nobody wants one */
    tg_real *
        aside; /* [B, heads, 4, d]: dw, that of a tile (a sum of short sums is exacter), and what nobody wants */
} gradients;

/* C += A^T B for a tile: A [rows, n], B the head's rows from i0 on; C the head's rows from j0 on. */
static void add_transposed(head *a, const tg_real *left, tile t, const tg_real *b, int64_t width,
                           tg_real *c)
{
    const tg_matrix right = head_rows(a, b, a->op->tq, width, t.i0);
    const int64_t row = a->op->heads * width;
    c += place(a, a->op->tk, width, t.j0);
    multiply(a, t.n, width, t.rows, (tg_matrix){left, 1, KEYS}, right, a->rows, true, c, row);
}

static void scores_backward_by_pairs(const head *a, tile t, const gradients *g)
{
    const attention_attributes *op = a->op;
    const int64_t d = op->d, row = op->heads * d, q0 = place(a, op->tq, d, t.i0),
                  k0 = place(a, op->tk, d, t.j0);
    tg_real *dw = g->aside + a->index * 4 * d, *of_tile = dw + d;
    memset(of_tile, 0, (size_t)d * sizeof *of_tile);
    for (int64_t i = 0; i < t.rows; i++)
        for (int64_t j = 0; j < t.n; j++) {
            const tg_real ds = a->ds[i * KEYS + j], s = a->s[i * KEYS + j];
            const tg_real *q = a->node->inputs[Q]->data + q0 + i * row,
                          *k = a->node->inputs[K]->data + k0 + j * row;
            tg_real *dq = g->of[Q] ? g->of[Q] + q0 + i * row : dw + 2 * d,
                    *dk = g->of[K] ? g->of[K] + k0 + j * row : dw + 3 * d;
            if (ds == 0) continue;
            if (op->how.score == TG_SCORE_ADDITIVE)
                TG_DISPATCH(tg_k_additive_score_backward, d, ds, q, k,
                            a->node->inputs[SCORE]->data + a->h * d, dq, dk, of_tile);
            else TG_DISPATCH(tg_k_distance_backward, d, s == 0 ? 0 : ds / s, q, k, dq, dk);
        }
    TG_DISPATCH(tg_k_add_rows, 1, d, of_tile, 0, dw);
}

static void backward_tile(head *a, tile t)
{
    const gradients *g = a->context;
    const attention_attributes *op = a->op;
    recompute_tile(a, t, SCORE_GRADS, is_product(a) ? (tg_real)op->how.scale : 1);
    if (g->of[V]) add_transposed(a, a->e, t, a->node->outputs[0]->grad, op->dv, g->of[V]);
    if (!is_product(a)) {
        scores_backward_by_pairs(a, t, g);
        return;
    }
    if (g->of[K]) add_transposed(a, a->ds, t, a->node->inputs[Q]->data, op->d, g->of[K]);
    if (!g->of[Q]) return;
    tg_real *dq = g->of[Q] + place(a, op->tq, op->d, t.i0);
    const tg_matrix k = head_rows(a, a->node->inputs[K]->data, op->tk, op->d, t.j0);
    multiply(a, t.rows, op->d, t.n, (tg_matrix){a->ds, KEYS, 1}, k, a->k, false, dq,
             op->heads * op->d);
}

static void backward_head(head *a) { each_tile_again(a, backward_tile); }

static void attention_backward(tg_node *node)
{
    const attention_attributes *op = node->attributes;
    const int64_t heads = op->batch * op->heads, row = 4 * op->d;
    gradients g = {{tg_input_grad(node, Q), tg_input_grad(node, K), tg_input_grad(node, V)},
                   tg_scratch(node, heads * row)};
    if (!g.aside) return;
    memset(g.aside, 0, (size_t)(heads * row) * sizeof *g.aside);
    each_head(node, backward_head, &g);
    tg_real *dw = tg_input_grad(node, SCORE);
    for (int64_t i = 0; dw && i < heads; i++)
        TG_DISPATCH(tg_k_add_rows, 1, op->d, g.aside + i * row, 0, dw + i % op->heads * op->d);
}

TG_OP(attention_op, "attention", .attribute_size = sizeof(attention_attributes),
      .optional = 1 << SCORE, .shape = attention_shape, .forward = attention_forward,
      .backward = attention_backward, .flops = attention_flops);

tg_tensor *tg_attend(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                     tg_tensor *score_weight, int64_t heads, tg_attention_config how,
                     const tg_attention_mask *mask)
{
    attention_attributes op = {.heads = heads, .how = how};
    if (mask) op.mask = *mask;
    if (tg_tape_training(tape)) op.random = tape->random;
    else op.how.dropout = 0;
    return tg_apply(tape, &attention_op, &op, 4, (tg_tensor *[]){q, k, v, score_weight}, NULL);
}

/* ---- looking ---- */

typedef struct request {
    quantity what;
    tg_real *out; /* [B, heads, Tq, Tk] */
} request;

static void write_tile(head *a, tile t)
{
    const request *r = a->context;
    recompute_tile(a, t, r->what, 1);
    const tg_real *from = r->what == WEIGHTS ? a->p : a->ds;
    for (int64_t i = 0; i < t.rows; i++) {
        const int64_t row = a->index * a->op->tq + t.i0 + i;
        memcpy(r->out + row * a->op->tk + t.j0, from + i * KEYS, (size_t)t.n * sizeof *from);
    }
}

static void write_head(head *a) { each_tile_again(a, write_tile); }

static tg_tensor *matrix_of(tg_tape *tape, const tg_tensor *y, quantity what)
{
    if (!tape || tape->error.set || !y) return NULL;
    if (!y->node || y->node->op != &attention_op)
        return tg_fail(&tape->error, "attention: the tensor is not an attention's result");
    if (what != WEIGHTS && !y->has_grad)
        return tg_fail(&tape->error, "attention: gradients exist only after a backward pass");
    const attention_attributes *op = y->node->attributes;
    tg_tensor *out = tg_constant(tape, NULL, TG_SHAPE(op->batch, op->heads, op->tq, op->tk));
    if (!out) return NULL;
    each_head(y->node, write_head, &(request){what, out->data});
    tg_arena_reset(&tape->scratch);
    return tape->error.set ? NULL : out;
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
