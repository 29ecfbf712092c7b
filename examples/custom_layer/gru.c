/* The GRU (Cho et al., 2014) in PyTorch's form. For each step t, from h_0 = 0:
 *
 *     u = W_ih x_t + b_ih        v = W_hh h_(t-1) + b_hh        both [3H]: parts r, z, n
 *     r = sigmoid(u_r + v_r)     z = sigmoid(u_z + v_z)     n = tanh(u_n + r v_n)
 *     h_t = n + z (h_(t-1) - n)
 *
 * Backward, from dh = dL/dh_t (what step t + 1 passed back, plus dL/dy_t):
 *
 *     dz = dh (h_(t-1) - n)      dn = dh (1 - z)
 *     du_n = dn (1 - n^2)        dr = du_n v_n         dv_n = du_n r
 *     du_r = dv_r = dr r (1 - r)                       du_z = dv_z = dz z (1 - z)
 *     dh_(t-1) = dh z + dv W_hh
 *
 * u is one product for all steps, and so are the gradients of both weights and of x; only v has to
 * wait for the step before. Everything is stored by time: row t B + b of a [T, B, ..] array belongs
 * to step t of sequence b. A sequence that has ended carries its h along, and adds nothing to any
 * gradient. */
#include "gru.h"

#include <string.h>

enum { X, W_IH, W_HH, B_IH, B_HH, INPUTS };

typedef struct gru_attributes {
    tg_ints lengths;
    int64_t B, T, I, H; /* from the shape rule */
    tg_real *x;         /* [T, B, I] the input by time, zeros past each length */
    tg_real *u, *v;     /* [T, B, 3H] u becomes r, z, n, then du; v becomes dv */
    tg_real *h;         /* [T + 1, B, H] h_0 .. h_T */
} gru_attributes;

static bool gru_shape(tg_node *node)
{
    gru_attributes *g = node->attributes;
    const tg_tensor *x = node->inputs[X], *w = node->inputs[W_IH];
    if (x->ndim != 3 || x->shape[2] != w->shape[1])
        return tg_node_fail(node, "x %s does not fit weight %s: it must be [B, T, I]",
                            tg_tensor_str(x).text, tg_tensor_str(w).text);
    g->B = x->shape[0];
    g->T = x->shape[1];
    g->I = x->shape[2];
    g->H = w->shape[0] / 3;
    return tg_copy_lengths(node, "lengths", &g->lengths, g->B, g->T) &&
           tg_output(node, TG_SHAPE(g->B, g->T, g->H)) != NULL;
}

static double gru_flops(const tg_node *node)
{
    const gru_attributes *g = node->attributes;
    return 6.0 * (double)(g->B * g->T) * (double)g->H * (double)(g->I + g->H);
}

/* One row of one step: u, v and h_(t-1) give r, z, n (in u) and h_t. */
static void gates(int64_t H, tg_real *u, const tg_real *v, const tg_real *before, tg_real *after)
{
    const tg_real *z = u + H, *n = u + 2 * H;
    tg_array_add(2 * H, v, u);
    tg_array_sigmoid(2 * H, u, u);
    for (int64_t j = 0; j < H; j++) u[2 * H + j] += u[j] * v[2 * H + j];
    tg_array_tanh(H, n, u + 2 * H);
    for (int64_t j = 0; j < H; j++) after[j] = n[j] + z[j] * (before[j] - n[j]);
}

static void gru_forward_pass(tg_node *node)
{
    gru_attributes *g = node->attributes;
    const int64_t B = g->B, T = g->T, I = g->I, H = g->H;
    const tg_real *x = node->inputs[X]->data;
    tg_real *y = node->outputs[0]->data;
    g->x = tg_save(node, T * B * I);
    g->u = tg_save(node, T * B * 3 * H);
    g->v = tg_save(node, T * B * 3 * H);
    g->h = tg_save(node, (T + 1) * B * H);
    const tg_matrix w_hh = tg_node_pack_weight(node, node->inputs[W_HH]);
    if (!g->x || !g->u || !g->v || !g->h || !w_hh.data) return;
    for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < B; b++) {
            const bool inside = t < g->lengths.data[b];
            tg_real *row = g->x + (t * B + b) * I;
            if (inside) memcpy(row, x + (b * T + t) * I, (size_t)I * sizeof *x);
            else memset(row, 0, (size_t)I * sizeof *x);
        }
    tg_node_linear(node, T * B, (tg_matrix){g->x, I, 1}, node->inputs[W_IH], node->inputs[B_IH],
                   g->u);
    memset(g->h, 0, (size_t)(B * H) * sizeof *g->h);
    for (int64_t t = 0; t < T; t++) {
        const tg_real *before = g->h + t * B * H;
        tg_real *after = g->h + (t + 1) * B * H, *u = g->u + t * B * 3 * H,
                *v = g->v + t * B * 3 * H;
        tg_matmul_packed(&(tg_product){.m = B,
                                       .n = 3 * H,
                                       .k = H,
                                       .a = {before, H, 1},
                                       .b = w_hh,
                                       .start = node->inputs[B_HH]->data,
                                       .c = v,
                                       .c_row = 3 * H});
        for (int64_t b = 0; b < B; b++) {
            const bool inside = t < g->lengths.data[b];
            tg_real *out = y + (b * T + t) * H;
            if (inside) gates(H, u + b * 3 * H, v + b * 3 * H, before + b * H, after + b * H);
            else memcpy(after + b * H, before + b * H, (size_t)H * sizeof *after);
            if (inside) memcpy(out, after + b * H, (size_t)H * sizeof *out);
            else memset(out, 0, (size_t)H * sizeof *out);
        }
    }
}

/* One row of one step back: u holds r, z, n and becomes du; v becomes dv; dh becomes its direct
 * part of dh_(t-1). */
static void gates_backward(int64_t H, tg_real *u, tg_real *v, const tg_real *before, tg_real *dh)
{
    for (int64_t j = 0; j < H; j++) {
        const tg_real r = u[j], z = u[H + j], n = u[2 * H + j];
        const tg_real du_n = dh[j] * (1 - z) * (1 - n * n);
        u[j] = du_n * v[2 * H + j] * r * (1 - r);
        u[H + j] = dh[j] * (before[j] - n) * z * (1 - z);
        u[2 * H + j] = du_n;
        v[j] = u[j];
        v[H + j] = u[H + j];
        v[2 * H + j] = du_n * r;
        dh[j] *= z;
    }
}

/* From du and dv of all steps to the weights, the biases and x. */
static void gru_backward_products(tg_node *node)
{
    const gru_attributes *g = node->attributes;
    const int64_t B = g->B, T = g->T, rows = T * B, I = g->I, H = g->H;
    const tg_matrix du = {g->u, 3 * H, 1}, dv = {g->v, 3 * H, 1}, x = {g->x, I, 1},
                    h = {g->h, H, 1};
    tg_input_grad_matmul(node, W_IH, 3 * H, I, rows, tg_matrix_transposed(du), x);
    tg_input_grad_matmul(node, W_HH, 3 * H, H, rows, tg_matrix_transposed(dv), h);
    tg_real *db_ih = tg_input_grad(node, B_IH), *db_hh = tg_input_grad(node, B_HH);
    if (db_ih) tg_array_add_rows(rows, 3 * H, g->u, db_ih);
    if (db_hh) tg_array_add_rows(rows, 3 * H, g->v, db_hh);
    tg_real *dx = tg_input_grad(node, X), *by_time = dx ? tg_scratch(node, rows * I) : NULL;
    if (!by_time) return;
    const tg_matrix w_ih = {node->inputs[W_IH]->data, I, 1};
    tg_node_matmul(
        node,
        &(tg_product){.m = rows, .n = I, .k = 3 * H, .a = du, .b = w_ih, .c = by_time, .c_row = I});
    for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < B; b++)
            if (t < g->lengths.data[b])
                tg_array_add(I, by_time + (t * B + b) * I, dx + (b * T + t) * I);
}

static void gru_backward(tg_node *node)
{
    const gru_attributes *g = node->attributes;
    const int64_t B = g->B, T = g->T, H = g->H;
    const tg_real *dy = node->outputs[0]->grad;
    tg_real *dh = tg_scratch(node, B * H);
    const tg_matrix weight = {node->inputs[W_HH]->data, H, 1};
    const tg_matrix w_hh = tg_node_pack(node, 3 * H, H, weight);
    if (!dh || !w_hh.data) return;
    memset(dh, 0, (size_t)(B * H) * sizeof *dh);
    for (int64_t t = T - 1; t >= 0; t--) {
        tg_real *u = g->u + t * B * 3 * H, *v = g->v + t * B * 3 * H;
        for (int64_t b = 0; b < B; b++) {
            const size_t bytes = (size_t)(3 * H) * sizeof *u;
            if (t < g->lengths.data[b]) {
                tg_array_add(H, dy + (b * T + t) * H, dh + b * H);
                gates_backward(H, u + b * 3 * H, v + b * 3 * H, g->h + (t * B + b) * H, dh + b * H);
            } else {
                memset(u + b * 3 * H, 0, bytes);
                memset(v + b * 3 * H, 0, bytes);
            }
        }
        tg_matmul_packed(&(tg_product){.m = B,
                                       .n = H,
                                       .k = 3 * H,
                                       .a = {v, 3 * H, 1},
                                       .b = w_hh,
                                       .start = dh,
                                       .c = dh,
                                       .c_row = H});
    }
    gru_backward_products(node);
}

static const tg_op gru_op = {.name = "gru",
                             .attribute_size = sizeof(gru_attributes),
                             .shape = gru_shape,
                             .forward = gru_forward_pass,
                             .backward = gru_backward,
                             .flops = gru_flops};

bool gru_init(gru *layer, tg_params *params, const char *name, int64_t input, int64_t hidden)
{
    const tg_init start = tg_init_fan_in(hidden);
    layer->weight_ih = tg_param(params, name, "weight_ih_l0", TG_SHAPE(3 * hidden, input), start);
    layer->weight_hh = tg_param(params, name, "weight_hh_l0", TG_SHAPE(3 * hidden, hidden), start);
    layer->bias_ih = tg_param(params, name, "bias_ih_l0", TG_SHAPE(3 * hidden), start);
    layer->bias_hh = tg_param(params, name, "bias_hh_l0", TG_SHAPE(3 * hidden), start);
    return layer->bias_hh != NULL;
}

tg_tensor *gru_forward(tg_tape *tape, const gru *layer, tg_tensor *x, tg_ints lengths)
{
    const gru_attributes attributes = {.lengths = lengths};
    tg_tensor *inputs[INPUTS] = {x, layer->weight_ih, layer->weight_hh, layer->bias_ih,
                                 layer->bias_hh};
    return tg_apply(tape, &gru_op, &attributes, INPUTS, inputs, NULL);
}
