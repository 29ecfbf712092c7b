/* The same bits every time: they do not depend on the contents and the length of the padding, on
 * later inputs of causal attention, on the other sequences, or on the number of threads. */
#ifdef _OPENMP
#include <omp.h>
#endif

#include "subjects.h"

/* ---- results of one batch ---- */

enum { MAX_B = 5, FAR = 4096 };

/* Sequences of these lengths (zeros among them) in a common T, for x and for memory. */
typedef struct batch_shape {
    int64_t B, T, Tk;
    int32_t lengths[MAX_B], memory_lengths[MAX_B];
} batch_shape;

static const batch_shape batches[] = {
    {5, 9, 8, {6, 0, 3, 9, 1}, {8, 4, 0, 1, 3}},
    {3, 140, 137, {140, 70, 0}, {3, 137, 129}}}; /* beyond tiles of 64 queries and 128 keys */

typedef struct result {
    tg_tape *tape;
    tg_tensor *x, *memory, *y;
    tg_real *gradients; /* of all parameters */
} result;

/* Element t of sequence b is the same for every T; the padding holds garbage. */
static tg_tensor *sequences(tg_tape *tape, uint64_t seed, int64_t B, int64_t T,
                            const int32_t *lengths, int64_t E, double garbage)
{
    tg_tensor *x = tg_variable(tape, NULL, TG_SHAPE(B, T, E));
    for (int64_t i = 0; i < x->size; i++) {
        const int64_t e = i % E, t = i / E % T, b = i / E / T;
        x->data[i] = (tg_real)(t < lengths[b] ? test_number(seed, (b * FAR + t) * E + e, -1, 1)
                                              : garbage * test_number(seed + 1, i, -1, 1));
    }
    return x;
}

/* sum(y r); r is 0 in the padding. */
static tg_tensor *loss_of(tg_tape *tape, tg_tensor *y, const batch_shape *batch)
{
    tg_tensor *r = tg_constant(tape, NULL, y->ndim, y->shape);
    const int64_t width = y->shape[y->ndim - 1], T = y->ndim == 3 ? y->shape[1] : 1;
    for (int64_t i = 0; i < r->size; i++) {
        const int64_t e = i % width, t = i / width % T, b = i / width / T;
        if (y->ndim == 2 || t < batch->lengths[b])
            r->data[i] = (tg_real)test_number(9, (b * FAR + t) * width + e, -1, 1);
    }
    return tg_sum(tape, tg_mul(tape, y, r), TG_ALL_AXES, false);
}

static tg_real *move_gradients(tg_params *params)
{
    tg_real *all = malloc((size_t)(tg_params_size(params) + 1) * sizeof *all), *next = all;
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        ck_assert_msg(p->has_grad, "%s has no gradient", p->name);
        memcpy(next, p->grad, (size_t)p->size * sizeof *next);
        next += p->size;
    }
    tg_params_zero_grad(params);
    return all;
}

/* `more`: time steps of padding beyond those of the batch. */
static result compute(const subject *s, const batch_shape *batch, int64_t more, double garbage,
                      bool by_query, bool causal)
{
    const int64_t B = batch->B, T = batch->T + more, Tk = batch->Tk + more;
    result r = {.tape = tg_tape_new(1)};
    r.x = sequences(r.tape, 3, B, T, batch->lengths, s->E, garbage);
    if (subject_has_memory(s->kind))
        r.memory = sequences(r.tape, 5, B, Tk, batch->memory_lengths, s->E, garbage);
    const subject_call call = {.x = r.x,
                               .memory = r.memory,
                               .lengths = tg_ints_1d(batch->lengths, B),
                               .memory_lengths = tg_ints_1d(batch->memory_lengths, B),
                               .by_query = by_query,
                               .causal = causal};
    r.y = subject_forward(r.tape, s, &call, NULL);
    ck_assert_msg(r.y != NULL, "%s: %s", s->name, tg_tape_error(r.tape));
    ck_assert_msg(tg_backward(r.tape, loss_of(r.tape, r.y, batch)), "%s: %s", s->name,
                  tg_tape_error(r.tape));
    r.gradients = move_gradients(s->params);
    return r;
}

static void end_result(result *r)
{
    free(r->gradients);
    test_end(r->tape, NULL);
}

/* Two arrays [B, T, width] with shapes of x and z: the rows within the lengths have the same
 * bits. */
static void assert_same_rows(const char *what, const tg_tensor *x, const tg_real *a,
                             const tg_tensor *z, const tg_real *b, const int32_t *lengths)
{
    const int64_t width = x->shape[2], Ta = x->shape[1], Tb = z->shape[1];
    for (int64_t i = 0; i < x->shape[0]; i++)
        test_assert_same_bits(what, a + i * Ta * width, b + i * Tb * width, lengths[i] * width);
}

static void assert_zero_padding(const char *what, const tg_tensor *like, const tg_real *a,
                                const int32_t *lengths)
{
    const int64_t width = like->shape[2], T = like->shape[1];
    for (int64_t b = 0; b < like->shape[0]; b++)
        for (int64_t i = lengths[b] * width; i < T * width; i++)
            TEST_CHECK(a[b * T * width + i] == 0, "%s: the padding of sequence %d holds %g", what,
                       (int)b, (double)a[b * T * width + i]);
}

static void assert_same_results(const subject *s, const char *what, const result *a,
                                const result *b, const batch_shape *batch)
{
    char text[128];
    snprintf(text, sizeof text, "%s, %s", s->name, what);
    if (a->y->ndim == 2) test_assert_same_bits(text, a->y->data, b->y->data, a->y->size);
    else assert_same_rows(text, a->y, a->y->data, b->y, b->y->data, batch->lengths);
    for (int64_t i = 0; i < a->y->size && a->y->ndim == 2; i++)
        TEST_CHECK(isfinite((double)a->y->data[i]), "%s: not finite", text);
    assert_same_rows(text, a->x, a->x->grad, b->x, b->x->grad, batch->lengths);
    assert_zero_padding(text, a->x, a->x->grad, batch->lengths);
    if (a->memory) {
        assert_same_rows(text, a->memory, a->memory->grad, b->memory, b->memory->grad,
                         batch->memory_lengths);
        assert_zero_padding(text, a->memory, a->memory->grad, batch->memory_lengths);
    }
    test_assert_same_bits(text, a->gradients, b->gradients, tg_params_size(s->params));
    for (int64_t i = 0; i < tg_params_size(s->params); i++)
        TEST_CHECK(isfinite((double)a->gradients[i]), "%s: not finite", text);
}

/* ---- padding ---- */

/* Numbers that are not read may be anything. Without query lengths a padded query is computed like
 * any other: its numbers must not overflow. */
#ifdef TG_DOUBLE
static const double huge = 1e250, large = 1e60;
#else
static const double huge = 1e30, large = 1e8;
#endif

START_TEST(the_contents_of_the_padding_change_no_bit)
    {
        subject s = subject_new(_i, 6);
        for (size_t k = 0; k < COUNT(batches); k++)
            for (int by_query = 0; by_query < 2; by_query++) {
                result clean = compute(&s, &batches[k], 0, 0, by_query, false);
                /* In a block, LayerNorm reads every row. */
                const double garbage = by_query && s.kind < ENCODER_POST ? huge : large;
                result dirty = compute(&s, &batches[k], 0, garbage, by_query, false);
                assert_same_results(&s, "garbage", &dirty, &clean, &batches[k]);
                if (by_query && s.kind < POOL)
                    assert_zero_padding("y", dirty.y, dirty.y->data, batches[k].lengths);
                end_result(&dirty);
                end_result(&clean);
            }
        test_end(NULL, s.params);
    }
END_TEST

/* With query lengths the padding need not be finite. */
START_TEST(padding_of_nan_and_infinity_changes_no_bit)
    {
        subject s = subject_new(_i, 6);
        for (size_t k = 0; k < COUNT(batches); k++) {
            result clean = compute(&s, &batches[k], 0, 0, true, false);
            for (int nan = 0; nan < 2; nan++) {
                result dirty = compute(&s, &batches[k], 0, nan ? QNAN : INF, true, false);
                assert_same_results(&s, nan ? "NaN" : "infinity", &dirty, &clean, &batches[k]);
                end_result(&dirty);
            }
            end_result(&clean);
        }
        test_end(NULL, s.params);
    }
END_TEST

START_TEST(how_long_the_padding_is)
    {
        subject s = subject_new(_i, 6);
        const int64_t more[] = {1, 7, 130};
        for (size_t k = 0; k < COUNT(batches); k++)
            for (int causal = 0; causal <= subject_can_be_causal(s.kind); causal++) {
                const bool by_query = (k + (size_t)causal) % 2;
                result shortest = compute(&s, &batches[k], 0, 1, by_query, causal);
                for (size_t m = k ? 1 : 0; m < COUNT(more) - (k ? 1 : 0); m++) {
                    result longer = compute(&s, &batches[k], more[m], large, by_query, causal);
                    assert_same_results(&s, "longer", &longer, &shortest, &batches[k]);
                    end_result(&longer);
                }
                end_result(&shortest);
            }
        test_end(NULL, s.params);
    }
END_TEST

/* A sequence alone, without any padding, is the same as in its batch. */
START_TEST(other_sequences_change_no_bit)
    {
        subject s = subject_new(_i, 6);
        const batch_shape *all = &batches[0];
        result together = compute(&s, all, 0, 1, false, false);
        for (int b = 0; b < all->B; b++) {
            if (all->lengths[b] == 0 || (subject_has_memory(s.kind) && all->memory_lengths[b] == 0))
                continue;
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = tg_constant(tape, together.x->data + b * all->T * s.E,
                                       TG_SHAPE(1, all->lengths[b], s.E)),
                      *memory = NULL;
            if (subject_has_memory(s.kind))
                memory = tg_constant(tape, together.memory->data + b * all->Tk * s.E,
                                     TG_SHAPE(1, all->memory_lengths[b], s.E));
            const subject_call call = {x, memory, tg_full_length(), tg_full_length(), false, false};
            tg_tensor *y = subject_forward(tape, &s, &call, NULL);
            test_assert_clean(tape);
            const int64_t stride = together.y->size / all->B;
            test_assert_same_bits(s.name, y->data, together.y->data + b * stride, y->size);
            test_end(tape, NULL);
        }
        end_result(&together);
        test_end(NULL, s.params);
    }
END_TEST

/* ---- causality ---- */

static tg_tensor *forward_causal(tg_tape *tape, const subject *s, tg_tensor *x)
{
    tg_tensor *memory = subject_has_memory(s->kind)
                            ? test_variable(tape, 4, -1, 1, TG_SHAPE(x->shape[0], 5, s->E))
                            : NULL;
    tg_tensor *y = subject_forward(tape, s,
                                   &(subject_call){.x = x, .memory = memory, .causal = true}, NULL);
    test_assert_clean(tape);
    return y;
}

START_TEST(causal_outputs_ignore_later_inputs)
    {
        enum { B = 2 };
        static const int64_t times[] = {9, 150}, places[] = {0, 1, 7, 64, 127, 128};
        if (!subject_can_be_causal(_i)) return;
        subject s = subject_new(_i, 6);
        for (size_t k = 0; k < COUNT(times); k++)
            for (size_t p = 0; p < COUNT(places) && places[p] < times[k] - 1; p++) {
                const int64_t T = times[k], i = places[p];
                tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
                tg_tensor *x[2], *y[2];
                for (int other = 0; other < 2; other++) {
                    x[other] = test_variable(tapes[other], 1, -1, 1, TG_SHAPE(B, T, s.E));
                    for (int64_t at = 0; at < x[other]->size && other; at++)
                        if (at / s.E % T > i)
                            x[other]->data[at] = (tg_real)(at % 3 ? test_number(2, at, -2, 2)
                                                                  : large);
                    y[other] = forward_causal(tapes[other], &s, x[other]);
                }
                for (int64_t b = 0; b < B; b++)
                    test_assert_same_bits(s.name, y[1]->data + b * T * s.E,
                                          y[0]->data + b * T * s.E, (i + 1) * s.E);
                ck_assert(
                    tg_backward(tapes[0],
                                test_weighted_loss(tapes[0], tg_slice(tapes[0], y[0], 1, i, i + 1),
                                                   1)));
                bool any = false;
                for (int64_t at = 0; at < x[0]->size; at++) {
                    if (at / s.E % T > i)
                        TEST_CHECK(x[0]->grad[at] == 0,
                                   "%s: output %d has the gradient %g by input %d", s.name, (int)i,
                                   (double)x[0]->grad[at], (int)(at / s.E % T));
                    else any |= x[0]->grad[at] != 0;
                }
                /* The first query sees only itself, and its distance to itself has no gradient. */
                ck_assert_msg(any || i == 0, "%s: all gradients are 0", s.name);
                tg_params_zero_grad(s.params);
                test_end(tapes[0], NULL);
                test_end(tapes[1], NULL);
            }
        test_end(NULL, s.params);
    }
END_TEST

/* Different numbers of queries and keys: query i never attends to a key j > i. */
START_TEST(causal_cross_attention)
    {
        enum { B = 2, D = 5 };
        static const int64_t sizes[][2] = {{4, 9}, {9, 4}, {70, 150}, {150, 70}};
        for (size_t k = 0; k < COUNT(sizes); k++) {
            const int64_t Tq = sizes[k][0], Tk = sizes[k][1];
            tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
            tg_tensor *y[2];
            const int64_t i = (Tq < Tk ? Tq : Tk) / 2;
            for (int other = 0; other < 2; other++) {
                tg_tensor *q = test_variable(tapes[other], 1, -1, 1, TG_SHAPE(B, Tq, D)),
                          *v = test_variable(tapes[other], 2, -1, 1, TG_SHAPE(B, Tk, D));
                for (int64_t at = 0; at < v->size && other; at++)
                    if (at / D % Tk > i) v->data[at] = (tg_real)large;
                y[other] = tg_dot_attention(tapes[other], q, v, v, 1, 1, 0,
                                            &(tg_attention_mask){.causal = true});
            }
            for (int64_t b = 0; b < B; b++)
                test_assert_same_bits("y", y[1]->data + b * Tq * D, y[0]->data + b * Tq * D,
                                      (i + 1) * D);
            test_end(tapes[0], NULL);
            test_end(tapes[1], NULL);
        }
    }
END_TEST

/* ---- a second pass, and threads ---- */

static result compute_larger(const subject *s)
{
    static const batch_shape larger = {4, 120, 131, {120, 100, 0, 7}, {131, 131, 64, 9}};
    return compute(s, &larger, 0, 1, false, false);
}

/* Ends b, too. */
static void assert_same_as_first(const subject *s, result *a, result *b)
{
    test_assert_same_bits(s->name, b->y->data, a->y->data, a->y->size);
    test_assert_same_bits(s->name, b->x->grad, a->x->grad, a->x->size);
    if (a->memory)
        test_assert_same_bits(s->name, b->memory->grad, a->memory->grad, a->memory->size);
    test_assert_same_bits(s->name, b->gradients, a->gradients, tg_params_size(s->params));
    end_result(b);
}

START_TEST(the_number_of_threads_changes_no_bit)
    {
        subject s = subject_new(_i, 16);
        subject_set_dropout(&s, 0.2);
        result first = compute_larger(&s), second;
#ifdef _OPENMP
        const int old_threads = omp_get_max_threads();
        for (int threads = 1; threads <= 3; threads++) {
            if (threads == old_threads) continue; /* the first result has it */
            omp_set_num_threads(threads);
            second = compute_larger(&s);
            assert_same_as_first(&s, &first, &second);
        }
        omp_set_num_threads(old_threads);
#else
        second = compute_larger(&s);
        assert_same_as_first(&s, &first, &second);
#endif
        end_result(&first);
        test_end(NULL, s.params);
    }
END_TEST

Suite *sameness_suite(void);
Suite *sameness_suite(void)
{
    Suite *suite = suite_create("sameness");
    TCase *tc = tcase_create("sameness");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, the_contents_of_the_padding_change_no_bit, 0, SUBJECTS);
    tcase_add_loop_test(tc, padding_of_nan_and_infinity_changes_no_bit, 0, SUBJECTS);
    tcase_add_loop_test(tc, how_long_the_padding_is, 0, SUBJECTS);
    tcase_add_loop_test(tc, other_sequences_change_no_bit, 0, SUBJECTS);
    tcase_add_loop_test(tc, causal_outputs_ignore_later_inputs, 0, SUBJECTS);
    tcase_add_test(tc, causal_cross_attention);
    tcase_add_loop_test(tc, the_number_of_threads_changes_no_bit, 0, SUBJECTS);
    suite_add_tcase(suite, tc);
    return suite;
}
