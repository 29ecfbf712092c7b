/* The layer check passes every layer of the library. */
#include "../support/support.h"

enum { I = 4, H = 3 };

static bool linear_init(void *l, tg_params *p, const char *name)
{
    return tg_linear_init(l, p, name, I, H);
}
static tg_tensor *linear_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    (void)lengths;
    return tg_linear_forward(tape, l, x);
}

static bool norm_init(void *l, tg_params *p, const char *name)
{
    return tg_layer_norm_init(l, p, name, I);
}
static tg_tensor *norm_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    (void)lengths;
    return tg_layer_norm_forward(tape, l, x);
}

static bool lstm_init(void *l, tg_params *p, const char *name)
{
    return tg_lstm_init(l, p, name, I, H, 1, false);
}
static bool bilstm_init(void *l, tg_params *p, const char *name)
{
    return tg_lstm_init(l, p, name, I, H, 2, true);
}
static tg_tensor *lstm_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_lstm_forward(tape, l, x, lengths);
}

static bool additive_init(void *l, tg_params *p, const char *name)
{
    return tg_additive_attention_init(l, p, name, I, H);
}
static tg_tensor *additive_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_additive_attention_forward(tape, l, x, lengths, NULL);
}

static tg_score pool_score;
static bool pool_init(void *l, tg_params *p, const char *name)
{
    return tg_attention_pool_init(l, p, name, pool_score, I, H);
}
static tg_tensor *pool_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_attention_pool_forward(tape, l, x, lengths, NULL);
}

static bool sequential_init(void *l, tg_params *p, const char *name)
{
    return tg_sequential_attention_init(l, p, name, I, H, 2);
}
static tg_tensor *sequential_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_sequential_attention_forward(tape, l, x, lengths, NULL);
}

static bool multihead_init(void *l, tg_params *p, const char *name)
{
    return tg_multihead_init(l, p, name, I, 2);
}
static tg_tensor *multihead_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    const tg_attention_mask mask = {.lengths = lengths, .query_lengths = lengths};
    return tg_multihead_forward(tape, l, x, x, &mask, NULL);
}

static bool transformer_init(void *l, tg_params *p, const char *name)
{
    bool made = tg_transformer_init(l, p, name, I, 2, 6, false);
    ((tg_transformer *)l)->pre_norm = true;
    return made;
}
static tg_tensor *transformer_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    const tg_attention_mask mask = {.lengths = lengths, .query_lengths = lengths};
    return tg_transformer_forward(tape, l, x, &mask, NULL, NULL, NULL);
}

/* A layer without an operator of its own: a Linear that does not read the padding. */
static tg_tensor *composed_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_zero_padding(tape,
                           tg_tanh(tape,
                                   tg_linear_forward(tape, l, tg_zero_padding(tape, x, lengths))),
                           lengths);
}

static union {
    tg_linear linear;
    tg_layer_norm_layer norm;
    tg_lstm lstm;
    tg_additive_attention additive;
    tg_attention_pool pool;
    tg_sequential_attention sequential;
    tg_multihead multihead;
    tg_transformer transformer;
} layer_struct;

static const tg_checked_layer library[] = {
    {&layer_struct, linear_init, linear_forward, I, .pointwise = true},
    {&layer_struct, norm_init, norm_forward, I, .pointwise = true},
    {&layer_struct, linear_init, composed_forward, I, .pointwise = false},
    {&layer_struct, lstm_init, lstm_forward, I, .pointwise = false},
    {&layer_struct, bilstm_init, lstm_forward, I, .pointwise = false},
    {&layer_struct, additive_init, additive_forward, I, .pointwise = false},
    {&layer_struct, sequential_init, sequential_forward, I, .pointwise = false},
    {&layer_struct, multihead_init, multihead_forward, I, .nonzero_padding = true},
    {&layer_struct, transformer_init, transformer_forward, I, .nonzero_padding = true},
};

static void begin(void) { test_folder_begin(); }
static void end(void) { test_folder_end(); }

/* Every check passes or, if this build cannot make it, is skipped; every line says something. */
static void assert_passes(const char *what, tg_checked_layer layer)
{
    tg_layer_report report;
    char *text = NULL;
    size_t size;
    layer.file = test_path("layer.check");
    const bool passed = tg_check_layer(&layer, &report);
    FILE *stream = open_memstream(&text, &size);
    ck_assert(tg_layer_report_write(&report, stream));
    fclose(stream);
    ck_assert_msg(passed && report.passed, "%s:\n%s", what, text);
    for (int k = 0; k < TG_LAYER_CHECKS; k++) {
        const struct tg_layer_line *line = &report.lines[k];
        bool skipped = k == TG_LAYER_GRADIENTS && sizeof(tg_real) == 4;
#ifndef _OPENMP
        skipped = skipped || k == TG_LAYER_THREADS;
#endif
        ck_assert_msg(line->verdict == (skipped ? TG_LAYER_SKIPPED : TG_LAYER_PASSED), "%s:\n%s",
                      what, text);
        ck_assert_msg(line->text[0] && !strchr(line->text, '\n') && strstr(text, line->text) &&
                          strstr(text, tg_layer_check_name((tg_layer_check)k)),
                      "%s:\n%s", what, text);
    }
    ck_assert_int_eq(test_folder_count(), 0);
    free(text);
}

START_TEST(the_librarys_layers)
    {
        char what[32];
        snprintf(what, sizeof what, "layer %d", _i);
        assert_passes(what, library[_i]);
    }
END_TEST

START_TEST(pooling_by_every_score)
    {
        pool_score = (tg_score)_i;
        const tg_checked_layer layer = {&layer_struct, pool_init, pool_forward, I,
                                        .pointwise = false};
        char what[32];
        snprintf(what, sizeof what, "score %d", _i);
        assert_passes(what, layer);
    }
END_TEST

/* A Linear reads NaN in the padding, which reaches its gradient: it does not pass as a layer of
 * sequences. */
START_TEST(a_linear_is_pointwise)
    {
        tg_checked_layer layer = library[0];
        layer.pointwise = false;
        tg_layer_report report;
        ck_assert(!tg_check_layer(&layer, &report));
        ck_assert_int_eq(report.lines[TG_LAYER_PADDING].verdict, TG_LAYER_FAILED);
        ck_assert_int_eq(report.lines[TG_LAYER_ERRORS].verdict, TG_LAYER_FAILED);
    }
END_TEST

START_TEST(zero_padding)
    {
        const int32_t lengths[] = {2, 0}, wrong[] = {4, 0};
        const tg_real numbers[] = {1, 2, (tg_real)NAN, 4, 5, 6};
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, numbers, TG_SHAPE(2, 3, 1)),
                  *y = tg_zero_padding(tape, x, tg_ints_1d(lengths, 2));
        TEST_TENSOR(y, TG_SHAPE(2, 3, 1), 1, 2, 0, 0, 0, 0);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        test_assert_reals_near("dx", x->grad, (const tg_real[]){1, 1, 0, 0, 0, 0}, 6, 0);
        tg_tape_reset(tape);
        x = tg_constant(tape, numbers, TG_SHAPE(2, 3));
        ck_assert_ptr_eq(tg_zero_padding(tape, x, tg_full_length()), x);
        TEST_TENSOR(tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2, 3)),
                                    tg_ints_1d(lengths, 2)),
                    TG_SHAPE(2, 3), 0, 0, 0, 0, 0, 0);
        ck_assert_ptr_null(tg_zero_padding(tape, x, tg_ints_1d(wrong, 2)));
        test_expect_error(tape, "zero_padding", "4", NULL);
        ck_assert_ptr_null(
            tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2, 3)), tg_ints_1d(NULL, 2)));
        test_expect_error(tape, "zero_padding", "have no data", NULL);
        ck_assert_ptr_null(
            tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2, 3)), tg_ints_1d(lengths, 1)));
        test_expect_error(tape, "zero_padding", NULL);
        ck_assert_ptr_null(
            tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2)), tg_ints_1d(lengths, 2)));
        test_expect_error(tape, "zero_padding", NULL);
        test_end(tape, NULL);
    }
END_TEST

Suite *library_layers_suite(void);
Suite *library_layers_suite(void)
{
    Suite *suite = suite_create("library_layers");
    TCase *tc = tcase_create("library_layers");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_loop_test(tc, the_librarys_layers, 0, (int)COUNT(library));
    tcase_add_loop_test(tc, pooling_by_every_score, 0, TG_SCORE_EUCLIDEAN + 1);
    tcase_add_test(tc, a_linear_is_pointwise);
    tcase_add_test(tc, zero_padding);
    suite_add_tcase(suite, tc);
    return suite;
}
