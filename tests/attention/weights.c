/* Attention weights and their gradients on request: reading them changes no bit, works at any time,
 * and is an error where there are none. And dropout, which acts on the weights. */
#include "subjects.h"

enum { B = 3, T = 70, E = 6 };
static const int32_t lengths[B] = {70, 0, 33};

typedef enum when { NEVER, BEFORE, AFTER, OFTEN } when;

typedef struct result {
    tg_tape *tape;
    tg_tensor *x, *memory, *y;
    tg_tensor *attended;
    tg_real *gradients;
} result;

/* Reads the weights `times` times and, after the backward pass, their gradients. */
static void read_weights(const result *r, int times, bool backward)
{
    for (int i = 0; i < times; i++)
        for (int k = 0; k < (backward ? 3 : 1); k++)
            ck_assert_msg(test_attention_matrix[k](r->tape, r->attended) != NULL, "%s",
                          tg_tape_error(r->tape));
}

static result compute(const subject *s, when reading)
{
    result r = {.tape = tg_tape_new(4)};
    r.x = test_variable(r.tape, 1, -1, 1, TG_SHAPE(B, T, E));
    if (subject_has_memory(s->kind)) r.memory = test_variable(r.tape, 2, -1, 1, TG_SHAPE(B, T, E));
    const subject_call call = {r.x,   r.memory, tg_ints_1d(lengths, B), tg_ints_1d(lengths, B),
                               false, false};
    r.y = subject_forward(r.tape, s, &call, reading == NEVER ? NULL : &r.attended);
    const int often = reading == OFTEN ? 3 : 0;
    read_weights(&r, reading == BEFORE ? 1 : often, false);
    tg_tensor *y = tg_dropout(r.tape, r.y, 0.3); /* reading does not advance the generator */
    ck_assert_msg(tg_backward(r.tape, test_weighted_loss(r.tape, y, 3)), "%s: %s", s->name,
                  tg_tape_error(r.tape));
    read_weights(&r, reading == AFTER ? 1 : often, true);
    r.gradients = malloc((size_t)(tg_params_size(s->params) + 1) * sizeof *r.gradients);
    tg_real *next = r.gradients;
    for (int64_t i = 0; i < tg_params_count(s->params); i++) {
        const tg_tensor *p = tg_params_at(s->params, i);
        ck_assert_msg(p->has_grad, "%s: %s has no gradient", s->name, p->name);
        memcpy(next, p->grad, (size_t)p->size * sizeof *next);
        next += p->size;
    }
    tg_params_zero_grad(s->params);
    return r;
}

static void end(result *r)
{
    free(r->gradients);
    test_end(r->tape, NULL);
}

START_TEST(reading_the_weights_changes_no_bit)
    {
        subject s = subject_new(_i, E);
        subject_set_dropout(&s, 0.25);
        result unread = compute(&s, NEVER);
        for (when reading = BEFORE; reading <= OFTEN; reading++) {
            result r = compute(&s, reading);
            test_assert_same_bits(s.name, r.y->data, unread.y->data, r.y->size);
            test_assert_same_bits(s.name, r.x->grad, unread.x->grad, r.x->size);
            if (r.memory)
                test_assert_same_bits(s.name, r.memory->grad, unread.memory->grad, r.memory->size);
            test_assert_same_bits(s.name, r.gradients, unread.gradients, tg_params_size(s.params));
            end(&r);
        }
        end(&unread);
        test_end(NULL, s.params);
    }
END_TEST

/* Each reading gives the same numbers. The weights can also be read if the tape is not
 * recording. */
START_TEST(looking_shows_the_same)
    {
        subject s = subject_new(_i, E);
        result r = compute(&s, AFTER);
        tg_tensor *weights = tg_attention_weights(r.tape, r.attended);
        tg_tensor *again = tg_attention_weights(r.tape, r.attended);
        const int64_t heads = s.kind >= MULTIHEAD ? 2 : 1;
        test_assert_shape(s.name, weights,
                          TG_SHAPE(B, heads, subject_is_pooled(s.kind) ? 1 : T, T));
        test_assert_same_bits(s.name, again->data, weights->data, weights->size);
        ck_assert(!weights->requires_grad);
        tg_tape *tape = tg_tape_new(4);
        tg_tape_set_recording(tape, false);
        tg_tensor *x = tg_constant(tape, r.x->data, TG_SHAPE(B, T, E)),
                  *memory = r.memory ? tg_constant(tape, r.memory->data, TG_SHAPE(B, T, E)) : NULL;
        tg_tensor *attended;
        tg_tensor *y = subject_forward(tape, &s,
                                       &(subject_call){x, memory, tg_ints_1d(lengths, B),
                                                       tg_ints_1d(lengths, B), false, false},
                                       &attended);
        test_assert_same_bits(s.name, y->data, r.y->data, y->size);
        again = tg_attention_weights(tape, attended);
        ck_assert_msg(again != NULL, "%s, not recorded: %s", s.name, tg_tape_error(tape));
        test_assert_same_bits(s.name, again->data, weights->data, weights->size);
        ck_assert_ptr_null(tg_attention_weight_grads(tape, attended));
        test_expect_error(tape, "attention", "backward", NULL);
        test_end(tape, NULL);
        end(&r);
        test_end(NULL, s.params);
    }
END_TEST

/* The weights are those of the result: y = a v for plain weights, and dL/dv = a^T dL/dy. */
START_TEST(the_weights_are_those_of_the_result)
    {
        tg_params *params = tg_params_new(1);
        tg_attention layer;
        ck_assert(tg_attention_init(&layer, params, "a", (tg_score)_i, E, E, E));
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *q = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, E)),
                  *k = test_variable(tape, 2, -1, 1, TG_SHAPE(B, T, E));
        tg_tensor *v = test_variable(tape, 3, -1, 1, TG_SHAPE(B, T, E));
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B), .causal = true};
        tg_tensor *attended;
        tg_tensor *y = tg_attention_forward(tape, &layer, q, k, v, &mask, &attended);
        ck_assert(attended == y);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 1)));
        tg_tensor *a = tg_attention_weights(tape, attended),
                  *da = tg_attention_weight_grads(tape, attended);
        tg_tensor *ds = tg_attention_score_grads(tape, attended);
        tg_tensor *matrix = tg_reshape(tape, a, TG_SHAPE(B, T, T)),
                  *dy = tg_constant(tape, y->grad, TG_SHAPE(B, T, E));
        test_assert_reals_near("a v", tg_matmul(tape, matrix, v)->data, y->data, y->size,
                               TEST_TOLERANCE);
        test_assert_reals_near("dv", tg_matmul_transposed(tape, matrix, dy, TG_TRANSPOSE_A)->data,
                               v->grad, v->size, TEST_TOLERANCE);
        /* dy_i . v_j, also for masked pairs */
        tg_tensor *all = tg_matmul_transposed(tape, dy, v, TG_TRANSPOSE_B);
        for (int64_t row = 0; row < B * T; row++) {
            double sum = 0, size = 0;
            for (int64_t j = 0; j < T; j++) {
                const bool open = j < lengths[row / T] && j <= row % T;
                TEST_CHECK(test_near((double)da->data[row * T + j],
                                     open ? (double)all->data[row * T + j] : 0, TEST_TOLERANCE * 3),
                           "da: row %d, %d", (int)row, (int)j);
                sum += (double)ds->data[row * T + j];
                size += fabs((double)ds->data[row * T + j]);
            }
            TEST_CHECK(fabs(sum) <= TEST_TOLERANCE * fmax(size, 0.1),
                       "the scores' gradients of row %d sum to %g of %g", (int)row, sum, size);
        }
        test_end(tape, params);
    }
END_TEST

/* test_expect_error resets the tape, so each case has a tape of its own. */
START_TEST(tensors_without_weights)
    {
        for (int what = 0; what < 5; what++) {
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(1, 2, 2)),
                      *y = tg_dot_attention(tape, x, x, x, 1, 1, 0, NULL);
            tg_tensor *attended = (tg_tensor *[]){y, y, tg_tanh(tape, y), x, NULL}[what];
            const int k = what < 2 ? what + 1 : 0; /* the gradients, then the weights */
            ck_assert_ptr_null(test_attention_matrix[k](tape, attended));
            if (what < 2) test_expect_error(tape, "attention", "backward", NULL);
            else if (what < 4)
                test_expect_error(tape, "attention", "not an attention's result", NULL);
            ck_assert_ptr_null(tg_attention_weights(NULL, attended));
            test_end(tape, NULL);
        }
    }
END_TEST

/* ---- dropout ---- */

/* If the values are the identity, the result is the weights after dropout: 0 or a_ij / (1 - p). */
typedef struct dropped {
    tg_tape *tape;
    tg_tensor *q, *v, *y;
} dropped;

enum { N = 90, HEADS = 2 };

static dropped attend_with_dropout(uint64_t seed, double p, bool training)
{
    dropped d = {.tape = tg_tape_new(seed)};
    tg_tape_set_training(d.tape, training);
    tg_tensor *identity = tg_constant(d.tape, NULL, TG_SHAPE(1, N, HEADS * N));
    for (int i = 0; i < N * HEADS; i++)
        identity->data[i / HEADS * HEADS * N + i % HEADS * N + i / HEADS] = 1;
    d.v = tg_variable(d.tape, identity->data, TG_SHAPE(1, N, HEADS * N));
    d.q = test_variable(d.tape, 1, -1, 1, TG_SHAPE(1, N, HEADS * 3));
    d.y = tg_dot_attention(d.tape, d.q, d.q, d.v, HEADS, 1, p, NULL);
    test_assert_clean(d.tape);
    return d;
}

START_TEST(dropout_of_weights)
    {
        const double p = (const double[]){0.1, 0.5, 0.9}[_i];
        dropped d = attend_with_dropout(3, p, true), same = attend_with_dropout(3, p, true),
                other = attend_with_dropout(4, p, true), plain = attend_with_dropout(3, 0, true);
        dropped evaluation = attend_with_dropout(3, p, false);
        int64_t count = 0, differ = 0;
        for (int64_t i = 0; i < d.y->size; i++) {
            const double y = (double)d.y->data[i], full = (double)plain.y->data[i];
            TEST_CHECK(y == 0 || test_near(y, full / (1 - p), 1e-6 * full / (1 - p)),
                       "element %d is %.9g, without dropout %.9g", (int)i, y, full);
            count += y == 0;
            differ += (y == 0) != (other.y->data[i] == 0);
        }
        /* Drops are independent: five standard deviations are allowed. */
        const double n = (double)d.y->size, deviation = sqrt(n * p * (1 - p));
        ck_assert_msg(fabs((double)count - n * p) < 5 * deviation, "%d of %g dropped", (int)count,
                      n);
        ck_assert_msg(fabs((double)differ - 2 * n * p * (1 - p)) < 10 * deviation,
                      "%d differ between seeds", (int)differ);
        test_assert_same_bits("the same seed", same.y->data, d.y->data, d.y->size);
        test_assert_same_bits("evaluation", evaluation.y->data, plain.y->data, plain.y->size);
        ck_assert_uint_eq(tg_tape_random(d.tape)->counter - tg_tape_random(plain.tape)->counter,
                          HEADS * N * N);
        ck_assert_uint_eq(tg_tape_random(evaluation.tape)->counter,
                          tg_tape_random(plain.tape)->counter);
        /* dv = y^T dy: the backward pass drops what the forward pass dropped */
        ck_assert(tg_backward(d.tape, test_weighted_loss(d.tape, d.y, 1)));
        for (int64_t j = 0; j < N; j++)
            for (int64_t c = 0; c < HEADS * N; c++) {
                double want = 0;
                const int64_t h = c / N;
                for (int64_t i = 0; i < N; i++)
                    want += (double)d.y->data[i * HEADS * N + h * N + j] *
                            (double)d.y->grad[i * HEADS * N + c];
                TEST_CHECK(test_near((double)d.v->grad[j * HEADS * N + c], want, TEST_TOLERANCE),
                           "dv %d, %d: %.9g, wanted %.9g", (int)j, (int)c,
                           (double)d.v->grad[j * HEADS * N + c], want);
            }
        tg_tape_free(same.tape);
        tg_tape_free(other.tape);
        tg_tape_free(plain.tape);
        tg_tape_free(evaluation.tape);
        test_end(d.tape, NULL);
    }
END_TEST

/* Each head, and each call, draws other random numbers. */
START_TEST(dropout_differs_everywhere)
    {
        dropped d = attend_with_dropout(3, 0.5, true);
        tg_tensor *second = tg_dot_attention(d.tape, d.q, d.q, d.v, HEADS, 1, 0.5, NULL);
        int64_t by_head = 0, by_call = 0;
        for (int64_t i = 0; i < N * N; i++) {
            const int64_t at = i / N * HEADS * N + i % N;
            by_head += (d.y->data[at] == 0) != (d.y->data[at + N] == 0);
            by_call += (d.y->data[at] == 0) != (second->data[at] == 0);
        }
        ck_assert_msg(llabs(by_head - N * N / 2) < 5 * N / 2 &&
                          llabs(by_call - N * N / 2) < 5 * N / 2,
                      "%d elements differ between heads, %d between calls", (int)by_head,
                      (int)by_call);
        test_end(d.tape, NULL);
    }
END_TEST

/* Every subject: the same seed gives the same bits; evaluation does not drop and draws no
 * numbers. */
START_TEST(dropout_of_every_layer)
    {
        subject s = subject_new(_i, E), plain = subject_new(_i, E);
        /* layers without dropout */
        const bool none = s.kind == POOL + TG_SCORE_ADDITIVE || s.kind == SEQUENTIAL;
        subject_set_dropout(&s, 0.4);
        tg_tensor *y[4];
        tg_tape *tapes[4];
        for (int i = 0; i < 4; i++) { /* seed 1, seed 1, seed 2, evaluation */
            tapes[i] = tg_tape_new(i == 2 ? 2 : 1);
            tg_tape_set_training(tapes[i], i < 3);
            tg_tensor *x = test_variable(tapes[i], 1, -1, 1, TG_SHAPE(B, T, E)),
                      *memory = test_variable(tapes[i], 2, -1, 1, TG_SHAPE(B, T, E));
            const subject_call call = {
                x, memory, tg_ints_1d(lengths, B), tg_ints_1d(lengths, B), false, false};
            const uint64_t start = tg_tape_random(tapes[i])->counter;
            y[i] = subject_forward(tapes[i], &s, &call, NULL);
            ck_assert((tg_tape_random(tapes[i])->counter == start) == (i == 3 || none));
            if (i == 3)
                test_assert_same_bits(s.name, y[i]->data,
                                      subject_forward(tapes[i], &plain, &call, NULL)->data,
                                      y[i]->size);
        }
        test_assert_same_bits(s.name, y[1]->data, y[0]->data, y[0]->size);
        ck_assert((memcmp(y[2]->data, y[0]->data, (size_t)y[0]->size * sizeof(tg_real)) == 0) ==
                  none);
        ck_assert((memcmp(y[3]->data, y[0]->data, (size_t)y[0]->size * sizeof(tg_real)) == 0) ==
                  none);
        for (int i = 0; i < 4; i++) test_end(tapes[i], NULL);
        test_end(NULL, plain.params);
        test_end(NULL, s.params);
    }
END_TEST

/* Scores of some ten thousand: the weights still sum to 1 up to rounding. One number for the
 * maximum plus the logarithm of the sum would lose four digits. A weight that underflows to 0 still
 * has the gradient dy . v. */
START_TEST(large_scores)
    {
        enum { MANY = 40, D = 2 };
        tg_tape *tape = tg_tape_new(1);
        tg_real keys[MANY * D], queries[MANY * D];
        for (int i = 0; i < MANY; i++) {
            queries[i * D] = 100;
            queries[i * D + 1] = 1;
            keys[i * D] = i == 7 ? 0 : 300;
            keys[i * D + 1] = (tg_real)test_number(1, i, -1, 1);
        }
        tg_tensor *q = tg_variable(tape, queries, TG_SHAPE(1, MANY, D)),
                  *k = tg_variable(tape, keys, TG_SHAPE(1, MANY, D)),
                  *v = test_variable(tape, 2, -1, 1, TG_SHAPE(1, MANY, D));
        tg_tensor *attended = tg_dot_attention(tape, q, k, v, 1, 1, 0, NULL);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, attended, 3)));
        const tg_tensor *weights = tg_attention_weights(tape, attended),
                        *grads = tg_attention_weight_grads(tape, attended);
        for (int i = 0; i < MANY; i++) {
            double sum = 0;
            for (int j = 0; j < MANY; j++) sum += (double)weights->data[i * MANY + j];
            ck_assert_msg(test_near(sum, 1, 1e-6), "row %d sums to %.9f", i, sum);
            const tg_real *dy = attended->grad + i * D, *to = v->data + 7 * D;
            ck_assert(weights->data[i * MANY + 7] == 0);
            ck_assert(test_near((double)grads->data[i * MANY + 7],
                                (double)(dy[0] * to[0] + dy[1] * to[1]), 1e-6));
        }
        test_end(tape, NULL);
    }
END_TEST

Suite *weights_suite(void);
Suite *weights_suite(void)
{
    Suite *suite = suite_create("weights");
    TCase *tc = tcase_create("weights");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, reading_the_weights_changes_no_bit, 0, SUBJECTS);
    tcase_add_loop_test(tc, looking_shows_the_same, 0, SUBJECTS);
    tcase_add_loop_test(tc, the_weights_are_those_of_the_result, 0, SCORES);
    tcase_add_test(tc, tensors_without_weights);
    tcase_add_test(tc, large_scores);
    tcase_add_loop_test(tc, dropout_of_weights, 0, 3);
    tcase_add_test(tc, dropout_differs_everywhere);
    tcase_add_loop_test(tc, dropout_of_every_layer, 0, SUBJECTS);
    suite_add_tcase(suite, tc);
    return suite;
}
