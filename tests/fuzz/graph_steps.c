/* The operators of random graphs. */
#include "graph.h"

/* ---- shapes and numbers ---- */

bool graph_odd(graph *g) { return g->wild && fuzz_choose(&g->input, 4) == 3; }

static int64_t product(test_shape shape) { return test_shape_size(shape); }

/* Small sizes; sometimes 0, or one that fills a vector and leaves a remainder. */
static int64_t any_size(graph *g)
{
    static const int64_t sizes[] = {2, 1, 3, 2, 1, 4, 0, 3, 1, 2, 5, 9, 17};
    return sizes[fuzz_choose(&g->input, (int)COUNT(sizes))];
}

test_shape graph_shape(graph *g)
{
    test_shape shape = {.ndim = fuzz_choose(&g->input, 5)};
    int64_t product = 1;
    for (int d = 0; d < shape.ndim; d++) {
        shape.size[d] = any_size(g);
        if (product * shape.size[d] > 60) shape.size[d] = 1;
        product *= shape.size[d] ? shape.size[d] : 1;
    }
    return shape;
}

static void fill(tg_tensor *x, uint64_t seed)
{
    if (x) test_fill(x->data, x->size, seed, -1.5, 1.5);
}

/* Decides once, when the graph is built for the first time, whether the new value is a parameter:
 * later builds have more parameters. */
static void make_fresh(graph *g, test_shape shape)
{
    char name[32];
    snprintf(name, sizeof name, "p%d", g->fresh_made);
    tg_tensor *x = NULL;
    if (tg_params_size(g->params) + product(shape) <= MAX_LEARNED)
        x = tg_param(g->params, NULL, name, shape.ndim, shape.size, tg_init_constant(0));
    fill(x, fuzz_byte(&g->input) + 256u * (uint64_t)g->fresh_made);
    g->fresh[g->fresh_made++] = x;
}

value graph_fresh(graph *g, test_shape shape)
{
    const uint8_t seed = g->input.size ? *g->input.bytes : 0;
    if (g->next_fresh == MAX_FRESH) return (value){NULL, 0};
    if (g->next_fresh == g->fresh_made) make_fresh(g, shape);
    else fuzz_byte(&g->input);
    tg_tensor *x = g->fresh[g->next_fresh++];
    if (!x) {
        x = tg_constant(g->tape, NULL, shape.ndim, shape.size);
        fill(x, seed);
    }
    return (value){x, 1.5};
}

value graph_bounded(graph *g, value x, double bound)
{
    if (x.bound <= bound) return x;
    return (value){tg_affine(g->tape, x.tensor, bound / x.bound, 0), bound};
}

/* x, mapped to numbers between 0.25 and 1.25. */
static tg_tensor *positive(graph *g, tg_tensor *x)
{
    return tg_affine(g->tape, tg_sigmoid(g->tape, x), 1, 0.25);
}

void graph_lengths(graph *g, int32_t *lengths, int64_t count, int64_t time)
{
    const uint64_t seed = fuzz_byte(&g->input);
    for (int64_t i = 0; i < count; i++)
        lengths[i] = (int32_t)test_number(seed, i, 0, (double)time + 0.999);
    if (count && graph_odd(g)) lengths[0] = (int32_t)time + 1;
    if (count && graph_odd(g)) lengths[0] = -1;
}

/* Some axes of `to` are missing at the front, some have the size 1. */
static test_shape smaller(graph *g, const test_shape *to)
{
    test_shape shape = {.ndim = to->ndim - fuzz_choose(&g->input, to->ndim + 1)};
    const uint8_t ones = fuzz_byte(&g->input);
    for (int d = 0; d < shape.ndim; d++) {
        const int64_t size = to->size[to->ndim - shape.ndim + d];
        shape.size[d] = ones >> d & 1 ? 1 : size;
        if (graph_odd(g)) shape.size[d] = size + 1;
    }
    return shape;
}

tg_mask graph_mask(graph *g, uint8_t bytes[MAX_NUMBERS], const test_shape *to)
{
    const test_shape shape = smaller(g, to);
    const uint64_t seed = fuzz_byte(&g->input);
    for (int i = 0; i < MAX_NUMBERS; i++) bytes[i] = test_number(seed, i, 0, 1) < 0.6;
    return tg_mask_nd(bytes, product(shape) <= MAX_NUMBERS ? shape.ndim : 0, shape.size);
}

/* ---- two operands ---- */

/* Marks value i as read. The first parameter is never marked: it is always part of the loss, which
 * therefore has a gradient. */
static value read_value(graph *g, int i)
{
    g->read[i] = i > 0;
    return g->values[i];
}

/* The shape that two shapes broadcast to; false if they do not, or if it is too large for a small
 * graph. */
static bool broadcast(const test_shape *a, const test_shape *b, test_shape *shape)
{
    shape->ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int d = 0; d < shape->ndim; d++) {
        const int in_a = d - shape->ndim + a->ndim, in_b = d - shape->ndim + b->ndim;
        const int64_t size_a = in_a < 0 ? 1 : a->size[in_a], size_b = in_b < 0 ? 1 : b->size[in_b];
        if (size_a != size_b && size_a != 1 && size_b != 1) return false;
        shape->size[d] = size_a == 1 ? size_b : size_a;
    }
    return product(*shape) <= MAX_NUMBERS;
}

/* The other operand: x itself, another value, or a new one of x's shape or of one that broadcasts
 * to it. */
static value second_operand(graph *g, value x)
{
    test_shape shape = shape_of(x.tensor), other, common;
    const int choice = fuzz_choose(&g->input, 4);
    if (choice == 0) return x;
    if (choice == 1) {
        const int i = fuzz_choose(&g->input, g->count);
        other = shape_of(g->values[i].tensor);
        if (broadcast(&shape, &other, &common) || g->wild) return read_value(g, i);
    }
    return graph_fresh(g, smaller(g, &shape));
}

static value binary(graph *g, value x)
{
    value y = second_operand(g, x);
    uint8_t bytes[MAX_NUMBERS];
    const bool swapped = fuzz_choose(&g->input, 2);
    const int kind = fuzz_choose(&g->input, 6);
    if (swapped) {
        const value z = x;
        x = y;
        y = z;
    }
    tg_tensor *a = x.tensor, *b = y.tensor;
    if (!a || !b) return (value){NULL, 0};
    const double larger = fmax(x.bound, y.bound);
    test_shape sa = shape_of(a), sb = shape_of(b), common;
    switch (kind) {
    case 0: return (value){tg_add(g->tape, a, b), x.bound + y.bound};
    case 1: return (value){tg_sub(g->tape, a, b), x.bound + y.bound};
    case 2: return (value){tg_mul(g->tape, a, b), x.bound * y.bound};
    case 3: return (value){tg_div(g->tape, a, positive(g, b)), 4 * x.bound};
    case 4: return (value){tg_maximum(g->tape, a, b), larger};
    default:
        if (!broadcast(&sa, &sb, &common)) common = sa;
        return (value){tg_where(g->tape, graph_mask(g, bytes, &common), a, b), larger};
    }
}

/* a [.., M, K] times b [.., K, N]; each may be stored transposed. */
static value multiply(graph *g, value x)
{
    const tg_tensor *a = x.tensor;
    if (a->ndim < 2 && !g->wild)
        return (value){tg_matmul(g->tape, tg_reshape(g->tape, x.tensor, TG_SHAPE(-1, 1)),
                                 graph_fresh(g, (test_shape)S(1, 2)).tensor),
                       1.5 * x.bound};
    const bool ta = fuzz_choose(&g->input, 2), tb = fuzz_choose(&g->input, 2);
    test_shape lead = shape_of(a), shape;
    const int64_t N = any_size(g);
    int64_t K = 1, M = a->shape[0];
    if (a->ndim >= 2) {
        K = a->shape[a->ndim - (ta ? 2 : 1)];
        M = a->shape[a->ndim - (ta ? 1 : 2)];
    }
    lead.ndim = a->ndim < 2 ? 0 : a->ndim - 2;
    shape = smaller(g, &lead);
    if (product(lead) * M * N > MAX_NUMBERS) return x;
    shape.size[shape.ndim++] = tb ? N : K;
    shape.size[shape.ndim++] = tb ? K : N;
    const value y = graph_fresh(g, shape);
    return (value){tg_matmul_transposed(g->tape, x.tensor, y.tensor, test_transposed(ta, tb)),
                   (double)K * x.bound * y.bound};
}

/* ---- one operand ---- */

static value unary(graph *g, value x)
{
    tg_tape *t = g->tape;
    const value small = graph_bounded(g, x, 2);
    switch (fuzz_choose(&g->input, 12)) {
    case 0: return (value){tg_neg(t, x.tensor), x.bound};
    case 1: return (value){tg_exp(t, small.tensor), exp(2)};
    case 2: return (value){tg_log(t, positive(g, x.tensor)), 1.5};
    case 3: return (value){tg_sqrt(t, positive(g, x.tensor)), 1.2};
    case 4: return (value){tg_square(t, x.tensor), x.bound * x.bound};
    case 5: return (value){tg_tanh(t, x.tensor), 1};
    case 6: return (value){tg_sigmoid(t, x.tensor), 1};
    case 7: return (value){tg_relu(t, x.tensor), x.bound};
    case 8: return (value){tg_gelu(t, x.tensor), x.bound};
    case 9: return (value){tg_affine(t, x.tensor, -1.5, 0.25), 1.5 * x.bound + 0.25};
    case 10: return (value){tg_dropout(t, x.tensor, graph_odd(g) ? 1 : 0.3), x.bound / 0.7};
    default:
        return (value){tg_mul(t, x.tensor, tg_detach(t, tg_affine(t, x.tensor, 0, 3))),
                       3 * x.bound};
    }
}

/* Over the last axis. */
static value normalized(graph *g, value x)
{
    tg_tape *t = g->tape;
    uint8_t bytes[MAX_NUMBERS];
    int32_t lengths[MAX_NUMBERS];
    const tg_tensor *in = x.tensor;
    if (in->ndim == 0 && !g->wild) return x;
    const int64_t n = in->ndim ? in->shape[in->ndim - 1] : 1;
    const test_shape shape = shape_of(in), row = S(n);
    const double log_bound = 2 * x.bound + log((double)n + 1);
    value weight = {NULL, 1}, bias = {NULL, 0};
    tg_mask mask;
    switch (fuzz_choose(&g->input, 7)) {
    case 0: return (value){tg_softmax(t, x.tensor), 1};
    case 1: return (value){tg_log_softmax(t, x.tensor), log_bound};
    case 2: return (value){tg_softmax_masked(t, x.tensor, graph_mask(g, bytes, &shape)), 1};
    case 3: /* masked elements are -infinity, which a loss cannot sum */
        mask = graph_mask(g, bytes, &shape);
        return (value){tg_where_scalar(t, mask, tg_log_softmax_masked(t, x.tensor, mask), 0),
                       log_bound};
    case 4:
        if (in->ndim < 2) return x;
        graph_lengths(g, lengths, in->shape[0], n);
        return (value){tg_softmax_lengths(t, x.tensor, tg_ints_1d(lengths, in->shape[0])), 1};
    case 5: return (value){tg_l2_normalize(t, x.tensor), 1};
    default:
        if (n == 0) return x;
        if (fuzz_choose(&g->input, 2)) weight = graph_fresh(g, row);
        if (fuzz_choose(&g->input, 2)) bias = graph_fresh(g, row);
        return (value){tg_layer_norm(t, x.tensor, weight.tensor, bias.tensor, 0.1),
                       sqrt((double)n) * weight.bound + bias.bound};
    }
}

static tg_axes any_axes(graph *g, int ndim, const int64_t *shape, int64_t *reduced)
{
    tg_axes axes = {-1, {0}};
    const uint8_t chosen = fuzz_byte(&g->input), from_end = fuzz_byte(&g->input);
    *reduced = 1;
    if (chosen % 8 == 7 || !ndim) {
        for (int d = 0; d < ndim; d++) *reduced *= shape[d];
        return axes;
    }
    axes.count = 0;
    for (int d = 0; d < ndim; d++) {
        if (!(chosen >> d & 1)) continue;
        *reduced *= shape[d];
        axes.axis[axes.count++] = from_end >> d & 1 ? d - ndim : d;
    }
    if (graph_odd(g)) axes.axis[0] = fuzz_choose(&g->input, 16) - 8;
    return axes;
}

static value reduced(graph *g, value x)
{
    tg_tape *t = g->tape;
    int64_t count;
    const tg_axes axes = any_axes(g, x.tensor->ndim, x.tensor->shape, &count);
    const bool keepdim = fuzz_choose(&g->input, 2);
    int kind = fuzz_choose(&g->input, 4);
    if (count == 0 && !g->wild) kind = 0; /* only the sum over nothing has a value and a gradient */
    switch (kind) {
    case 0:
        return (value){tg_sum(t, x.tensor, axes, keepdim), x.bound * (double)(count ? count : 1)};
    case 1: return (value){tg_mean(t, x.tensor, axes, keepdim), x.bound};
    case 2: return (value){tg_max(t, x.tensor, axes, keepdim), x.bound};
    default:
        return (value){tg_logsumexp(t, x.tensor, axes, keepdim), x.bound + log((double)count + 1)};
    }
}

/* ---- shapes ---- */

static tg_tensor *reshaped(graph *g, tg_tensor *x)
{
    test_shape shape = {.ndim = fuzz_choose(&g->input, 5)};
    int64_t left = x->size;
    for (int d = 0; d < shape.ndim; d++) {
        int64_t size = 1 + fuzz_choose(&g->input, 4);
        if (left && left % size) size = 1;
        if (d + 1 == shape.ndim) size = left;
        shape.size[d] = size;
        if (left) left /= size;
    }
    if (shape.ndim == 0 && x->size != 1 && !g->wild) shape = (test_shape)S(x->size);
    if (shape.ndim && x->size && fuzz_choose(&g->input, 2)) shape.size[0] = -1;
    if (graph_odd(g)) shape.size[0] = INT64_MAX / 2;
    return tg_reshape(g->tape, x, shape.ndim, shape.size);
}

static tg_tensor *permuted(graph *g, tg_tensor *x)
{
    tg_axes order = {.count = x->ndim};
    int left = x->ndim, from[TG_MAX_DIMS];
    for (int d = 0; d < x->ndim; d++) from[d] = d;
    for (int d = 0; d < x->ndim; d++) {
        const int i = fuzz_choose(&g->input, left--);
        order.axis[d] = from[i];
        from[i] = from[left];
    }
    if (graph_odd(g)) order.axis[0] = fuzz_choose(&g->input, 16) - 8;
    return tg_permute(g->tape, x, order);
}

static int any_axis(graph *g, int ndim)
{
    if (graph_odd(g) || !ndim) return fuzz_choose(&g->input, 16) - 8;
    return fuzz_choose(&g->input, 2 * ndim) - ndim;
}

static value joined(graph *g, value x)
{
    const bool stack = fuzz_choose(&g->input, 2);
    test_shape shape = shape_of(x.tensor);
    if (4 * product(shape) > MAX_NUMBERS || (!shape.ndim && !stack && !g->wild) ||
        shape.ndim == TG_MAX_DIMS)
        return x;
    const int axis = any_axis(g, shape.ndim + stack), count = 1 + fuzz_choose(&g->input, 3);
    tg_tensor *parts[3] = {x.tensor, x.tensor, x.tensor};
    if (!stack && shape.ndim && axis >= -shape.ndim && axis < shape.ndim)
        shape.size[axis < 0 ? axis + shape.ndim : axis] = any_size(g);
    if (count > 1 && product(shape) <= 60) parts[1] = graph_fresh(g, shape).tensor;
    const double bound = fmax(x.bound, 1.5);
    return (value){stack ? tg_stack(g->tape, count, parts, axis)
                         : tg_concat(g->tape, count, parts, axis),
                   bound};
}

static tg_tensor *sliced(graph *g, tg_tensor *x)
{
    if (!x->ndim && !g->wild) return x;
    const int axis = any_axis(g, x->ndim), at = axis < 0 ? axis + x->ndim : axis;
    const int64_t size = at >= 0 && at < x->ndim ? x->shape[at] : 3;
    int64_t start = fuzz_choose(&g->input, (int)size + 1),
            stop = start + fuzz_choose(&g->input, (int)(size - start) + 1);
    if (size && stop < size && fuzz_choose(&g->input, 2)) { /* counted from the end */
        start -= start < size ? size : 0;
        stop -= size;
    }
    if (graph_odd(g)) stop += 2 * size;
    return tg_slice(g->tape, x, axis, start, stop);
}

static tg_tensor *gathered(graph *g, tg_tensor *x)
{
    int32_t ids[6];
    const int64_t count = fuzz_choose(&g->input, 7), rows = x->ndim ? x->shape[0] : 1;
    if (!rows && !g->wild) return x;
    tg_tensor *table = tg_reshape(g->tape, x, TG_SHAPE(rows, rows ? x->size / rows : 1));
    for (int i = 0; i < 6; i++) ids[i] = rows ? fuzz_choose(&g->input, (int)rows) : 0;
    if (graph_odd(g)) ids[0] = (int32_t)rows;
    const tg_ints view = count == 6 ? tg_ints_2d(ids, 2, 3) : tg_ints_1d(ids, count);
    if (count * (rows ? x->size / rows : 1) > MAX_NUMBERS) return x;
    return tg_gather(g->tape, table, view, fuzz_choose(&g->input, 4) - 1);
}

static value moved(graph *g, value x)
{
    uint8_t bytes[MAX_NUMBERS];
    int32_t lengths[MAX_NUMBERS];
    tg_tensor *y = x.tensor;
    const test_shape shape = shape_of(y);
    switch (fuzz_choose(&g->input, 7)) {
    case 0: y = reshaped(g, y); break;
    case 1: y = permuted(g, y); break;
    case 2: return joined(g, x);
    case 3: y = sliced(g, y); break;
    case 4: y = gathered(g, y); break;
    case 5:
        return (value){tg_where_scalar(g->tape, graph_mask(g, bytes, &shape), y, -0.5),
                       fmax(x.bound, 0.5)};
    default:
        if (shape.ndim < 2) return x;
        graph_lengths(g, lengths, shape.size[0], shape.size[1]);
        y = tg_zero_padding(g->tape, y, tg_ints_1d(lengths, shape.size[0]));
    }
    return (value){y, x.bound};
}

/* ---- losses ---- */

static value loss(graph *g, value x)
{
    int32_t labels[MAX_NUMBERS];
    tg_real weights[MAX_NUMBERS];
    const test_shape shape = shape_of(x.tensor);
    const int kind = fuzz_choose(&g->input, 3);
    if (x.tensor->size == 0 && !g->wild) return x;
    if (kind == 0)
        return (value){tg_mean_squared_error(g->tape, x.tensor, graph_fresh(g, shape).tensor),
                       (x.bound + 1.5) * (x.bound + 1.5)};
    if (kind == 1) {
        tg_tensor *targets = tg_constant(g->tape, NULL, shape.ndim, shape.size);
        if (targets) test_fill(targets->data, targets->size, fuzz_byte(&g->input), 0, 1);
        return (value){tg_binary_cross_entropy_with_logits(g->tape, x.tensor, targets),
                       1 + 2 * x.bound};
    }
    if (shape.ndim == 0) return x;
    const int64_t C = shape.size[shape.ndim - 1], rows = C ? x.tensor->size / C : 0;
    const uint64_t seed = fuzz_byte(&g->input);
    for (int64_t r = 0; r < rows; r++)
        labels[r] = (int32_t)test_number(seed, r, r ? -1 : 0, (double)C - 0.001);
    for (int64_t r = 0; r < rows; r++) labels[r] = labels[r] < C ? labels[r] : (int32_t)C - 1;
    for (int64_t c = 0; c < C; c++) weights[c] = (tg_real)test_number(seed, c, 0.1, 2);
    if (rows && graph_odd(g)) labels[0] = fuzz_choose(&g->input, 2) ? (int32_t)C : -2;
    tg_ints view = {.data = labels, .ndim = shape.ndim - 1};
    memcpy(view.shape, shape.size, sizeof view.shape);
    const double smoothing = fuzz_choose(&g->input, 4) / 3.0;
    tg_real *weighed = fuzz_choose(&g->input, 2) ? weights : NULL;
    return (value){tg_cross_entropy_weighted(g->tape, x.tensor, view, weighed, smoothing),
                   20 * (2 * x.bound + log((double)C))};
}

/* ---- all operators ---- */

void graph_step(graph *g)
{
    value x = read_value(g, fuzz_choose(&g->input, g->count)), y = x;
    if (!x.tensor || g->count == MAX_VALUES) return;
    switch (fuzz_choose(&g->input, 9)) {
    case 0:
    case 1: y = binary(g, x); break;
    case 2: y = unary(g, x); break;
    case 3: y = multiply(g, x); break;
    case 4: y = reduced(g, x); break;
    case 5: y = moved(g, x); break;
    case 6: y = normalized(g, x); break;
    case 7: y = loss(g, x); break;
    default: y = graph_layer(g, x);
    }
    if (!y.tensor) return;
    y = graph_bounded(g, y, 8);
    g->values[g->count++] = y;
}
