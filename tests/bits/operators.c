/* Single operators with their gradients, on tensors large enough to be shared among threads. */
#include "bits.h"

enum { A = 3, M = 64, N = 401, IDS = 500, MAX_LENGTH = 64 };

typedef tg_tensor *unary(tg_tape *tape, tg_tensor *x);
typedef tg_tensor *binary(tg_tape *tape, tg_tensor *a, tg_tensor *b);
typedef tg_tensor *reduction(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keep);

/* Adds y and the gradients of the inputs to the digest. The loss is a weighted sum of y, so that
 * the gradient of y is not constant. */
static void finish(digest *d, tg_tape *tape, tg_tensor *y, int inputs, tg_tensor *const *x)
{
    tg_tensor *weights = y ? tg_constant(tape, NULL, y->ndim, y->shape) : NULL;
    for (int64_t i = 0; weights && i < weights->size; i++)
        weights->data[i] = (tg_real)(i % 37 - 18) / 16;
    tg_backward(tape, tg_sum(tape, tg_mul(tape, y, weights), TG_ALL_AXES, false));
    digest_tensor(d, y);
    for (int i = 0; i < inputs; i++) digest_tensor(d, x[i]);
    check_errors(d->name, tape, NULL);
    tg_tape_reset(tape);
}

static void run_unary(tg_tape *tape)
{
    static unary *const operators[] = {tg_neg,    tg_exp,     tg_log,         tg_sqrt,
                                       tg_square, tg_tanh,    tg_sigmoid,     tg_relu,
                                       tg_gelu,   tg_softmax, tg_log_softmax, tg_l2_normalize};
    digest d = digest_new("operators of one tensor");
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        for (int wide = 0; wide < 2; wide++) {
            const bool positive = operators[i] == tg_log || operators[i] == tg_sqrt;
            const double high = wide ? 20 : 1, low = positive ? 0.01 : -high;
            tg_tensor *x = filled(tape, "x", i, low, high, TG_SHAPE(A, M, N));
            finish(&d, tape, operators[i](tape, x), 1, &x);
        }
    for (int i = 0; i < 2; i++) {
        tg_tensor *x = filled(tape, "x", 90, -2, 2, TG_SHAPE(A, M, N)), *y;
        if (i) y = tg_dropout(tape, x, 0.3);
        else y = tg_permute(tape, tg_affine(tape, x, 1.7, 0.3), TG_AXES(2, 0, 1));
        finish(&d, tape, y, 1, &x);
    }
    digest_print(&d, NULL);
}

static void run_binary(tg_tape *tape)
{
    static binary *const operators[] = {tg_add, tg_sub, tg_mul, tg_div, tg_maximum};
    static const struct {
        int ndim;
        int64_t size[3];
    } shapes[] = {{3, {A, M, N}}, {1, {N}}, {3, {A, 1, N}}, {2, {M, 1}}}; /* of b */
    digest d = digest_new("operators of two tensors");
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
            tg_tensor *x[2] = {filled(tape, "a", i, 0.1, 2, TG_SHAPE(A, M, N)),
                               filled(tape, "b", i, 0.1, 2, shapes[k].ndim, shapes[k].size)};
            finish(&d, tape, operators[i](tape, x[0], x[1]), 2, x);
        }
    for (int way = 0; way < 3; way++) {
        tg_tensor *x[3] = {filled(tape, "a", 9, 0, 1, TG_SHAPE(M, N)),
                           filled(tape, "b", 9, 0, 1, TG_SHAPE(N)), NULL};
        x[2] = filled(tape, "c", 9, 0, 1, way < 2 ? 1 : 2,
                      way < 2 ? (int64_t[]){N} : (int64_t[]){M, N});
        tg_tensor *bias = way ? x[2] : NULL;
        tg_tensor *y = way < 2
                           ? tg_layer_norm(tape, x[0], x[1], bias, 1e-5)
                           : tg_binary_cross_entropy_with_logits(tape, x[0], tg_detach(tape, x[2]));
        finish(&d, tape, y, 3, x);
    }
    digest_print(&d, NULL);
}

static void run_reductions(tg_tape *tape)
{
    static reduction *const operators[] = {tg_sum, tg_mean, tg_max, tg_logsumexp};
    const tg_axes axes[] = {TG_AXES(0), TG_AXES(1), TG_AXES(-1), TG_AXES(0, 2), TG_ALL_AXES};
    digest d = digest_new("reductions");
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        for (size_t a = 0; a < sizeof axes / sizeof axes[0]; a++) {
            tg_tensor *x = filled(tape, "x", i, -3, 3, TG_SHAPE(A, M, N));
            finish(&d, tape, operators[i](tape, x, axes[a], a % 2), 1, &x);
        }
    digest_print(&d, NULL);
}

/* Operator number `index` on a [M, N] or b [A, M, MAX_LENGTH]. */
static tg_tensor *choose(tg_tape *tape, int index, tg_tensor *a, tg_tensor *b)
{
    static uint8_t bytes[M * N];
    int32_t ids[IDS];
    const int32_t lengths[A] = {MAX_LENGTH, 0, MAX_LENGTH / 3};
    fill_ints(ids, IDS, "ids", 0, M);
    for (int i = 0; i < M * N; i++) bytes[i] = i % 7 != 0;
    const tg_mask mask = tg_mask_nd(bytes, TG_SHAPE(M, N));
    switch (index) {
    case 0: return tg_gather(tape, a, tg_ints_1d(ids, IDS), 3);
    case 1: return tg_where(tape, mask, a, tg_neg(tape, a));
    case 2: return tg_softmax_masked(tape, a, mask);
    case 3: return tg_softmax_lengths(tape, b, tg_ints_1d(lengths, A));
    default: return tg_zero_padding(tape, b, tg_ints_1d(lengths, A));
    }
}

static void run_choices(tg_tape *tape)
{
    digest d = digest_new("gather, masks and lengths");
    for (int index = 0; index < 5; index++) {
        tg_tensor *x[2] = {filled(tape, "a", 1, -2, 2, TG_SHAPE(M, N)),
                           filled(tape, "b", 1, -2, 2, TG_SHAPE(A, M, MAX_LENGTH))};
        finish(&d, tape, choose(tape, index, x[0], x[1]), 2, x);
    }
    digest_print(&d, NULL);
}

void run_operators(void)
{
    tg_tape *tape = tg_tape_new(7);
    run_unary(tape);
    run_binary(tape);
    run_reductions(tape);
    run_choices(tape);
    tg_tape_free(tape);
}

/* Every transposition; edges of tiles and blocks; sizes that threads share by rows, by columns and
 * by both. */
void run_products(void)
{
    static const int64_t sizes[][3] = {{1, 1, 1},      {1, 300, 70},    {5, 17, 3},
                                       {13, 47, 300},  {200, 100, 130}, {601, 33, 101},
                                       {7, 1030, 400}, {65, 640, 513}};
    tg_tape *tape = tg_tape_new(8);
    digest d = digest_new("products");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int way = 0; way < 4; way++) {
            const int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            const bool ta = way & 1, tb = way & 2;
            tg_tensor *x[2] = {filled(tape, "a", i, -1, 1, TG_SHAPE(ta ? k : m, ta ? m : k)),
                               filled(tape, "b", i, -1, 1, TG_SHAPE(tb ? n : k, tb ? k : n))};
            int transpose = TG_TRANSPOSE_NONE;
            if (ta) transpose |= TG_TRANSPOSE_A;
            if (tb) transpose |= TG_TRANSPOSE_B;
            tg_tensor *y = tg_matmul_transposed(tape, x[0], x[1], (tg_transpose)transpose);
            finish(&d, tape, y, 2, x);
        }
    /* Batches, with a matrix for each or one for all. */
    for (int shared = 0; shared < 2; shared++) {
        tg_tensor *x[2] = {filled(tape, "a", 90, -1, 1, TG_SHAPE(6, 50, 70)), NULL};
        x[1] = filled(tape, "b", 90, -1, 1, TG_SHAPE(shared ? 1 : 6, 70, 90));
        finish(&d, tape, tg_matmul(tape, x[0], x[1]), 2, x);
    }
    digest_print(&d, NULL);
    tg_tape_free(tape);
}
