/* The layer of faulty_layer.h. */
#ifdef _OPENMP
#include <omp.h>
#endif

#include "faulty_layer.h"

static test_fault planted;
static int64_t calls;
static tg_params *own; /* those that init received last */
static tg_real carried;

typedef struct mean_attributes {
    tg_ints lengths;
    tg_real *grown;
    bool without_lengths; /* tg_full_length() */
} mean_attributes;

/* ---- the shape rule ---- */

static bool all_lengths_are(const tg_node *node, int64_t length)
{
    const mean_attributes *op = node->attributes;
    for (int64_t b = 0; b < node->inputs[0]->shape[0]; b++)
        if (op->lengths.data[b] != length) return false;
    return true;
}

/* The faults that refuse a legal input. */
static bool refuses(tg_node *node)
{
    const mean_attributes *op = node->attributes;
    const int64_t B = node->inputs[0]->shape[0], T = node->inputs[0]->shape[1];
    const bool given = op->lengths.data != NULL;
    if (planted == NO_EMPTY && given && all_lengths_are(node, 0))
        tg_node_fail(node, "nothing to read");
    if (planted == NOT_FULL && !given) tg_node_fail(node, "no lengths");
    if (planted == NOT_ALL_FULL && given && B > 1 && all_lengths_are(node, T))
        tg_node_fail(node, "no padding");
    if (planted == FEW_ROWS && B > 10) tg_node_fail(node, "too many rows");
    if (planted == SHORT_ONLY && T > 200) tg_node_fail(node, "too long");
    if (planted == SECOND_FAILS && ++calls == 2) tg_node_fail(node, "the second call");
    return tg_tape_error(node->tape) != NULL;
}

static bool test_mean_shape(tg_node *node)
{
    mean_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1];
    if (planted == CRASH_AXES && x->ndim < 3) abort();
    if (x->ndim != 3) {
        if (planted == ANY_AXES) return tg_output_like(node, x) != NULL;
        return tg_node_fail(node, "x has %d axes", x->ndim);
    }
    if (x->shape[2] != w->size && planted != ANY_WIDTH)
        return tg_node_fail(node, "x %s, weight %s", tg_tensor_str(x).text, tg_tensor_str(w).text);
    if (refuses(node)) return false;
    op->without_lengths = !op->lengths.data;
    tg_ints unused = op->lengths, *copy = planted == NOT_COPIED ? &unused : &op->lengths;
    const bool any = planted == ANY_LENGTH && copy->data;
    if (any ? !tg_copy_ints(node, copy)
            : !tg_copy_lengths(node, "lengths", copy, x->shape[0], x->shape[1]))
        return false;
    return tg_output(node, TG_SHAPE(x->shape[0], w->size)) != NULL;
}

/* ---- forward and backward ---- */

/* Sums every `stride`-th number, in as many parts as there are threads if `by_threads`. */
static tg_real sum_of(const tg_real *x, int64_t count, int64_t stride, bool by_threads)
{
    int64_t parts = 1;
#ifdef _OPENMP
    if (by_threads) parts = omp_get_max_threads();
#endif
    (void)by_threads;
    tg_real sum = 0;
    for (int64_t c = 0; c < parts; c++) {
        tg_real part = 0;
        for (int64_t i = count * c / parts; i < count * (c + 1) / parts; i++) part += x[i * stride];
        sum += part;
    }
    return sum;
}

/* Number of positions that are read. */
static int64_t read_length(const tg_node *node, int64_t b)
{
    const mean_attributes *op = node->attributes;
    const int64_t length = op->lengths.data[b], T = node->inputs[0]->shape[1];
    if (planted == ONE_TOO_FAR && length && length < T) return length + 1;
    return length > T || length < 0 ? T : length;
}

static tg_real divisor(const tg_node *node, int64_t b)
{
    const int64_t length = read_length(node, b);
    if (planted == MEAN_OVER_T) return (tg_real)node->inputs[0]->shape[1];
    return (tg_real)(length ? length : 1);
}

/* The place in x of the sequence that NEIGHBOUR reads, or -1. */
static int64_t neighbour_of(const tg_node *node, int64_t b)
{
    const tg_tensor *x = node->inputs[0];
    if (planted != NEIGHBOUR || x->shape[0] == 1 || !read_length(node, b)) return -1;
    return (b ? 0 : x->shape[0] - 1) * x->shape[1] * x->shape[2];
}

static void test_mean_forward(tg_node *node)
{
    mean_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1];
    tg_real *y = node->outputs[0]->data;
    if (x->ndim != 3) return;
    if (planted == GROWS) op->grown = tg_save(node, 64 * ++calls);
    const int64_t T = x->shape[1], I = w->size;
    for (int64_t b = 0; b < x->shape[0]; b++)
        for (int64_t i = 0; i < I; i++) {
            const int64_t neighbour = neighbour_of(node, b);
            tg_real mean = sum_of(x->data + b * T * I + i, read_length(node, b), I,
                                  planted == THREADS) /
                           divisor(node, b);
            if (neighbour >= 0) mean += x->data[neighbour];
            y[b * I + i] = w->data[i] * mean;
        }
    if (planted == OTHER_IN_FULL && op->without_lengths) y[0] += 1;
    if (planted == COUNTER) y[0] += (tg_real)++calls;
    if (planted == CARRIED) {
        y[0] += carried;
        carried = x->data[0];
    }
}

/* dx of sequence b and feature i, by g = dL/d(mean) / length. */
static void add_dx(const tg_node *node, int64_t b, int64_t i, tg_real g, tg_real *dx)
{
    const tg_tensor *x = node->inputs[0];
    const int64_t T = x->shape[1], I = x->shape[2], length = read_length(node, b);
    for (int64_t t = 0; t < length; t++) {
        const int64_t to = planted == LATE_DX && t ? t - 1 : t;
        tg_real *element = dx + (b * T + to) * I + i;
        *element = planted == SET_DX ? g : *element + g;
    }
}

/* dw of feature i by sequence b. */
static tg_real dw_of(const tg_node *node, int64_t b, int64_t i)
{
    const tg_tensor *x = node->inputs[0];
    const int64_t T = x->shape[1], I = x->shape[2];
    const tg_real dy = node->outputs[0]->grad[b * I + i], share = 1 / divisor(node, b);
    tg_real g = dy *
                sum_of(x->data + b * T * I + i, read_length(node, b), I, planted == THREADS_BACK) *
                share;
    if (planted == SIGN) g = -g;
    if (planted == SCALE) g *= (tg_real)1.00001;
    if (planted == ONE_ELEMENT && i == 1) g *= 2;
    if (planted == COUNTER_BACK && b == 0) g += (tg_real)++calls;
    return g;
}

static void test_mean_backward(tg_node *node)
{
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1];
    const tg_real *dy = node->outputs[0]->grad;
    const bool no_dx = planted == NO_DX || (planted == DX_AT_TIMES && ++calls > 2);
    tg_real *dx = no_dx ? NULL : tg_input_grad(node, 0), *dw = tg_input_grad(node, 1);
    const int64_t I = x->shape[2];
    if ((planted == CRASH_DX && !dx) || (planted == CRASH_DW && !dw)) abort();
    for (int64_t b = 0; b < x->shape[0]; b++)
        for (int64_t i = 0; i < I; i++) {
            const int64_t neighbour = neighbour_of(node, b);
            const tg_real g = dw_of(node, b, i), dmean = dy[b * I + i] * w->data[i];
            if (dw) dw[i] = planted == SET_DW && b == 0 ? g : dw[i] + g;
            if (dw && neighbour >= 0) dw[i] += dy[b * I + i] * x->data[neighbour];
            if (dx && neighbour >= 0) dx[neighbour] += dmean;
            if (dx) add_dx(node, b, i, dmean * (1 / divisor(node, b)), dx);
        }
}

static const tg_op test_mean = {.name = "test_mean",
                                .attribute_size = sizeof(mean_attributes),
                                .shape = test_mean_shape,
                                .forward = test_mean_forward,
                                .backward = test_mean_backward};

/* ---- the layer ---- */

typedef struct mean_layer {
    tg_tensor *weight;
} mean_layer;

static bool mean_init(void *self, tg_params *params, const char *name)
{
    mean_layer *layer = self;
    own = params;
    if (planted == NO_INIT) return false;
    if (planted == CRASH_INIT) abort();
    if (planted == NOT_FROM_FILE && tg_params_is_loading(params)) return false;
    layer->weight = tg_param(params, planted == WRONG_NAME ? "mean" : name, "weight", TG_SHAPE(3),
                             tg_init_uniform(1));
    if (planted == UNREAD) tg_param(params, name, "bias", TG_SHAPE(3), tg_init_uniform(1));
    if (planted == RIGHT && layer->weight && !tg_params_is_loading(params))
        layer->weight->data[2] = 1;
    if (planted == NOT_LOADED && layer->weight) layer->weight->data[2] = 1;
    return layer->weight != NULL;
}

static void register_parameter(void)
{
    char name[32];
    snprintf(name, sizeof name, "extra%d", (int)++calls);
    tg_param(own, "layer", name, TG_SHAPE(1), tg_init_constant(0));
}

static tg_tensor *mean_forward(tg_tape *tape, const void *self, tg_tensor *x, tg_ints lengths)
{
    const mean_layer *layer = self;
    if (planted == CRASH_NULL && !x) abort();
    if (planted == DEAF && !x) return layer->weight;
    if (planted == SILENT && x && x->shape[x->ndim - 1] != 3) return NULL;
    if (planted == MUTE) return NULL;
    if (planted == PARAMS_FAIL) tg_param(own, "layer", "", TG_SHAPE(1), tg_init_constant(0));
    if (planted == REGISTERS_LATE) calls++;
    if ((planted == REGISTERS && calls < 100) ||
        (planted == REGISTERS_LATE && calls > 1 && tg_params_count(own) < 9))
        register_parameter();
    if (planted == BIAS_IN_PADDING)
        return tg_mul(tape, tg_add(tape, tg_zero_padding(tape, x, lengths), layer->weight),
                      layer->weight);
    mean_attributes op = {.lengths = lengths};
    tg_tensor *y = tg_apply(tape, &test_mean, &op, 2, (tg_tensor *[]){x, layer->weight}, NULL);
    const bool narrow = (planted == NARROW_IN_FULL && !lengths.data) ||
                        (planted == NARROW_IF_LONG && x && x->shape[1] > 7);
    if (y && narrow) return tg_slice(tape, y, 1, 0, 2);
    return planted == WRONG_SHAPE && y ? tg_permute(tape, y, TG_AXES(1, 0)) : y;
}

tg_checked_layer test_faulty_layer(test_fault fault)
{
    static mean_layer layer;
    planted = fault;
    calls = 0;
    carried = 0;
    return (
        tg_checked_layer){.layer = &layer, .init = mean_init, .forward = mean_forward, .input = 3};
}
