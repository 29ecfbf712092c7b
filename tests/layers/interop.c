/* Models are exchanged with PyTorch: one was trained by textclf and opened in PyTorch, two were
 * made in PyTorch. Logits and attention weights agree on both sides. tests/golden/make_models.py
 * wrote the files and PyTorch's outputs. The weights are F32, which both builds read without
 * rounding, so the double build agrees to 1e-10. */
#include "../support/support.h"

static const struct {
    const char *name;
    int64_t V, E, H, C;
    bool attention;
} models[] = {{"trained_here", 16, 6, 5, 2, true},
              {"made_in_pytorch", 12, 5, 4, 3, true},
              {"made_in_pytorch_none", 12, 4, 3, 2, false}};

static const struct {
    int64_t B, T;
} batches[] = {{3, 6}, {5, 7}, {1, 1}};

enum { MAX_ROWS = 5, MAX_TIME = 7 };

typedef struct network {
    tg_params *params;
    tg_embedding embedding;
    tg_lstm encoder;
    tg_additive_attention attention;
    tg_linear classify;
} network;

/* Loads the file of model m, which must hold exactly the network's parameters. */
static network open_network(int m)
{
    const int64_t H = models[m].H;
    network net = {.params = test_golden_open(models[m].name)};
    tg_embedding_init(&net.embedding, net.params, "embedding", models[m].V, models[m].E, 0);
    tg_lstm_init(&net.encoder, net.params, "encoder", models[m].E, H, 1, true);
    if (models[m].attention)
        tg_additive_attention_init(&net.attention, net.params, "attention", 2 * H, 2 * H);
    tg_linear_init(&net.classify, net.params, "classify", 2 * H, models[m].C);
    tg_params_finish_load(net.params);
    test_assert_params_clean(net.params);
    return net;
}

/* The final states of both directions, side by side: [2, B, H] -> [B, 2H]. */
static tg_tensor *last_state(tg_tape *tape, const network *net, tg_tensor *x, tg_ints lengths)
{
    tg_lstm_state final = {NULL, NULL};
    tg_lstm_forward_state(tape, &net->encoder, x, lengths, NULL, &final);
    tg_tensor *by_row = tg_permute(tape, final.h, TG_AXES(1, 0, 2));
    return tg_reshape(tape, by_row, TG_SHAPE(lengths.shape[0], 2 * net->encoder.hidden));
}

static tg_tensor *logits_of(tg_tape *tape, const network *net, tg_ints ids, tg_ints lengths,
                            tg_tensor **attended)
{
    const double p = 0.5; /* dropout; has no effect in evaluation mode */
    tg_tensor *x = tg_dropout(tape, tg_embedding_forward(tape, &net->embedding, ids), p), *c;
    if (net->attention.proj_weight) {
        tg_tensor *h = tg_lstm_forward(tape, &net->encoder, x, lengths);
        c = tg_additive_attention_forward(tape, &net->attention, h, lengths, attended);
    } else {
        c = last_state(tape, net, x, lengths);
    }
    return tg_linear_forward(tape, &net->classify, tg_dropout(tape, c, p));
}

/* A name such as "in.ids.1"; valid until the next call. */
static const char *numbered(const char *name, int batch)
{
    static char text[64];
    snprintf(text, sizeof text, "%s.%d", name, batch + 1);
    return text;
}

static void compare(tg_params *golden, const char *what, const tg_tensor *got, int64_t rows,
                    int64_t columns)
{
    const tg_tensor *want = test_golden(golden, what, TG_SHAPE(rows, columns));
    test_assert_shape(what, got, TG_SHAPE(rows, columns));
    test_assert_reals_near(what, got->data, want->data, rows * columns, TEST_TOLERANCE);
}

static void compare_batch(tg_tape *tape, const network *net, tg_params *golden, int batch)
{
    const int64_t B = batches[batch].B, T = batches[batch].T;
    int32_t id_numbers[MAX_ROWS * MAX_TIME], length_numbers[MAX_ROWS];
    tg_tensor *in = test_golden(golden, numbered("in.ids", batch), TG_SHAPE(B, T));
    for (int64_t i = 0; i < B * T; i++) id_numbers[i] = (int32_t)lrint((double)in->data[i]);
    test_golden_ints(golden, numbered("in.lengths", batch), length_numbers, B);
    tg_tensor *attended = {NULL};
    tg_tensor *logits = logits_of(tape, net, tg_ints_2d(id_numbers, B, T),
                                  tg_ints_1d(length_numbers, B), &attended);
    test_assert_clean(tape);
    compare(golden, numbered("out.logits", batch), logits, B, net->classify.weight->shape[0]);
    if (net->attention.proj_weight) {
        tg_tensor *weights = tg_reshape(tape, tg_attention_weights(tape, attended), TG_SHAPE(B, T));
        compare(golden, numbered("out.weights", batch), weights, B, T);
    }
    tg_tape_reset(tape);
}

START_TEST(equal_outputs)
    {
        char name[64];
        snprintf(name, sizeof name, "%s_outputs", models[_i].name);
        network net = open_network(_i);
        tg_params *golden = test_golden_open(name);
        tg_tape *tape = tg_tape_new(1);
        tg_tape_set_training(tape, false);
        for (int batch = 0; batch < (int)COUNT(batches); batch++)
            compare_batch(tape, &net, golden, batch);
        tg_params_finish_load(golden); /* every tensor was used */
        test_end(tape, golden);
        test_end(NULL, net.params);
    }
END_TEST

/* A model with other sizes or other layers does not load. */
START_TEST(another_network_is_an_error)
    {
        tg_linear layer;
        tg_params *params = test_golden_open("made_in_pytorch");
        tg_linear_init(&layer, params, "classify", 8, 2);
        test_expect_params_error(params, "classify.weight", "[2, 8]", "[3, 8]", NULL);
        tg_params_free(params);

        params = test_golden_open("made_in_pytorch_none");
        tg_additive_attention attention;
        tg_additive_attention_init(&attention, params, "attention", 6, 6);
        test_expect_params_error(params, "attention.proj.weight", NULL);
        tg_params_free(params);

        params = test_golden_open("made_in_pytorch_none");
        tg_linear_init(&layer, params, "classify", 6, 2);
        ck_assert(!tg_params_finish_load(params));
        tg_params_take_error(params);
        tg_params_free(params);
    }
END_TEST

Suite *interop_suite(void);
Suite *interop_suite(void)
{
    Suite *suite = suite_create("interop");
    TCase *numbers = tcase_create("PyTorch's numbers");
    tcase_add_loop_test(numbers, equal_outputs, 0, (int)COUNT(models));
    suite_add_tcase(suite, numbers);
    TCase *errors = tcase_create("errors");
    tcase_add_test(errors, another_network_is_an_error);
    suite_add_tcase(suite, errors);
    return suite;
}
