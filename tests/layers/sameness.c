/* The same bits every time: they do not depend on the contents and the length of the padding, on
 * the order of the batch, on the other sequences, or on the number of threads. */
#ifdef _OPENMP
#include <omp.h>
#endif

#include "layers.h"

enum { B = 5, MAX_T = 60 };
static const int32_t lengths[B] = {6, 0, 3, 9, 1};
enum { SHORTEST_T = 9 };

typedef enum padding { ZEROS, HUGE_NUMBERS, INFINITIES, NANS } padding;
static const double padding_values[] = {0, 1e30, INF, QNAN};

/* One of the layers that read sequences. */
typedef struct model {
    int64_t E, H;
    int kind; /* 0: LSTM of two layers in both directions; 1: additive attention; 2: both */
    tg_params *params;
    tg_lstm lstm;
    tg_additive_attention attention;
} model;

static void build(model *m)
{
    m->params = tg_params_new(5);
    if (m->kind != 1) tg_lstm_init(&m->lstm, m->params, "lstm", m->E, m->H, 2, true);
    int64_t width = m->kind == 1 ? m->E : 2 * m->H;
    if (m->kind != 0)
        tg_additive_attention_init(&m->attention, m->params, "attention", width, m->H);
    test_assert_params_clean(m->params);
}

/* The results for some of the sequences (`rows`, each 0 .. B - 1), padded to T. The input at (row,
 * t) is the same each time. */
typedef struct result {
    int64_t rows, T, width;
    tg_tape *tape;
    tg_tensor *x, *y;
    tg_real *gradients; /* of all parameters */
} result;

static tg_tensor *weights_of_loss(tg_tape *tape, const tg_tensor *y, const int *rows)
{
    tg_tensor *r = tg_constant(tape, NULL, y->ndim, y->shape);
    int64_t width = y->shape[y->ndim - 1], T = y->ndim == 3 ? y->shape[1] : 1;
    for (int64_t i = 0; i < y->size; i++) {
        int64_t row = rows[i / width / T], t = i / width % T;
        r->data[i] = (tg_real)test_number(77, (row * MAX_T + t) * width + i % width, -1, 1);
    }
    return r;
}

static result compute(model *m, int64_t n, const int *rows, int64_t T, padding what)
{
    result r = {.rows = n, .T = T, .tape = tg_tape_new(1)};
    r.x = tg_variable(r.tape, NULL, TG_SHAPE(n, T, m->E));
    int32_t own[B];
    for (int64_t i = 0; i < n; i++) own[i] = lengths[rows[i]];
    for (int64_t i = 0; i < r.x->size; i++) {
        int64_t row = i / m->E / T, t = i / m->E % T;
        r.x->data[i] = (tg_real)(t < own[row]
                                     ? test_number(7, (rows[row] * MAX_T + t) * m->E + i % m->E, -1,
                                                   1)
                                     : padding_values[what]);
    }
    tg_tensor *h = m->kind == 1 ? r.x : tg_lstm_forward(r.tape, &m->lstm, r.x, tg_ints_1d(own, n));
    r.y = m->kind == 0
              ? h
              : tg_additive_attention_forward(r.tape, &m->attention, h, tg_ints_1d(own, n), NULL);
    test_assert_clean(r.tape);
    r.width = r.y->shape[r.y->ndim - 1];
    tg_tensor *loss = tg_sum(r.tape, tg_mul(r.tape, r.y, weights_of_loss(r.tape, r.y, rows)),
                             TG_ALL_AXES, false);
    ck_assert_msg(tg_backward(r.tape, loss), "%s", tg_tape_error(r.tape));
    r.gradients = malloc((size_t)tg_params_size(m->params) * sizeof *r.gradients);
    int64_t used = 0;
    for (int64_t i = 0; i < tg_params_count(m->params); i++) {
        tg_tensor *p = tg_params_at(m->params, i);
        ck_assert_msg(p->has_grad, "%s has no gradient", p->name);
        memcpy(r.gradients + used, p->grad, (size_t)p->size * sizeof *p->grad);
        used += p->size;
    }
    tg_params_zero_grad(m->params);
    return r;
}

static void end_result(result *r)
{
    free(r->gradients);
    test_end(r->tape, NULL);
}

/* Row i of one result equals row k of another: the output and the gradient of the input have the
 * same bits within the sequence, and are 0 in the padding. */
static void assert_same_row(const char *what, const model *m, const result *a, int64_t i,
                            const result *b, int64_t k, int64_t length)
{
    if (a->y->ndim == 2)
        test_assert_same_bits(what, a->y->data + i * a->width, b->y->data + k * b->width, a->width);
    else {
        test_assert_same_bits(what, a->y->data + i * a->T * a->width,
                              b->y->data + k * b->T * b->width, length * a->width);
        for (int64_t j = length * a->width; j < a->T * a->width; j++)
            TEST_CHECK(a->y->data[i * a->T * a->width + j] == 0, "%s: the padding has an output",
                       what);
    }
    const tg_real *dx = a->x->grad + i * a->T * m->E;
    test_assert_same_bits(what, dx, b->x->grad + k * b->T * m->E, length * m->E);
    for (int64_t j = length * m->E; j < a->T * m->E; j++)
        TEST_CHECK(dx[j] == 0, "%s: the padding has a gradient", what);
}

static const int all[B] = {0, 1, 2, 3, 4};
static const int64_t widths[][2] = {{5, 7}, {19, 33}, {1, 1}, {16, 16}};
enum { KINDS = 3, MODELS = 3 * 4 };

static model model_of(int index)
{
    model m = {.E = widths[index / KINDS][0], .H = widths[index / KINDS][1], .kind = index % KINDS};
    build(&m);
    return m;
}

START_TEST(the_contents_of_the_padding_change_no_bit)
    {
        model m = model_of(_i);
        result zeros = compute(&m, B, all, SHORTEST_T, ZEROS);
        for (padding d = HUGE_NUMBERS; d <= NANS; d++) {
            result garbage = compute(&m, B, all, SHORTEST_T, d);
            for (int b = 0; b < B; b++)
                assert_same_row("padding", &m, &garbage, b, &zeros, b, lengths[b]);
            test_assert_same_bits("gradients", garbage.gradients, zeros.gradients,
                                  tg_params_size(m.params));
            end_result(&garbage);
        }
        end_result(&zeros);
        test_end(NULL, m.params);
    }
END_TEST

START_TEST(how_long_the_padding_is)
    {
        model m = model_of(_i);
        const int64_t times[] = {SHORTEST_T + 1, SHORTEST_T + 4, SHORTEST_T + 16, MAX_T};
        result shortest = compute(&m, B, all, SHORTEST_T, NANS);
        for (size_t k = 0; k < COUNT(times); k++) {
            result longer = compute(&m, B, all, times[k], NANS);
            for (int b = 0; b < B; b++)
                assert_same_row("longer", &m, &longer, b, &shortest, b, lengths[b]);
            test_assert_same_bits("gradients", longer.gradients, shortest.gradients,
                                  tg_params_size(m.params));
            end_result(&longer);
        }
        end_result(&shortest);
        test_end(NULL, m.params);
    }
END_TEST

START_TEST(the_order_of_the_batch_changes_no_bit)
    {
        model m = model_of(_i);
        const int orders[][B] = {{4, 3, 2, 1, 0}, {3, 0, 4, 2, 1}, {1, 2, 3, 4, 0}};
        result straight = compute(&m, B, all, SHORTEST_T, ZEROS);
        for (size_t k = 0; k < COUNT(orders); k++) {
            result permuted = compute(&m, B, orders[k], SHORTEST_T, ZEROS);
            for (int b = 0; b < B; b++)
                assert_same_row("order", &m, &permuted, b, &straight, orders[k][b],
                                lengths[orders[k][b]]);
            test_assert_reals_near("gradients", permuted.gradients, straight.gradients,
                                   tg_params_size(m.params), TEST_TOLERANCE);
            end_result(&permuted);
        }
        end_result(&straight);
        test_end(NULL, m.params);
    }
END_TEST

START_TEST(other_sequences_change_no_bit)
    {
        model m = model_of(_i);
        result together = compute(&m, B, all, SHORTEST_T, ZEROS);
        for (int b = 0; b < B; b++) {
            result alone = compute(&m, 1, &b, SHORTEST_T, ZEROS), tight;
            assert_same_row("alone", &m, &alone, 0, &together, b, lengths[b]);
            if (lengths[b]) {
                tight = compute(&m, 1, &b, lengths[b], ZEROS); /* alone, and without padding */
                assert_same_row("alone, unpadded", &m, &tight, 0, &together, b, lengths[b]);
                end_result(&tight);
            }
            const int pair[2] = {3, b};
            result two = compute(&m, 2, pair, SHORTEST_T, ZEROS);
            assert_same_row("in a pair", &m, &two, 1, &together, b, lengths[b]);
            end_result(&two);
            end_result(&alone);
        }
        end_result(&together);
        test_end(NULL, m.params);
    }
END_TEST

START_TEST(a_second_pass_changes_no_bit)
    {
        model m = model_of(_i);
        result first = compute(&m, B, all, SHORTEST_T, ZEROS),
               second = compute(&m, B, all, SHORTEST_T, ZEROS);
        for (int b = 0; b < B; b++) assert_same_row("again", &m, &second, b, &first, b, lengths[b]);
        test_assert_same_bits("gradients", second.gradients, first.gradients,
                              tg_params_size(m.params));
        end_result(&first);
        end_result(&second);
        test_end(NULL, m.params);
    }
END_TEST

/* ---- threads ---- */

#ifdef _OPENMP

enum { BATCH = 32, TIME = 20, VOCABULARY = 5000, E = 48, H = 64, CLASSES = 5, STEPS = 3 };

typedef struct classifier {
    tg_params *params;
    tg_embedding words;
    tg_lstm encoder;
    tg_additive_attention attention;
    tg_linear classify;
} classifier;

/* Trains for some steps; the gradients of the last backward pass are left to be compared. */
static classifier train(int threads)
{
    omp_set_num_threads(threads);
    classifier m = {.params = tg_params_new(9)};
    tg_embedding_init(&m.words, m.params, "words", VOCABULARY, E, 0);
    tg_lstm_init(&m.encoder, m.params, "encoder", E, H, 2, true);
    tg_additive_attention_init(&m.attention, m.params, "attention", 2 * H, H);
    tg_linear_init(&m.classify, m.params, "classify", 2 * H, CLASSES);
    tg_tape *tape = tg_tape_new(4);
    tg_adam adam = tg_adam_default(1e-2);
    int32_t ids[BATCH * TIME], sizes[BATCH], labels[BATCH];
    for (int step = 0; step <= STEPS; step++) {
        for (int i = 0; i < BATCH * TIME; i++)
            ids[i] = (int32_t)test_number((uint64_t)step, i, 0, VOCABULARY);
        for (int i = 0; i < BATCH; i++) {
            sizes[i] = (int32_t)test_number(50, i + step, 0, TIME + 1);
            labels[i] = i % CLASSES;
        }
        tg_tensor *x = tg_embedding_forward(tape, &m.words, tg_ints_2d(ids, BATCH, TIME));
        tg_tensor *h = tg_lstm_forward(tape, &m.encoder, tg_dropout(tape, x, 0.2),
                                       tg_ints_1d(sizes, BATCH));
        tg_tensor *c = tg_additive_attention_forward(tape, &m.attention, h,
                                                     tg_ints_1d(sizes, BATCH), NULL);
        tg_backward(tape, tg_cross_entropy(tape, tg_linear_forward(tape, &m.classify, c),
                                           tg_ints_1d(labels, BATCH)));
        test_assert_clean(tape);
        if (step == STEPS) break;
        tg_clip_grad_norm(m.params, 1);
        tg_adam_step(&adam, m.params);
        tg_tape_reset(tape);
    }
    test_end(tape, NULL);
    test_assert_params_clean(m.params);
    return m;
}

START_TEST(the_number_of_threads_changes_no_bit)
    {
        const int counts[] = {2, 3, 7};
        int old_threads = omp_get_max_threads();
        classifier one = train(1);
        for (size_t k = 0; k < COUNT(counts); k++) {
            classifier more = train(counts[k]);
            for (int64_t i = 0; i < tg_params_count(one.params); i++) {
                tg_tensor *p = tg_params_at(one.params, i), *q = tg_params_at(more.params, i);
                test_assert_same_bits(p->name, q->data, p->data, p->size);
                test_assert_same_bits(p->name, q->grad, p->grad, p->size);
            }
            tg_params_free(more.params);
        }
        omp_set_num_threads(old_threads);
        tg_params_free(one.params);
    }
END_TEST

/* The operators with parallel loops, on tensors that are large enough for them. */
static tg_real *large_operators(int threads, int64_t *size)
{
    omp_set_num_threads(threads);
    tg_tape *tape = tg_tape_new(4);
    tg_tensor *a = test_variable(tape, 1, -1, 1, TG_SHAPE(300, 400)),
              *b = test_variable(tape, 2, -1, 1, TG_SHAPE(400, 300));
    tg_tensor *c = tg_matmul(tape, a, b), *w = test_variable(tape, 3, -1, 1, TG_SHAPE(300));
    tg_tensor *d = tg_layer_norm(tape, tg_gelu(tape, tg_add(tape, c, w)), w, w, 1e-5);
    tg_tensor *e = tg_softmax(tape, tg_dropout(tape, d, 0.3)),
              *f = tg_permute(tape, tg_mul(tape, e, c), TG_AXES(1, 0));
    tg_tensor *g = tg_concat(tape, 2,
                             (tg_tensor *[]){tg_logsumexp(tape, f, TG_AXES(0), true),
                                             tg_mean(tape, tg_tanh(tape, f), TG_AXES(0), true)},
                             1);
    ck_assert(tg_backward(tape, test_weighted_loss(tape, g, 1)));
    const tg_tensor *leaves[] = {a, b, w};
    *size = a->size + b->size + w->size + g->size;
    tg_real *numbers = malloc((size_t)*size * sizeof *numbers), *next = numbers;
    for (int k = 0; k < 3; k++) {
        memcpy(next, leaves[k]->grad, (size_t)leaves[k]->size * sizeof *next);
        next += leaves[k]->size;
    }
    memcpy(next, g->data, (size_t)g->size * sizeof *next);
    test_end(tape, NULL);
    return numbers;
}

START_TEST(threads_change_no_bit_of_operators)
    {
        int old_threads = omp_get_max_threads();
        int64_t size;
        tg_real *one = large_operators(1, &size);
        for (int threads = 2; threads <= 5; threads++) {
            tg_real *more = large_operators(threads, &size);
            test_assert_same_bits("threads", more, one, size);
            free(more);
        }
        omp_set_num_threads(old_threads);
        free(one);
    }
END_TEST

#endif

Suite *sameness_suite(void);
Suite *sameness_suite(void)
{
    Suite *suite = suite_create("sameness");
    TCase *tc = tcase_create("sameness");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, the_contents_of_the_padding_change_no_bit, 0, MODELS);
    tcase_add_loop_test(tc, how_long_the_padding_is, 0, MODELS);
    tcase_add_loop_test(tc, the_order_of_the_batch_changes_no_bit, 0, MODELS);
    tcase_add_loop_test(tc, other_sequences_change_no_bit, 0, MODELS);
    tcase_add_loop_test(tc, a_second_pass_changes_no_bit, 0, MODELS);
#ifdef _OPENMP
    tcase_add_test(tc, the_number_of_threads_changes_no_bit);
    tcase_add_test(tc, threads_change_no_bit_of_operators);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}
