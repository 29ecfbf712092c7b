/* Attention against PyTorch: values and gradients. The golden files hold the parameters under
 * PyTorch's names, and the layers load them as from any model. tests/golden/make_attention.py wrote
 * the files. */
#include "../support/attention.h"

enum { B = 3 };

/* "first.second" or, unless third is NULL, "first.second.third". */
static const char *join(char *text, const char *first, const char *second, const char *third)
{
    snprintf(text, TG_MAX_NAME, "%s.%s%s%s", first, second, third ? "." : "", third ? third : "");
    return text;
}

/* Matrix k of test_attention_matrix against the file's tensor. */
static void assert_matrix(tg_tape *tape, tg_params *golden, const char *name,
                          const tg_tensor *attended, int k)
{
    tg_tensor *matrix = test_attention_matrix[k](tape, attended);
    ck_assert_msg(matrix != NULL, "%s: %s", name, tg_tape_error(tape));
    test_golden_near(golden, name, matrix->data, matrix);
}

/* ---- F.scaled_dot_product_attention ---- */

static const char *const product_cases[] = {"plain", "lengths", "keep", "causal", "all"};

START_TEST(golden_products)
    {
        enum { HEADS = 2, TQ = 4, TK = 5, D = 3, DV = 2 };
        const char *name = product_cases[_i];
        const bool all = !strcmp(name, "all");
        char text[TG_MAX_NAME];
        tg_params *golden = test_golden_open("attention_products");
        int32_t lengths[B];
        uint8_t mask_bytes[B * TQ * TK];
        test_golden_ints(golden, "in.lengths", lengths, B);
        tg_tensor *file = test_golden(golden, all ? "in.keep_all" : "in.keep", TG_SHAPE(B, TQ, TK));
        for (int i = 0; i < B * TQ * TK; i++) mask_bytes[i] = file->data[i] != 0;
        tg_attention_mask mask = {.causal = !strcmp(name, "causal")};
        if (!strcmp(name, "lengths")) mask.lengths = tg_ints_1d(lengths, B);
        if (!strcmp(name, "keep") || all) mask.mask = tg_mask_nd(mask_bytes, TG_SHAPE(B, TQ, TK));
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *q = test_golden_input(tape, golden, "in.q", TG_SHAPE(B, TQ, HEADS * D));
        tg_tensor *k = test_golden_input(tape, golden, "in.k", TG_SHAPE(B, TK, HEADS * D));
        tg_tensor *v = test_golden_input(tape, golden, "in.v", TG_SHAPE(B, TK, HEADS * DV));
        tg_tensor *y = tg_dot_attention(tape, q, k, v, HEADS,
                                        !strcmp(name, "keep") ? 0.3 : 1 / sqrt(D), 0, &mask);
        ck_assert_msg(tg_backward(tape, test_golden_loss(tape, golden, "in.r", y)), "%s",
                      tg_tape_error(tape));
        test_golden_near(golden, join(text, "out", name, NULL), y->data, y);
        test_golden_near(golden, join(text, "grad", name, "q"), q->grad, q);
        test_golden_near(golden, join(text, "grad", name, "k"), k->grad, k);
        test_golden_near(golden, join(text, "grad", name, "v"), v->grad, v);
        tg_tensor *attended = y;
        assert_matrix(tape, golden, join(text, "out", name, "weights"), attended, 0);
        assert_matrix(tape, golden, join(text, "grad", name, "weights"), attended, 1);
        assert_matrix(tape, golden, join(text, "grad", name, "scores"), attended, 2);
        test_end(tape, golden);
    }
END_TEST

/* ---- the six scores in four modes ---- */

static const struct {
    const char *name;
    tg_score score;
} scores[] = {{"dot", TG_SCORE_DOT},           {"scaled_dot", TG_SCORE_SCALED_DOT},
              {"bilinear", TG_SCORE_BILINEAR}, {"additive", TG_SCORE_ADDITIVE},
              {"cosine", TG_SCORE_COSINE},     {"euclidean", TG_SCORE_EUCLIDEAN}};
static const char *const modes[] = {"softmax", "raw", "softmax_times", "raw_times"};

START_TEST(golden_scores)
    {
        enum { B_ = 2, TQ = 3, TK = 4, D = 3, DV = 2, A = 4 };
        tg_params *golden = test_golden_open("attention_scores");
        char scope[TG_MAX_NAME], what[64], text[TG_MAX_NAME];
        int32_t lengths[B_];
        test_golden_ints(golden, "in.lengths", lengths, B_);
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B_)};
        tg_attention layer;
        tg_attention_init(&layer, golden, join(scope, "param", scores[_i].name, NULL),
                          scores[_i].score, D, D, A);
        for (int mode = 0; mode < 4; mode++) {
            layer.raw = mode & 1;
            layer.times_score = mode & 2;
            snprintf(what, sizeof what, "%s.%s", scores[_i].name, modes[mode]);
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x[3] = {test_golden_input(tape, golden, "in.q", TG_SHAPE(B_, TQ, D)),
                               test_golden_input(tape, golden, "in.k", TG_SHAPE(B_, TK, D)),
                               test_golden_input(tape, golden, "in.v", TG_SHAPE(B_, TK, DV))};
            tg_tensor *y = tg_attention_forward(tape, &layer, x[0], x[1], x[2], &mask, NULL);
            ck_assert_msg(tg_backward(tape, test_golden_loss(tape, golden, "in.r", y)), "%s",
                          tg_tape_error(tape));
            test_golden_near(golden, join(text, "out", what, NULL), y->data, y);
            for (int i = 0; i < 3; i++)
                test_golden_near(golden,
                                 join(text, "grad", what, (const char *[]){"q", "k", "v"}[i]),
                                 x[i]->grad, x[i]);
            int learned = 0;
            for (int64_t i = 0, length = (int64_t)strlen(scope); i < tg_params_count(golden); i++) {
                tg_tensor *p = tg_params_at(golden, i);
                if (strncmp(p->name, scope, (size_t)length) != 0) continue;
                ck_assert_msg(p->has_grad, "%s has no gradient", p->name);
                test_golden_near(golden, join(text, "grad", what, p->name + length + 1), p->grad,
                                 p);
                learned++;
            }
            int expected = layer.score == TG_SCORE_BILINEAR ? 1 : 0;
            if (layer.score == TG_SCORE_ADDITIVE) expected = 4;
            ck_assert_int_eq(learned, expected);
            tg_params_zero_grad(golden);
            test_end(tape, NULL);
        }
        test_end(NULL, golden);
    }
END_TEST

/* ---- sequential attention ---- */

START_TEST(golden_sequential)
    {
        enum { T = 4, IN = 10, HIDDEN = 20, OUT = 5 };
        tg_params *golden = test_golden_open("sequential_attention");
        tg_sequential_attention layer;
        ck_assert_msg(tg_sequential_attention_init(&layer, golden, "param", IN, HIDDEN, OUT), "%s",
                      tg_params_error(golden));
        int32_t lengths[B];
        test_golden_ints(golden, "in.lengths", lengths, B);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_golden_input(tape, golden, "in.x", TG_SHAPE(B, T, IN));
        tg_tensor *attended;
        tg_tensor *y = tg_sequential_attention_forward(tape, &layer, x, tg_ints_1d(lengths, B),
                                                       &attended);
        ck_assert_msg(tg_backward(tape, test_golden_loss(tape, golden, "in.r", y)), "%s",
                      tg_tape_error(tape));
        test_golden_near(golden, "out.y", y->data, y);
        test_golden_near(golden, "grad.x", x->grad, x);
        tg_tensor *weights = tg_attention_weights(tape, attended),
                  *want = test_golden(golden, "out.weights", TG_SHAPE(B, T));
        test_assert_shape("weights", weights, TG_SHAPE(B, 1, 1, T));
        test_assert_reals_near("weights", weights->data, want->data, B * T, TEST_TOLERANCE);
        test_golden_gradients(golden);
        test_end(tape, golden);
    }
END_TEST

/* ---- nn.MultiheadAttention ---- */

static const struct {
    const char *file;
    bool cross, causal;
} multiheads[] = {{"multihead_self", false, false},
                  {"multihead_cross", true, false},
                  {"multihead_causal", false, true}};

START_TEST(golden_multihead)
    {
        enum { TQ = 4, E = 6, HEADS = 2 };
        const bool cross = multiheads[_i].cross;
        tg_params *golden = test_golden_open(multiheads[_i].file);
        tg_multihead layer;
        ck_assert_msg(tg_multihead_init(&layer, golden, "param", E, HEADS), "%s",
                      tg_params_error(golden));
        int32_t lengths[B];
        test_golden_ints(golden, "in.lengths", lengths, B);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_golden_input(tape, golden, "in.x", TG_SHAPE(B, TQ, E));
        tg_tensor *memory = cross ? test_golden_input(tape, golden, "in.memory", TG_SHAPE(B, 5, E))
                                  : x;
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B),
                                        .causal = multiheads[_i].causal};
        tg_tensor *attended;
        tg_tensor *y = tg_multihead_forward(tape, &layer, x, memory, &mask, &attended);
        ck_assert_msg(tg_backward(tape, test_golden_loss(tape, golden, "in.r", y)), "%s",
                      tg_tape_error(tape));
        test_golden_near(golden, "out.y", y->data, y);
        assert_matrix(tape, golden, "out.weights", attended, 0);
        test_golden_near(golden, "grad.x", x->grad, x);
        if (cross) test_golden_near(golden, "grad.memory", memory->grad, memory);
        test_golden_gradients(golden);
        test_end(tape, golden);
    }
END_TEST

/* ---- nn.TransformerEncoderLayer, nn.TransformerDecoderLayer ---- */

START_TEST(golden_transformer)
    {
        enum { T = 4, TK = 5, E = 6, HEADS = 2, HIDDEN = 7 };
        const bool decoder = _i & 1, pre_norm = _i & 2, gelu = _i & 4;
        char name[TG_MAX_NAME];
        snprintf(name, sizeof name, "transformer_%s_%s_%s", decoder ? "decoder" : "encoder",
                 pre_norm ? "pre" : "post", gelu ? "gelu" : "relu");
        tg_params *golden = test_golden_open(name);
        tg_transformer layer;
        ck_assert_msg(tg_transformer_init(&layer, golden, "param", E, HEADS, HIDDEN, decoder), "%s",
                      tg_params_error(golden));
        layer.pre_norm = pre_norm;
        layer.gelu = gelu;
        int32_t lengths[B], memory_lengths[B];
        test_golden_ints(golden, "in.lengths", lengths, B);
        if (decoder) test_golden_ints(golden, "in.memory_lengths", memory_lengths, B);
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B), .causal = decoder},
                                memory_mask = {.lengths = tg_ints_1d(memory_lengths, B)};
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_golden_input(tape, golden, "in.x", TG_SHAPE(B, T, E));
        tg_tensor *memory = decoder
                                ? test_golden_input(tape, golden, "in.memory", TG_SHAPE(B, TK, E))
                                : NULL;
        tg_tensor *y = tg_transformer_forward(tape, &layer, x, &mask, memory,
                                              decoder ? &memory_mask : NULL, NULL);
        ck_assert_msg(tg_backward(tape, test_golden_loss(tape, golden, "in.r", y)), "%s",
                      tg_tape_error(tape));
        test_golden_near(golden, "out.y", y->data, y);
        test_golden_near(golden, "grad.x", x->grad, x);
        if (decoder) test_golden_near(golden, "grad.memory", memory->grad, memory);
        test_golden_gradients(golden);
        test_end(tape, golden);
    }
END_TEST

Suite *golden_suite(void);
Suite *golden_suite(void)
{
    Suite *suite = suite_create("golden");
    TCase *tc = tcase_create("golden");
    tcase_add_loop_test(tc, golden_products, 0, (int)COUNT(product_cases));
    tcase_add_loop_test(tc, golden_scores, 0, (int)COUNT(scores));
    tcase_add_test(tc, golden_sequential);
    tcase_add_loop_test(tc, golden_multihead, 0, (int)COUNT(multiheads));
    tcase_add_loop_test(tc, golden_transformer, 0, 8);
    suite_add_tcase(suite, tc);
    return suite;
}
