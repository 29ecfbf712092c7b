/* A table whose rows take their steps late ends in the same bits as one that takes them at once, and nobody reads a row
 * that waits. */
#include "optimizers.h"

enum { V = 60, MOST = 12 };
static const int64_t widths[] = {3, 16, 300}; /* the last is more than a piece of the replay */

typedef struct world {
    tg_params *params;
    tg_tape *tape;
    tg_embedding table;
    tg_linear out;
} world;

static world begin(int64_t width, bool deferred)
{
    world w = {tg_params_new(5), tg_tape_new(5), {NULL, 0}, {NULL, NULL}};
    tg_embedding_init(&w.table, w.params, "table", V, width, 0);
    tg_linear_init(&w.out, w.params, "out", width, 3);
    if (deferred) ck_assert(tg_params_defer(w.table.weight) && tg_params_defer(w.table.weight));
    test_assert_params_clean(w.params);
    return w;
}

static void end(world *w)
{
    test_assert_params_clean(w->params);
    test_end(w->tape, w->params);
}

/* The ids of a step: few rows often, others after some hundred steps or never. */
static tg_ints choose(int32_t ids[MOST], int step)
{
    int count = 0;
    ids[count++] = 0;
    for (int32_t row = 1; row < V - 3 && count < MOST; row++) {
        const int period = row < 6 ? row : row < 30 ? 17 * row : 40 + row;
        if ((step + row) % period == 0) ids[count++] = row;
    }
    ids[count] = ids[count - 1], count += count < MOST; /* one twice */
    return tg_ints_1d(ids, count);
}

static void pass(world *w, tg_ints ids, int step, bool backward)
{
    tg_params_prepare(w->table.weight, ids);
    tg_tensor *x = tg_embedding_forward(w->tape, &w->table, ids);
    tg_tensor *y = tg_linear_forward(w->tape, &w->out,
                                     tg_affine(w->tape, x, step % 50 == 7 ? 30 : 1, 0));
    if (backward)
        ck_assert_msg(tg_backward(w->tape, test_weighted_loss(w->tape, y, (uint64_t)step)), "%s",
                      tg_tape_error(w->tape));
    test_assert_clean(w->tape);
    tg_tape_reset(w->tape);
}

/* Rates that rise, fall and jump, a clipped gradient, two passes for one step, a pass for none, a gradient that is dropped,
 * a frozen time, other betas, and every row caught up or saved in between. */
static void train(world *w, optimizer o, int steps)
{
    const double rate = o.adam.lr;
    for (int step = 0; step < steps; step++) {
        int32_t ids[MOST + 1];
        const tg_ints chosen = choose(ids, step);
        o.adam.lr = rate * (step % 13 == 3 ? 20 : 0.01 + (step % 200) / 100.0);
        if (step == 400) o.adam.beta2 = 0.99, o.adam.beta1 = 0.8;
        if (step % 101 == 50) pass(w, chosen, step, false);
        if (step % 37 == 5) pass(w, choose(ids, step + 1), step + 1, true);
        tg_params_freeze(w->params, "table", step % 90 == 89);
        pass(w, choose(ids, step), step, true);
        tg_params_freeze(w->params, "table", false);
        if (step % 71 == 3) tg_params_zero_grad(w->params);
        if (step % 71 == 3) continue;
        const double norm = step % 3 ? 1 : tg_clip_grad_norm(w->params, 0.5);
        ck_assert(norm > 0);
        ck_assert_msg(take_step(&o, w->params), "%s", tg_params_error(w->params));
        if (step == 300) tg_params_catch_up(w->params);
    }
}

static void assert_same(world *got, world *want)
{
    for (int64_t i = 0; i < tg_params_count(want->params); i++) {
        const tg_tensor *a = tg_params_at(got->params, i), *b = tg_params_at(want->params, i);
        test_assert_same_bits(a->name, a->data, b->data, b->size);
    }
}

START_TEST(late_steps_are_the_same_steps)
    {
        const optimizer *o = &optimizers[_i % OPTIMIZERS];
        const int64_t width = widths[_i / OPTIMIZERS];
        world late = begin(width, true), early = begin(width, false);
        train(&late, *o, 700);
        train(&early, *o, 700);
        if (o->is_adam && o->adam.weight_decay == 0) /* it was put off indeed */
            ck_assert(memcmp(late.table.weight->data, early.table.weight->data,
                             (size_t)(V * width) * sizeof(tg_real)) != 0);
        tg_params_catch_up(late.params);
        assert_same(&late, &early);
        end(&late);
        end(&early);
    }
END_TEST

/* The file holds what the rows are when they have caught up, with the optimizer's state, and training goes on from it. */
START_TEST(saving_catches_up)
    {
        const optimizer *o = &optimizers[ADAM];
        test_folder_begin();
        const char *path = test_path("late");
        world late = begin(16, true), early = begin(16, false), again = begin(16, _i);
        train(&late, *o, 350);
        train(&early, *o, 350);
        ck_assert(tg_params_save(late.params, path, TG_SAVE_STATE));
        assert_same(&late, &early);
        pass(&again, tg_ints_1d((const int32_t[]){3}, 1), 1,
             true); /* steps of its own, which the file's values replace */
        ck_assert(take_step(o, again.params));
        ck_assert_msg(tg_params_load(again.params, path) && tg_params_finish_load(again.params),
                      "%s", tg_params_error(again.params));
        assert_same(&again, &early);
        train(&again, *o, 200);
        train(&early, *o, 200);
        tg_params_catch_up(again.params);
        assert_same(&again, &early);
        test_folder_end();
        end(&late);
        end(&early);
        end(&again);
    }
END_TEST

/* A table that a product reads, too: it has to be caught up, and its whole gradient counts. */
START_TEST(shared_with_a_product)
    {
        world w[2] = {begin(3, true), begin(3, false)};
        for (int k = 0; k < 2; k++)
            for (int step = 0; step < 40; step++) {
                const int32_t ids[] = {step % 5, step % 3};
                tg_params_catch_up(w[k].params);
                tg_tensor *x = tg_embedding_forward(w[k].tape, &w[k].table, tg_ints_1d(ids, 2));
                if (step % 4)
                    x = tg_matmul_transposed(w[k].tape, x, w[k].table.weight, TG_TRANSPOSE_B);
                ck_assert(tg_backward(w[k].tape, test_weighted_loss(w[k].tape, x, 3)));
                ck_assert(tg_clip_grad_norm(w[k].params, 0.5) >= 0 &&
                          tg_adam_step(&optimizers[ADAM].adam, w[k].params));
                tg_tape_reset(w[k].tape);
            }
        tg_params_catch_up(w[0].params);
        assert_same(&w[0], &w[1]);
        end(&w[0]);
        end(&w[1]);
    }
END_TEST

START_TEST(rows_that_wait_are_not_read)
    {
        world w = begin(3, true);
        for (int step = 0; step < 2; step++) {
            pass(&w, tg_ints_1d((const int32_t[]){4 + step}, 1), 0, true);
            ck_assert(tg_adam_step(&optimizers[ADAM].adam, w.params));
        }
        ck_assert(!tg_embedding_forward(w.tape, &w.table, tg_ints_1d((const int32_t[]){5, 4}, 2)));
        test_expect_error(w.tape, "gather: row 4 of table.weight waits", "tg_params_prepare", NULL);
        ck_assert(!tg_square(w.tape, w.table.weight));
        test_expect_error(w.tape, "square: rows of table.weight may wait", "tg_params_catch_up",
                          NULL);
        ck_assert(tg_params_prepare(w.table.weight, tg_ints_1d((const int32_t[]){4, 4}, 2)));
        ck_assert(tg_embedding_forward(w.tape, &w.table, tg_ints_1d((const int32_t[]){5, 4}, 2)));
        tg_params_catch_up(w.params);
        ck_assert(tg_square(w.tape, w.table.weight));
        ck_assert(!tg_params_prepare(w.table.weight, tg_ints_1d((const int32_t[]){V}, 1)));
        test_expect_params_error(w.params, "prepare: id 60 is outside table.weight [60, 3]", NULL);
        ck_assert(!tg_params_prepare(NULL, tg_full_length()) && !tg_params_defer(NULL) &&
                  !tg_params_defer(w.out.bias));
        test_expect_params_error(w.params, "defer: out.bias is not a table of rows", NULL);
        ck_assert(
            tg_params_prepare(w.out.weight, tg_ints_1d((const int32_t[]){0},
                                                       1))); /* it is not deferred: nothing to do */
        tg_params_catch_up(NULL);
        end(&w);
    }
END_TEST

/* A matrix that is loaded stays as it is: no step that was missed before is taken on it. */
START_TEST(loading_a_matrix)
    {
        world w = begin(3, true);
        tg_real matrix[V * 3];
        test_fill(matrix, V * 3, 3, -1, 1);
        memset(matrix, 0, 3 * sizeof *matrix); /* the padding row */
        for (int step = 0; step < 3; step++) {
            pass(&w, tg_ints_1d((const int32_t[]){4 + step}, 1), 0, true);
            ck_assert(tg_adam_step(&optimizers[ADAM].adam, w.params));
        }
        ck_assert(tg_embedding_load(&w.table, matrix, V, 3));
        tg_params_catch_up(w.params);
        test_assert_same_bits("matrix", w.table.weight->data, matrix, V * 3);
        end(&w);
    }
END_TEST

/* The gradient can be read whole at any time, and is zero where no row was touched. */
START_TEST(gradients_of_rows)
    {
        world w = begin(3, true);
        for (int step = 0; step < 3; step++) {
            const int32_t ids[] = {7 + step, 0, 20};
            pass(&w, tg_ints_1d(ids, 3), step, true);
            for (int64_t i = 0; i < V * 3; i++) {
                const int64_t row = i / 3;
                ck_assert_msg((w.table.weight->grad[i] != 0) == (row == 7 + step || row == 20),
                              "step %d, row %d", step, (int)row);
            }
            double sum = 0;
            for (int64_t i = 0; i < V * 3; i++)
                sum += (double)w.table.weight->grad[i] * (double)w.table.weight->grad[i];
            ck_assert(test_near(tg_grad_norm(w.table.weight), sqrt(sum), TEST_TOLERANCE));
            if (step == 1) tg_params_zero_grad(w.params);
            else ck_assert(tg_adam_step(&optimizers[ADAM].adam, w.params));
        }
        end(&w);
    }
END_TEST

/* A step that finds no memory changes nothing, and can be taken again. */
START_TEST(steps_without_memory)
    {
        test_memory_begin(0, false);
        world late = begin(3, true), early = begin(3, false);
        int refused = 0;
        for (int step = 0; step < 60; step++) {
            const tg_ints ids = tg_ints_1d((const int32_t[]){step % 9 + 1}, 1);
            pass(&late, ids, step, true);
            pass(&early, ids, step, true);
            test_memory_refuse(1, false);
            if (!tg_adam_step(&optimizers[ADAM].adam, late.params)) {
                refused += strstr(tg_params_error(late.params),
                                  "bytes for notes of Adam's steps") != NULL;
                test_expect_params_error(late.params, "out of memory: ", NULL);
                ck_assert(tg_adam_step(&optimizers[ADAM].adam, late.params));
            }
            test_memory_refuse(0, false);
            ck_assert(tg_adam_step(&optimizers[ADAM].adam, early.params));
        }
        ck_assert_int_gt(refused, 2);
        tg_params_catch_up(late.params);
        assert_same(&late, &early);
        end(&late);
        end(&early);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

/* ---- gradients of several processes ---- */

/* The pass of one of two processes: the whole batch is prepared, half of it gone through; the loss is in whole numbers, so that no
 * order of summation shows. */
static void half_a_pass(world *w, tg_ints ids, int from, int to)
{
    tg_params_prepare(w->table.weight, ids);
    tg_tensor *x = tg_embedding_forward(w->tape, &w->table, tg_ints_1d(ids.data + from, to - from));
    tg_tensor *y = tg_affine(w->tape, tg_sum(w->tape, x, TG_ALL_AXES, false), 3, 0);
    ck_assert(tg_backward(w->tape,
                          tg_add(w->tape, y, tg_sum(w->tape, w->out.weight, TG_ALL_AXES, false))));
    tg_tape_reset(w->tape);
}

/* Two that add up their gradients end where one ends that has gone through all: no row is left out, wherever it was read. */
START_TEST(gradients_add_up)
    {
        const optimizer *o = &optimizers[ADAM];
        const int64_t width = widths[_i];
        world both[2] = {begin(width, true), begin(width, true)}, one = begin(width, true);
        for (int step = 0; step < 300; step++) {
            int32_t ids[MOST + 1];
            const tg_ints chosen = choose(ids, step);
            const int count = (int)chosen.shape[0], middle = count / 2;
            half_a_pass(&both[0], chosen, 0, middle);
            half_a_pass(&both[1], chosen, middle, count);
            tg_grad_piece a = {0}, b = {0};
            int pieces = 0;
            for (; tg_grad_next(both[0].params, &a); pieces++) {
                ck_assert(tg_grad_next(both[1].params, &b));
                ck_assert(a.parameter == b.parameter && a.at == b.at && a.size == b.size &&
                          a.size > 0);
                ck_assert(a.grad == tg_params_at(both[0].params, a.parameter)->grad + a.at);
                for (int64_t i = 0; i < a.size; i++) a.grad[i] = b.grad[i] = a.grad[i] + b.grad[i];
            }
            ck_assert(pieces > 1 && !tg_grad_next(both[1].params, &b));
            for (int p = 0; p < 2; p++) ck_assert(take_step(o, both[p].params));
            half_a_pass(&one, chosen, 0, middle);
            half_a_pass(&one, chosen, middle, count);
            ck_assert(take_step(o, one.params));
            ck_assert(!tg_grad_next(one.params, &(tg_grad_piece){0})); /* they are used up */
        }
        for (int p = 0; p < 2; p++) tg_params_catch_up(both[p].params);
        tg_params_catch_up(one.params);
        assert_same(&both[0], &one);
        assert_same(&both[1], &one);
        ck_assert(!tg_grad_next(NULL, &(tg_grad_piece){0}));
        for (int p = 0; p < 2; p++) end(&both[p]);
        end(&one);
    }
END_TEST

Suite *deferred_suite(void);
Suite *deferred_suite(void)
{
    Suite *suite = suite_create("deferred");
    TCase *tc = tcase_create("deferred");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, late_steps_are_the_same_steps, 0, OPTIMIZERS * (int)COUNT(widths));
    tcase_add_loop_test(tc, saving_catches_up, 0, 2);
    tcase_add_test(tc, shared_with_a_product);
    tcase_add_test(tc, rows_that_wait_are_not_read);
    tcase_add_test(tc, loading_a_matrix);
    tcase_add_test(tc, gradients_of_rows);
    tcase_add_test(tc, steps_without_memory);
    tcase_add_loop_test(tc, gradients_add_up, 0, (int)COUNT(widths));
    suite_add_tcase(suite, tc);
    return suite;
}
