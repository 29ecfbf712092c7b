/* Sparse parameters: the touched rows move as PyTorch's SparseAdam moves them, and no other row
 * changes a bit. */
#include "optimizers.h"

enum { V = 60, MAX_IDS = 12 };
static const int64_t widths[] = {3, 16, 300}; /* the last is more than a piece of tg_grad_next */

typedef struct world {
    tg_params *params;
    tg_tape *tape;
    tg_embedding table;
    tg_linear out;
} world;

static world begin(int64_t width, bool sparse)
{
    world w = {tg_params_new(5), tg_tape_new(5), {NULL, 0}, {NULL, NULL}};
    if (sparse) tg_embedding_init_sparse(&w.table, w.params, "table", V, width, 0);
    else tg_embedding_init(&w.table, w.params, "table", V, width, 0);
    tg_linear_init(&w.out, w.params, "out", width, 3);
    test_assert_params_clean(w.params);
    return w;
}

static void end(world *w)
{
    test_assert_params_clean(w->params);
    test_end(w->tape, w->params);
}

/* The ids of a step: few rows often, others after some hundred steps, the last never; one id
 * stands there twice. */
static tg_ints choose(int32_t ids[MAX_IDS + 1], int step)
{
    int count = 0;
    ids[count++] = 0;
    for (int32_t row = 1; row < V - 3 && count < MAX_IDS; row++) {
        int period = 40 + row;
        if (row < 6) period = row;
        else if (row < 30) period = 17 * row;
        if ((step + row) % period == 0) ids[count++] = row;
    }
    ids[count] = ids[count - 1];
    return tg_ints_1d(ids, count + 1);
}

static void pass(world *w, tg_ints ids, int step)
{
    tg_tensor *x = tg_embedding_forward(w->tape, &w->table, ids);
    tg_tensor *y = tg_linear_forward(w->tape, &w->out, x);
    ck_assert_msg(tg_backward(w->tape, test_weighted_loss(w->tape, y, (uint64_t)step)), "%s",
                  tg_tape_error(w->tape));
    test_assert_clean(w->tape);
    tg_tape_reset(w->tape);
}

static void train(world *w, const optimizer *o, int from, int to)
{
    for (int step = from; step < to; step++) {
        int32_t ids[MAX_IDS + 1];
        pass(w, choose(ids, step), step);
        if (step % 37 == 5) pass(w, choose(ids, step + 1), step + 1);
        if (step % 3 == 0) ck_assert(tg_clip_grad_norm(w->params, 0.5) > 0);
        ck_assert_msg(take_step(o, w->params), "%s", tg_params_error(w->params));
    }
}

static void assert_same(world *got, world *want)
{
    for (int64_t i = 0; i < tg_params_count(want->params); i++) {
        const tg_tensor *a = tg_params_at(got->params, i), *b = tg_params_at(want->params, i);
        test_assert_same_bits(a->name, a->data, b->data, b->size);
    }
}

/* ---- PyTorch ---- */

enum { STEPS = 100, EVERY = 10, ROWS = 12, WIDTH = 3, IDS = 6 }; /* see make_golden.py */

/* Of 1: a hundred roundings of 6e-8 in float, some 1e-16 in double. */
#ifdef TG_DOUBLE
static const double tolerance = 1e-13;
#else
static const double tolerance = 2e-6;
#endif

START_TEST(steps_are_sparse_adams)
    {
        tg_params *golden = test_golden_open("sparse_adam"), *params = tg_params_new(1);
        tg_tensor *start = test_golden(golden, "in.p", TG_SHAPE(ROWS, WIDTH));
        const tg_tensor *factors = test_golden(golden, "in.factors", TG_SHAPE(STEPS, IDS, WIDTH)),
                        *want = test_golden(golden, "traj.p", TG_SHAPE(STEPS / EVERY, ROWS, WIDTH));
        int32_t ids[STEPS * IDS];
        test_golden_ints(golden, "in.ids", ids, STEPS * IDS);
        tg_embedding table;
        tg_embedding_init_sparse(&table, params, "table", ROWS, WIDTH, -1);
        tg_embedding_load(&table, start->data, ROWS, WIDTH);
        tg_tape *tape = tg_tape_new(1);
        for (int step = 0; step < STEPS; step++) {
            tg_tensor *x = tg_embedding_forward(tape, &table, tg_ints_1d(ids + step * IDS, IDS));
            tg_tensor *y = tg_mul(tape, x,
                                  tg_constant(tape, factors->data + step * IDS * WIDTH,
                                              TG_SHAPE(IDS, WIDTH)));
            ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
            ck_assert(tg_adam_step(&optimizers[ADAM].adam, params));
            tg_tape_reset(tape);
            if (step % EVERY != EVERY - 1) continue;
            test_assert_reals_near("p", table.weight->data,
                                   want->data + step / EVERY * ROWS * WIDTH, ROWS * WIDTH,
                                   tolerance);
        }
        test_golden_near(golden, "out.exp_avg", tg_params_state(table.weight, "exp_avg"),
                         table.weight);
        test_golden_near(golden, "out.exp_avg_sq", tg_params_state(table.weight, "exp_avg_sq"),
                         table.weight);
        for (int row = 0; row < ROWS; row += 7) /* never touched */
            test_assert_same_bits("row", table.weight->data + row * WIDTH,
                                  start->data + row * WIDTH, WIDTH);
        test_end(NULL, golden);
        test_end(tape, params);
    }
END_TEST

/* Plain SGD moves no row that has no gradient: a dense table ends in the same bits. */
START_TEST(steps_of_sgd)
    {
        const int64_t width = widths[_i];
        world sparse = begin(width, true), dense = begin(width, false);
        for (int step = 0; step < 50; step++) {
            int32_t ids[MAX_IDS + 1];
            pass(&sparse, choose(ids, step), step);
            pass(&dense, choose(ids, step), step);
            ck_assert(take_step(&optimizers[SGD], sparse.params) &&
                      take_step(&optimizers[SGD], dense.params));
        }
        assert_same(&sparse, &dense);
        end(&sparse);
        end(&dense);
    }
END_TEST

/* ---- rows ---- */

static bool is_among(int32_t row, tg_ints ids)
{
    for (int64_t i = 0; i < ids.shape[0]; i++)
        if (ids.data[i] == row) return true;
    return false;
}

START_TEST(other_rows_keep_their_bits)
    {
        const int64_t width = widths[_i];
        world w = begin(width, true);
        tg_tensor *p = w.table.weight;
        const size_t bytes = (size_t)p->size * sizeof(tg_real);
        tg_real *old[3] = {malloc(bytes), malloc(bytes), malloc(bytes)};
        for (int step = 0; step < 60; step++) {
            const tg_real *now[3] = {p->data, tg_params_state(p, "exp_avg"),
                                     tg_params_state(p, "exp_avg_sq")};
            int32_t chosen[MAX_IDS + 1];
            const tg_ints ids = choose(chosen, step);
            for (int k = 0; k < 3; k++) memcpy(old[k], now[k], bytes);
            train(&w, &optimizers[ADAM], step, step + 1);
            if (step % 37 == 5) continue; /* two batches */
            for (int32_t row = 0; row < V; row++)
                for (int k = 0; k < 3; k++) {
                    const int64_t at = row * width;
                    const bool same = memcmp(now[k] + at, old[k] + at,
                                             (size_t)width * sizeof(tg_real)) == 0;
                    ck_assert_msg(same == (row == 0 || !is_among(row, ids)),
                                  "step %d, row %d, array %d", step, (int)row, k);
                }
        }
        for (int k = 0; k < 3; k++) free(old[k]);
        end(&w);
    }
END_TEST

/* The gradient can be read as a dense one at any time, and is zero where no row was touched;
 * several passes add up. */
START_TEST(gradients_of_rows)
    {
        world w = begin(3, true), dense = begin(3, false);
        const tg_tensor *p = w.table.weight;
        for (int step = 0; step < 4; step++) {
            const int32_t ids[] = {7 + step, 0, 20}, more[] = {20, 41};
            const int32_t rows[] = {7 + step, 20, step == 2 ? 41 : 20};
            pass(&w, tg_ints_1d(ids, 3), step);
            pass(&dense, tg_ints_1d(ids, 3), step);
            if (step == 2) pass(&w, tg_ints_1d(more, 2), step);
            if (step == 2) pass(&dense, tg_ints_1d(more, 2), step);
            test_assert_same_bits("gradient", p->grad, dense.table.weight->grad, p->size);
            double sum = 0;
            for (int64_t i = 0; i < p->size; i++) {
                ck_assert_msg((p->grad[i] != 0) == is_among((int32_t)(i / 3), tg_ints_1d(rows, 3)),
                              "step %d, row %d", step, (int)(i / 3));
                sum += (double)p->grad[i] * (double)p->grad[i];
            }
            ck_assert(test_near(tg_grad_norm(p), sqrt(sum), TEST_TOLERANCE));
            world *both[] = {&w, &dense};
            for (int k = 0; k < 2; k++) {
                tg_params_freeze(both[k]->params, "table", step == 3);
                if (step == 1) tg_params_zero_grad(both[k]->params);
                else ck_assert(take_step(&optimizers[SGD], both[k]->params));
            }
            ck_assert(!p->has_grad && tg_grad_norm(p) == 0);
            for (int64_t i = 0; i < p->size; i++) ck_assert(p->grad[i] == 0);
        }
        tg_params_freeze(w.params, "table", true);
        pass(&w, tg_ints_1d((const int32_t[]){5}, 1), 1);
        ck_assert(tg_params_touch_rows(w.table.weight, tg_ints_1d((const int32_t[]){5}, 1)));
        ck_assert(!p->has_grad && p->grad[15] == 0);
        end(&w);
        end(&dense);
    }
END_TEST

/* Clipping scales the touched rows, and leaves zeros elsewhere. */
START_TEST(clipping_by_rows)
    {
        const int64_t width = widths[_i];
        world sparse = begin(width, true), dense = begin(width, false);
        int32_t ids[MAX_IDS + 1];
        for (int step = 0; step < 5; step++) {
            pass(&sparse, choose(ids, step), step);
            pass(&dense, choose(ids, step), step);
            const double norm = tg_clip_grad_norm(sparse.params, 1e-3);
            const double want = tg_clip_grad_norm(dense.params, 1e-3);
            ck_assert(norm > 1e-3 && test_near(norm, want, 1e-5 * want));
            for (int64_t i = 0; i < V * width; i++) {
                const tg_real g = sparse.table.weight->grad[i], h = dense.table.weight->grad[i];
                ck_assert(test_near((double)g, (double)h, 1e-8) && (g == 0) == (h == 0));
            }
            ck_assert(take_step(&optimizers[SGD], sparse.params) &&
                      take_step(&optimizers[SGD], dense.params));
        }
        end(&sparse);
        end(&dense);
    }
END_TEST

/* A product with the table, as of a tied output layer, touches every row, whichever of the two
 * comes first. */
START_TEST(a_dense_gradient_touches_all_rows)
    {
        world w[2] = {begin(3, true), begin(3, false)};
        tg_adam adam = optimizers[ADAM].adam;
        adam.eps = 1e-30; /* SparseAdam's epsilon is another: this one does not count */
        for (int step = 0; step < 40; step++)
            for (int k = 0; k < 2; k++) {
                const int32_t ids[] = {1 + step % 5, 1 + step % 3};
                tg_tensor *x = tg_embedding_forward(w[k].tape, &w[k].table, tg_ints_1d(ids, 2));
                tg_tensor *y = tg_matmul_transposed(w[k].tape, x, w[k].table.weight,
                                                    TG_TRANSPOSE_B);
                tg_tensor *loss = test_weighted_loss(w[k].tape, y, 3);
                if (step % 2) /* in the backward pass the rows come first */
                    loss = tg_add(w[k].tape, loss,
                                  test_weighted_loss(w[k].tape,
                                                     tg_embedding_forward(w[k].tape, &w[k].table,
                                                                          tg_ints_1d(ids, 2)),
                                                     4));
                ck_assert(tg_backward(w[k].tape, loss));
                ck_assert(tg_clip_grad_norm(w[k].params, 1e9) >= 0 &&
                          tg_adam_step(&adam, w[k].params));
                tg_tape_reset(w[k].tape);
            }
        for (int64_t i = 0; i < V * 3; i++)
            ck_assert(test_near((double)w[0].table.weight->data[i],
                                (double)w[1].table.weight->data[i], TEST_TOLERANCE));
        end(&w[0]);
        end(&w[1]);
    }
END_TEST

/* A table that becomes sparse while it has a gradient, or a second time, loses nothing. */
START_TEST(set_while_there_is_a_gradient)
    {
        world late = begin(3, false), early = begin(3, true);
        const tg_ints ids = tg_ints_1d((const int32_t[]){4, 9}, 2);
        pass(&late, ids, 1);
        pass(&early, ids, 1);
        for (int k = 0; k < 2; k++) ck_assert(tg_params_set_sparse(late.table.weight));
        test_assert_same_bits("gradient", late.table.weight->grad, early.table.weight->grad, 3 * V);
        ck_assert(take_step(&optimizers[SGD], late.params) &&
                  take_step(&optimizers[SGD], early.params));
        assert_same(&late, &early);
        end(&late);
        end(&early);
    }
END_TEST

/* ---- files ---- */

START_TEST(a_resumed_run)
    {
        const optimizer *o = &optimizers[ADAM];
        test_folder_begin();
        const char *path = test_path("half");
        world straight = begin(16, true), stopped = begin(16, true), again = begin(16, true);
        train(&straight, o, 0, 120);
        train(&stopped, o, 0, 70);
        ck_assert(tg_params_save(stopped.params, path, TG_SAVE_STATE));
        pass(&again, tg_ints_1d((const int32_t[]){3}, 1), 1);
        ck_assert(take_step(o, again.params));
        pass(&again, tg_ints_1d((const int32_t[]){57}, 1), 1); /* the load drops its gradient */
        ck_assert_msg(tg_params_load(again.params, path) && tg_params_finish_load(again.params),
                      "%s", tg_params_error(again.params));
        ck_assert(!again.table.weight->has_grad && again.table.weight->grad[57 * 16] == 0);
        assert_same(&again, &stopped);
        train(&again, o, 70, 120);
        assert_same(&again, &straight);
        test_folder_end();
        end(&straight);
        end(&stopped);
        end(&again);
    }
END_TEST

/* ---- errors ---- */

START_TEST(what_is_refused)
    {
        world w = begin(3, true);
        const tg_ints one = tg_ints_1d((const int32_t[]){4}, 1);
        ck_assert(!tg_params_set_sparse(NULL) && !tg_params_set_sparse(w.out.bias));
        test_expect_params_error(w.params, "set_sparse: out.bias is [3]", "two axes", NULL);
        ck_assert(!tg_params_touch_rows(NULL, one));
        ck_assert(!tg_params_touch_rows(w.table.weight, tg_ints_1d((const int32_t[]){3, V}, 2)));
        test_expect_params_error(w.params, "touch_rows: id 60 at position 1",
                                 "table.weight [60, 3]", NULL);
        ck_assert(!tg_params_touch_rows(w.table.weight, tg_ints_1d((const int32_t[]){-1}, 1)));
        test_expect_params_error(w.params, "touch_rows: id -1", NULL);
        ck_assert(!tg_params_touch_rows(w.out.bias, one));
        test_expect_params_error(w.params, "touch_rows: id 4", "out.bias [3]", NULL);
        ck_assert(!tg_params_touch_rows(w.table.weight, tg_ints_1d(NULL, 1)));
        test_expect_params_error(w.params, "touch_rows: the ids have no data", NULL);
        ck_assert(!w.table.weight->has_grad); /* none of them touched a row */
        ck_assert(tg_params_touch_rows(w.table.weight, tg_ints_1d(NULL, 0)));
        ck_assert(!w.table.weight->has_grad);
        ck_assert(tg_params_touch_rows(w.out.weight, tg_ints_1d((const int32_t[]){2}, 1)));
        ck_assert(!w.out.weight->has_grad); /* it is dense */
        end(&w);
    }
END_TEST

/* Momentum and decay would move rows that have no gradient. */
START_TEST(optimizers_that_move_every_row)
    {
        const optimizer *o = &optimizers[_i];
        const bool decays = o->sgd.weight_decay != 0 || o->adam.weight_decay != 0;
        const bool moves = o->sgd.momentum != 0;
        world w = begin(3, true), fresh = begin(3, true);
        pass(&w, tg_ints_1d((const int32_t[]){4}, 1), 1);
        ck_assert(take_step(o, w.params) == (!decays && !moves));
        if (decays)
            test_expect_params_error(w.params, "table.weight is sparse", "weight decay",
                                     "tg_params_no_decay", NULL);
        else if (moves)
            test_expect_params_error(w.params, "table.weight is sparse", "momentum", "Adam", NULL);
        if (decays || moves) {
            assert_same(&w, &fresh); /* it is taken whole or not at all */
            ck_assert_int_eq(tg_params_no_decay(w.params, "table"), 1);
            ck_assert(take_step(o, w.params) == !moves);
            if (moves) test_expect_params_error(w.params, "momentum", NULL);
        }
        tg_params_freeze(w.params, "table", true); /* frozen, it takes no step, and hinders none */
        pass(&w, tg_ints_1d((const int32_t[]){4}, 1), 1);
        ck_assert(take_step(o, w.params));
        end(&w);
        end(&fresh);
    }
END_TEST

/* Each allocation fails once: an error that names the bytes, a table that is dense as before,
 * and a second call that works. */
START_TEST(no_memory)
    {
        for (int fail_at = 1;; fail_at++) {
            test_memory_begin(0, false);
            tg_params *params = tg_params_new(1);
            tg_tensor *table = tg_param(params, NULL, "t", TG_SHAPE(100000, 3), tg_init_normal(1));
            test_memory_refuse(fail_at, false);
            const bool set = tg_params_set_sparse(table);
            test_memory_refuse(0, false);
            if (!set) {
                test_expect_params_error(params, "out of memory: ", "bytes", NULL);
                tg_tape *tape = tg_tape_new(1);
                tg_tensor *x = tg_gather(tape, table, tg_ints_1d((const int32_t[]){7}, 1), -1);
                ck_assert(tg_backward(tape, tg_sum(tape, x, TG_ALL_AXES, false)));
                ck_assert(table->grad[21] == 1 && table->grad[24] == 0);
                ck_assert(tg_params_set_sparse(table));
                test_end(tape, NULL);
            }
            test_assert_params_clean(params);
            tg_params_free(params);
            ck_assert_int_eq(test_memory_end().blocks, 0);
            if (!set) continue;
            ck_assert_int_gt(fail_at, 3);
            return;
        }
    }
END_TEST

/* ---- gradients of several processes ---- */

/* The pass of one of two processes: all ids are touched, a part of them gone through; the loss
 * is in whole numbers, so that no order of summation shows. */
static void part_of_a_pass(world *w, tg_ints ids, int64_t from, int64_t to)
{
    ck_assert(tg_params_touch_rows(w->table.weight, ids));
    tg_tensor *x = tg_embedding_forward(w->tape, &w->table, tg_ints_1d(ids.data + from, to - from));
    tg_tensor *y = tg_affine(w->tape, tg_sum(w->tape, x, TG_ALL_AXES, false), 3, 0);
    ck_assert(tg_backward(w->tape,
                          tg_add(w->tape, y, tg_sum(w->tape, w->out.weight, TG_ALL_AXES, false))));
    tg_tape_reset(w->tape);
}

/* Two that add up their gradients end where one ends that has gone through all. */
START_TEST(gradients_add_up)
    {
        const optimizer *o = &optimizers[ADAM];
        const int64_t width = widths[_i];
        world both[2] = {begin(width, true), begin(width, true)}, one = begin(width, true);
        for (int step = 0; step < 300; step++) {
            int32_t ids[MAX_IDS + 1];
            const tg_ints chosen = choose(ids, step);
            const int64_t count = chosen.shape[0], middle = count / 2;
            part_of_a_pass(&both[0], chosen, 0, middle);
            part_of_a_pass(&both[1], chosen, middle, count);
            tg_grad_piece a = {0}, b = {0};
            int pieces = 0;
            for (; tg_grad_next(both[0].params, &a); pieces++) {
                ck_assert(tg_grad_next(both[1].params, &b));
                ck_assert(a.parameter == b.parameter && a.at == b.at && a.size == b.size &&
                          a.size > 0);
                ck_assert(a.grad == tg_params_at(both[0].params, a.parameter)->grad + a.at);
                ck_assert(a.parameter > 0 || is_among((int32_t)(a.at / width), chosen));
                for (int64_t i = 0; i < a.size; i++) {
                    a.grad[i] += b.grad[i];
                    b.grad[i] = a.grad[i];
                }
            }
            ck_assert(pieces > 1 && !tg_grad_next(both[1].params, &b));
            for (int p = 0; p < 2; p++) ck_assert(take_step(o, both[p].params));
            part_of_a_pass(&one, chosen, 0, middle);
            part_of_a_pass(&one, chosen, middle, count);
            ck_assert(take_step(o, one.params));
            ck_assert(!tg_grad_next(one.params, &(tg_grad_piece){0})); /* they are used up */
        }
        assert_same(&both[0], &one);
        assert_same(&both[1], &one);
        ck_assert(!tg_grad_next(NULL, &(tg_grad_piece){0}));
        for (int p = 0; p < 2; p++) end(&both[p]);
        end(&one);
    }
END_TEST

Suite *sparse_suite(void);
Suite *sparse_suite(void)
{
    Suite *suite = suite_create("sparse");
    TCase *tc = tcase_create("sparse");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, steps_are_sparse_adams);
    tcase_add_loop_test(tc, steps_of_sgd, 0, (int)COUNT(widths));
    tcase_add_loop_test(tc, other_rows_keep_their_bits, 0, (int)COUNT(widths));
    tcase_add_test(tc, gradients_of_rows);
    tcase_add_loop_test(tc, clipping_by_rows, 0, (int)COUNT(widths));
    tcase_add_test(tc, a_dense_gradient_touches_all_rows);
    tcase_add_test(tc, set_while_there_is_a_gradient);
    tcase_add_test(tc, a_resumed_run);
    tcase_add_test(tc, what_is_refused);
    tcase_add_loop_test(tc, optimizers_that_move_every_row, 0, OPTIMIZERS);
    tcase_add_test(tc, no_memory);
    tcase_add_loop_test(tc, gradients_add_up, 0, (int)COUNT(widths));
    suite_add_tcase(suite, tc);
    return suite;
}
