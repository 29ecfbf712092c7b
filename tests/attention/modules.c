/* The layers as programs use them: names, initial values, sequential and parallel attention,
 * positions, errors. */
#include "subjects.h"

/* ---- names and initial values ---- */

typedef struct named {
    const char *name;
    test_shape shape;
    double bound; /* of the uniform initial values; 0: zeros; negative: a constant's magnitude */
} named;

static void assert_registered(tg_params *params, int count, const named *names)
{
    ck_assert_int_eq(tg_params_count(params), count);
    for (int i = 0; i < count; i++) {
        const tg_tensor *p = tg_params_find(params, names[i].name);
        ck_assert_msg(p != NULL, "no %s", names[i].name);
        test_assert_shape(names[i].name, p, names[i].shape.ndim, names[i].shape.size);
        double largest = 0;
        for (int64_t e = 0; e < p->size; e++) largest = fmax(largest, fabs((double)p->data[e]));
        const double bound = fabs(names[i].bound),
                     smallest = names[i].bound < 0 ? bound : 0.8 * bound;
        ck_assert_msg(largest <= bound * (1 + 1e-6) && largest >= smallest,
                      "%s: the largest magnitude is %g, the bound %g", names[i].name, largest,
                      bound);
    }
}

START_TEST(names_of_scores)
    {
        tg_params *params = tg_params_new(1);
        tg_attention layer;
        for (int score = 0; score < SCORES; score++)
            if (score != TG_SCORE_BILINEAR && score != TG_SCORE_ADDITIVE)
                ck_assert(tg_attention_init(&layer, params, "a", (tg_score)score, 4, 4, 9));
        ck_assert_int_eq(tg_params_count(params), 0); /* these scores have no parameters */
        ck_assert(tg_attention_init(&layer, params, "a.general", TG_SCORE_BILINEAR, 16, 25, 0));
        ck_assert(!layer.raw && !layer.times_score && layer.dropout == 0 &&
                  layer.weight == tg_params_find(params, "a.general.weight"));
        ck_assert(tg_attention_init(&layer, params, "a", TG_SCORE_ADDITIVE, 16, 25, 36));
        assert_registered(params, 5,
                          (const named[]){{"a.general.weight", S(16, 25), 0.25},
                                          {"a.query.weight", S(36, 16), 0.25},
                                          {"a.key.weight", S(36, 25), 0.2},
                                          {"a.key.bias", S(36), 0.2},
                                          {"a.score.weight", S(1, 36), 1.0 / 6}});
        ck_assert(!tg_attention_init(&layer, params, "a", TG_SCORE_ADDITIVE, 16, 25, 36));
        test_expect_params_error(params, "a.query.weight", NULL);
        ck_assert(!tg_attention_init(&layer, NULL, "a", TG_SCORE_ADDITIVE, 16, 25, 36));
        test_end(NULL, params);
    }
END_TEST

START_TEST(names_of_pools)
    {
        tg_params *params = tg_params_new(1);
        tg_attention_pool pool;
        ck_assert(tg_attention_pool_init(&pool, params, "dot", TG_SCORE_DOT, 25, 3));
        ck_assert(tg_attention_pool_init(&pool, params, "additive", TG_SCORE_ADDITIVE, 25, 36));
        ck_assert(tg_attention_pool_init(&pool, params, "bilinear", TG_SCORE_BILINEAR, 25, 3));
        assert_registered(params, 6,
                          (const named[]){{"dot.query", S(1, 25), 0.2},
                                          {"additive.proj.weight", S(36, 25), 0.2},
                                          {"additive.proj.bias", S(36), 0.2},
                                          {"additive.score.weight", S(1, 36), 1.0 / 6},
                                          {"bilinear.query", S(1, 25), 0.2},
                                          {"bilinear.weight", S(25, 25), 0.2}});
        ck_assert(!tg_attention_pool_init(&pool, params, "dot", TG_SCORE_COSINE, 25, 3));
        test_expect_params_error(params, "dot.query", NULL);
        test_end(NULL, params);
    }
END_TEST

START_TEST(names_of_blocks)
    {
        tg_params *params = tg_params_new(1);
        tg_transformer block;
        const double linear = 1 / sqrt(16), second = 1 / sqrt(36), glorot = sqrt(6.0 / 64);
        ck_assert(tg_transformer_init(&block, params, "layers.0", 16, 4, 36, true));
        ck_assert(block.decoder && !block.pre_norm && !block.gelu && block.dropout == 0 &&
                  block.self_attn.dropout == 0 && block.self_attn.heads == 4);
#define MULTIHEAD_NAMES(name)                                                      \
    {name ".in_proj_weight", S(48, 16), glorot}, {name ".in_proj_bias", S(48), 0}, \
        {name ".out_proj.weight", S(16, 16), linear}, {name ".out_proj.bias", S(16), 0}
#define NORM_NAMES(name) \
    {name ".weight", S(16), -1}, { name ".bias", S(16), 0 }
        assert_registered(params, 18,
                          (const named[]){MULTIHEAD_NAMES("layers.0.self_attn"),
                                          MULTIHEAD_NAMES("layers.0.multihead_attn"),
                                          {"layers.0.linear1.weight", S(36, 16), linear},
                                          {"layers.0.linear1.bias", S(36), linear},
                                          {"layers.0.linear2.weight", S(16, 36), second},
                                          {"layers.0.linear2.bias", S(16), second},
                                          NORM_NAMES("layers.0.norm1"),
                                          NORM_NAMES("layers.0.norm2"),
                                          NORM_NAMES("layers.0.norm3")});
        ck_assert(tg_transformer_init(&block, params, "encoder", 16, 4, 36, false));
        ck_assert_int_eq(tg_params_count(params), 18 + 12); /* no multihead_attn and no norm3 */
        ck_assert(!tg_params_find(params, "encoder.multihead_attn.in_proj_weight") &&
                  !tg_params_find(params, "encoder.norm3.weight"));
        test_end(NULL, params);
    }
END_TEST

START_TEST(heads_that_do_not_divide)
    {
        const int64_t heads[] = {3, 0, -2, 16};
        for (size_t k = 0; k < COUNT(heads); k++) {
            tg_params *params = tg_params_new(1);
            tg_multihead layer;
            tg_transformer block;
            char text[32];
            snprintf(text, sizeof text, "%d", (int)heads[k]);
            ck_assert(!tg_multihead_init(&layer, params, "attention", 8, heads[k]));
            test_expect_params_error(params, "attention", text, "8", NULL);
            ck_assert(!tg_transformer_init(&block, params, "block", 8, heads[k], 4, false));
            test_expect_params_error(params, "block.self_attn", text, "8", NULL);
            tg_params_free(params);
        }
        tg_multihead layer;
        ck_assert(!tg_multihead_init(&layer, NULL, "attention", 8, 2));
    }
END_TEST

/* ---- multi-head attention with tanh, which PyTorch does not have; dropout in blocks ---- */

/* Projection k (0: query, 1: key, 2: value), with tanh. */
static tg_tensor *project(tg_tape *tape, const tg_multihead *layer, tg_tensor *x, int64_t k)
{
    const int64_t E = x->shape[2];
    tg_tensor *w = tg_slice(tape, layer->in_proj_weight, 0, k * E, (k + 1) * E);
    tg_tensor *b = tg_slice(tape, layer->in_proj_bias, 0, k * E, (k + 1) * E);
    return tg_tanh(tape, tg_add(tape, tg_matmul_transposed(tape, x, w, TG_TRANSPOSE_B), b));
}

START_TEST(tanh_of_projections)
    {
        enum { B = 2, TQ = 5, TK = 7, E = 6, HEADS = 3 };
        const int32_t lengths[] = {7, 4};
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B)};
        tg_params *params = tg_params_new(1);
        tg_multihead layer;
        ck_assert(tg_multihead_init(&layer, params, "attention", E, HEADS));
        layer.tanh = true;
        for (int64_t i = 0; i < tg_params_count(params); i++)
            test_fill(tg_params_at(params, i)->data, tg_params_at(params, i)->size, (uint64_t)i, -1,
                      1);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(B, TQ, E)),
                  *memory = test_variable(tape, 2, -1, 1, TG_SHAPE(B, TK, E));
        tg_tensor *y = tg_multihead_forward(tape, &layer, x, memory, &mask, NULL);
        tg_tensor *q = project(tape, &layer, x, 0), *k = project(tape, &layer, memory, 1),
                  *v = project(tape, &layer, memory, 2);
        const tg_attention_config config = {.score = TG_SCORE_DOT, .scale = 1 / sqrt(E / HEADS)};
        tg_tensor *twin = test_twin_attend(tape, q, k, v, NULL, HEADS, config, &mask, NULL);
        twin = tg_add(tape, tg_matmul_transposed(tape, twin, layer.out_proj.weight, TG_TRANSPOSE_B),
                      layer.out_proj.bias);
        test_assert_clean(tape);
        test_assert_reals_near("y", y->data, twin->data, y->size, TEST_TOLERANCE);
        test_end(tape, params);
    }
END_TEST

/* Dropout draws one random word for each attention weight, for each number of each part's result,
 * and for each number of the hidden layer. */
START_TEST(dropout_in_blocks)
    {
        enum { B = 2, T = 3, TK = 5, E = 4, HEADS = 2, HIDDEN = 7 };
        const bool decoder = _i & 1;
        tg_params *params = tg_params_new(1);
        tg_transformer block;
        ck_assert(tg_transformer_init(&block, params, "block", E, HEADS, HIDDEN, decoder));
        for (int step = 0; step < 3; step++) {
            tg_tape *tape = tg_tape_new(1);
            const uint64_t start = tg_tape_random(tape)->counter;
            block.dropout = step > 0 ? 0.1 : 0;
            block.self_attn.dropout = step > 1 ? 0.1 : 0;
            tg_transformer_forward(tape, &block, test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, E)),
                                   NULL,
                                   decoder ? test_variable(tape, 2, -1, 1, TG_SHAPE(B, TK, E))
                                           : NULL,
                                   NULL, NULL);
            const uint64_t parts = (decoder ? 3 : 2) * B * T * E + B * T * HIDDEN,
                           weights = B * HEADS * T * T;
            ck_assert_uint_eq(tg_tape_random(tape)->counter - start,
                              (step > 0 ? parts : 0) + (step > 1 ? weights : 0));
            test_end(tape, NULL);
        }
        test_end(NULL, params);
    }
END_TEST

/* ---- sequential and parallel attention ---- */

/* Sizes: in 1, hidden 1, out 1. */
START_TEST(sequential_by_hand)
    {
        tg_params *params = tg_params_new(1);
        tg_sequential_attention layer;
        ck_assert(tg_sequential_attention_init(&layer, params, "m", 1, 1, 1));
        /* The score has no bias: softmax would cancel it. */
        ck_assert_int_eq(tg_params_count(params), 5);
        const double values[] = {0.5, 0.25, 2, -3, 0.125};
        static const char *const names[] = {"m.linear1.weight", "m.linear1.bias",
                                            "m.attention.weight", "m.linear2.weight",
                                            "m.linear2.bias"};
        for (int i = 0; i < 5; i++) tg_params_find(params, names[i])->data[0] = (tg_real)values[i];
        const tg_real x[] = {1, -1, 9, 2, 9, 9, 9, 9, 9};
        const int32_t lengths[] = {2, 1, 0};
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *attended;
        tg_tensor *in = tg_constant(tape, x, TG_SHAPE(3, 3, 1));
        tg_tensor *y = tg_sequential_attention_forward(tape, &layer, in, tg_ints_1d(lengths, 3),
                                                       &attended);
        const double h0 = tanh(0.75), h1 = tanh(-0.25), a = 1 / (1 + exp(2 * (h1 - h0)));
        TEST_TENSOR(y, TG_SHAPE(3, 1), -3 * (a * h0 + (1 - a) * h1) + 0.125,
                    -3 * tanh(1.25) + 0.125, 0.125);
        tg_tensor *weights = tg_attention_weights(tape, attended);
        TEST_TENSOR(weights, TG_SHAPE(3, 1, 1, 3), a, 1 - a, 0, 1, 0, 0, 0, 0, 0);
        /* Parallel attention reads regions from the last axis. */
        tg_tensor *regions = tg_reshape(tape, in, TG_SHAPE(3, 1, 3)),
                  *times = tg_reshape(tape, in, TG_SHAPE(3, 3, 1));
        tg_tensor *by_region = tg_parallel_attention_forward(tape, &layer, regions, &attended);
        tg_tensor *by_time = tg_sequential_attention_forward(tape, &layer, times, tg_full_length(),
                                                             NULL);
        test_assert_same_bits("regions", by_region->data, by_time->data, 3);
        test_assert_shape("weights", tg_attention_weights(tape, attended), TG_SHAPE(3, 1, 1, 3));
        test_end(tape, params);
    }
END_TEST

/* ParallelAttention(10, 20, 5) on [3, 10, 2]: B 3, in 10, two regions. PyTorch's Linear reads the
 * last axis and fails on this shape; here the last axis holds the regions, over which each sequence
 * is pooled. */
START_TEST(the_documents_regions)
    {
        tg_params *params = tg_params_new(1);
        tg_sequential_attention layer;
        ck_assert(tg_sequential_attention_init(&layer, params, "m", 10, 20, 5));
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(3, 10, 2));
        tg_tensor *y = tg_parallel_attention_forward(tape, &layer, x, NULL);
        test_assert_shape("y", y, TG_SHAPE(3, 5));
        tg_tensor *transposed = tg_permute(tape, x, TG_AXES(0, 2, 1));
        test_assert_same_bits(
            "y",
            tg_sequential_attention_forward(tape, &layer, transposed, tg_full_length(), NULL)->data,
            y->data, 15);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 1)));
        test_end(tape, params);
    }
END_TEST

/* SequentialAttention(10, 20, 5) on [3, 10] and on other wrong shapes: the error names the shapes
 * of the input and of the weight. */
static const struct {
    bool parallel;
    test_shape x;
    const char *text;
} wrong[] = {{false, S(3, 10), "[3, 10]"},
             {false, S(3, 10, 2), "[3, 10, 2]"},
             {false, S(10), "[10]"},
             {false, S(2, 3, 4, 10), "[2, 3, 4, 10]"},
             {true, S(3, 2, 10), "[3, 2, 10]"},
             {true, S(3, 10), "[3, 10]"},
             {true, S(2, 10, 3, 1), "[2, 10, 3, 1]"}};

START_TEST(the_documents_wrong_shapes)
    {
        tg_params *params = tg_params_new(1);
        tg_sequential_attention layer;
        ck_assert(tg_sequential_attention_init(&layer, params, "m", 10, 20, 5));
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, wrong[_i].x.ndim, wrong[_i].x.size);
        ck_assert_ptr_null(
            wrong[_i].parallel
                ? tg_parallel_attention_forward(tape, &layer, x, NULL)
                : tg_sequential_attention_forward(tape, &layer, x, tg_full_length(), NULL));
        test_expect_error(tape, wrong[_i].text, "[20, 10]", NULL);
        test_end(tape, params);
    }
END_TEST

/* ---- positions ---- */

START_TEST(sinusoids)
    {
        enum { B = 2, T = 7, E = 6 };
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, E)),
                  *y = tg_add_sinusoids(tape, x);
        test_assert_shape("y", y, TG_SHAPE(B, T, E));
        for (int64_t i = 0; i < y->size; i++) {
            const int64_t e = i % E, t = i / E % T;
            const double angle = (double)t / pow(10000, (double)(e - e % 2) / E),
                         want = (double)x->data[i] + (e % 2 ? cos(angle) : sin(angle));
            TEST_CHECK(test_near((double)y->data[i], want, TEST_TOLERANCE),
                       "t %d, e %d: %.9g, wanted %.9g", (int)t, (int)e, (double)y->data[i], want);
        }
        test_assert_shape("an odd width",
                          tg_add_sinusoids(tape, tg_constant(tape, NULL, TG_SHAPE(1, 3, 5))),
                          TG_SHAPE(1, 3, 5));
        test_assert_shape("no time",
                          tg_add_sinusoids(tape, tg_constant(tape, NULL, TG_SHAPE(2, 0, 4))),
                          TG_SHAPE(2, 0, 4));
        ck_assert_ptr_null(tg_add_sinusoids(tape, tg_constant(tape, NULL, TG_SHAPE(3, 4))));
        test_expect_error(tape, "[3, 4]", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(learned_positions)
    {
        enum { B = 2, T = 3, E = 4 };
        tg_params *params = tg_params_new(1);
        tg_embedding positions;
        ck_assert(tg_embedding_init(&positions, params, "positions", T + 1, E, -1));
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, E)),
                  *y = tg_add_positions(tape, &positions, x);
        for (int64_t i = 0; i < y->size; i++)
            ck_assert(y->data[i] == x->data[i] + positions.weight->data[i % (T * E)]);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        for (int64_t i = 0; i < (T + 1) * E; i++)
            ck_assert(positions.weight->grad[i] == (i < T * E ? B : 0)); /* the last is unused */
        test_end(tape, NULL);
        tape = tg_tape_new(1);
        ck_assert_ptr_null(
            tg_add_positions(tape, &positions, tg_constant(tape, NULL, TG_SHAPE(B, T + 2, E))));
        test_expect_error(tape, "4", "[4, 4]", NULL); /* position 4 in a table of 0 .. 3 */
        ck_assert_ptr_null(
            tg_add_positions(tape, &positions, tg_constant(tape, NULL, TG_SHAPE(B, T, E + 1))));
        test_expect_error(tape, "[2, 3, 5]", NULL);
        ck_assert_ptr_null(
            tg_add_positions(tape, &positions, tg_constant(tape, NULL, TG_SHAPE(B, T, 1))));
        test_expect_error(tape, "[2, 3, 1]", NULL); /* would broadcast */
        ck_assert_ptr_null(
            tg_add_positions(tape, &positions, tg_constant(tape, NULL, TG_SHAPE(T, E))));
        test_expect_error(tape, "[3, 4]", NULL);
        test_end(tape, params);
    }
END_TEST

/* ---- errors ---- */

static tg_tensor *zeros(tg_tape *tape, int64_t B, int64_t T, int64_t E)
{
    return tg_constant(tape, NULL, TG_SHAPE(B, T, E));
}

START_TEST(shapes_that_do_not_fit)
    {
        static const struct {
            int64_t q[3], k[3], v[3], heads;
            const char *texts[3];
        } misfits[] = {
            {{3, 2, 10},
             {3, 4, 6},
             {3, 4, 5},
             1,
             {"[3, 2, 10]", "[3, 4, 6]", "[3, 4, 5]"}}, /* widths */
            {{3, 2, 10},
             {2, 4, 10},
             {2, 4, 5},
             1,
             {"[3, 2, 10]", "[2, 4, 10]", "[2, 4, 5]"}}, /* batches */
            {{3, 2, 4},
             {3, 4, 4},
             {3, 5, 4},
             1,
             {"[3, 2, 4]", "[3, 4, 4]", "[3, 5, 4]"}}, /* times */
            {{3, 2, 4}, {3, 4, 4}, {3, 4, 4}, 3, {"[3, 2, 4]", "[3, 4, 4]", "heads: 3"}},
            {{3, 2, 4}, {3, 4, 4}, {3, 4, 5}, 2, {"[3, 2, 4]", "[3, 4, 5]", "heads: 2"}},
            {{3, 2, 4}, {3, 4, 4}, {3, 4, 4}, 0, {"[3, 2, 4]", "[3, 4, 4]", "heads: 0"}},
            {{3, 2, 4}, {3, 4, 4}, {3, 4, 4}, -2, {"[3, 2, 4]", "[3, 4, 4]", "heads: -2"}},
        };
        tg_tape *tape = tg_tape_new(1);
        for (size_t i = 0; i < COUNT(misfits); i++) {
            const int64_t *q = misfits[i].q, *k = misfits[i].k, *v = misfits[i].v;
            ck_assert_ptr_null(
                tg_dot_attention(tape, zeros(tape, q[0], q[1], q[2]), zeros(tape, k[0], k[1], k[2]),
                                 zeros(tape, v[0], v[1], v[2]), misfits[i].heads, 1, 0, NULL));
            test_expect_error(tape, "attention", misfits[i].texts[0], misfits[i].texts[1],
                              misfits[i].texts[2], NULL);
        }
        tg_tensor *flat = tg_constant(tape, NULL, TG_SHAPE(3, 4));
        ck_assert_ptr_null(tg_dot_attention(tape, flat, flat, flat, 1, 1, 0, NULL));
        test_expect_error(tape, "attention", "[3, 4]", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(masks_that_do_not_fit)
    {
        static const int32_t three[] = {1, 2, 3}, long_one[] = {2, 5}, negative[] = {-1, 2};
        static const uint8_t bytes[64] = {1};
        const struct {
            tg_attention_mask mask;
            const char *texts[2];
        } bad[] = {{{.lengths = tg_ints_1d(three, 3)}, {"[3]", "2"}},
                   {{.lengths = tg_ints_1d(long_one, 2)}, {"5", "4"}},
                   {{.lengths = tg_ints_1d(negative, 2)}, {"-1", "4"}},
                   {{.query_lengths = tg_ints_1d(three, 3)}, {"query lengths are [3]", "2"}},
                   {{.query_lengths = tg_ints_1d(long_one, 2)},
                    {"query lengths[", "5, outside 0 .. 3"}},
                   {{.mask = tg_mask_nd(bytes, TG_SHAPE(4, 3))}, {"[4, 3]", "[2, 3, 4]"}},
                   {{.mask = tg_mask_nd(bytes, TG_SHAPE(1, 2, 3, 4))},
                    {"[1, 2, 3, 4]", "[2, 3, 4]"}}};
        for (size_t i = 0; i < COUNT(bad); i++) {
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *q = zeros(tape, 2, 3, 5), *k = zeros(tape, 2, 4, 5);
            ck_assert_ptr_null(tg_dot_attention(tape, q, k, k, 1, 1, 0, &bad[i].mask));
            test_expect_error(tape, "attention", bad[i].texts[0], bad[i].texts[1], NULL);
            test_end(tape, NULL);
        }
    }
END_TEST

/* A call that fails draws nothing: the tape's generator stays where it was. */
START_TEST(errors_draw_no_dropout)
    {
        static const int32_t bad[] = {2, 5}, good[] = {2, 4};
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *q = zeros(tape, 2, 3, 5), *k = zeros(tape, 2, 4, 5);
        tg_attention_mask mask = {.lengths = tg_ints_1d(bad, 2)};
        const uint64_t start = tg_tape_random(tape)->counter;
        ck_assert_ptr_null(tg_dot_attention(tape, q, k, k, 1, 1, 0.5, &mask));
        test_expect_error(tape, "attention", "lengths[1] is 5", NULL);
        ck_assert_uint_eq(tg_tape_random(tape)->counter, start);
        mask.lengths = tg_ints_1d(good, 2);
        q = zeros(tape, 2, 3, 5);
        k = zeros(tape, 2, 4, 5);
        ck_assert_ptr_nonnull(tg_dot_attention(tape, q, k, k, 1, 1, 0.5, &mask));
        ck_assert_uint_eq(tg_tape_random(tape)->counter, start + 2 * 3 * 4);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(other_errors)
    {
        tg_params *params = tg_params_new(1);
        tg_transformer decoder;
        tg_multihead heads;
        ck_assert(tg_transformer_init(&decoder, params, "decoder", 4, 2, 4, true) &&
                  tg_multihead_init(&heads, params, "heads", 4, 2));
        tg_tape *tape = tg_tape_new(1);
        const double rates[] = {-0.1, 1, QNAN};
        for (size_t i = 0; i < COUNT(rates); i++) {
            tg_tensor *x = zeros(tape, 2, 3, 4);
            ck_assert_ptr_null(tg_dot_attention(tape, x, x, x, 1, 1, rates[i], NULL));
            test_expect_error(tape, "attention", "dropout", NULL);
        }
        /* a decoder without memory */
        ck_assert_ptr_null(
            tg_transformer_forward(tape, &decoder, zeros(tape, 2, 3, 4), NULL, NULL, NULL, NULL));
        test_expect_error(tape, "NULL", NULL);
        ck_assert_ptr_null(tg_multihead_forward(tape, &heads, zeros(tape, 2, 3, 6),
                                                zeros(tape, 2, 3, 4), NULL, NULL));
        test_expect_error(tape, "[2, 3, 6]", NULL);
        tg_tensor *x = zeros(tape, 2, 3, 6);
        ck_assert_ptr_null(tg_multihead_forward(tape, &heads, x, x, NULL, NULL));
        test_expect_error(tape, "[2, 3, 6]", "4]", NULL);
        test_end(tape, params);
    }
END_TEST

/* After an error, and for a NULL input that it left, every layer does nothing; the first error
 * stays. */
START_TEST(errors_stick)
    {
        subject s = subject_new(_i, 4);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = zeros(tape, 2, 3, 4), *memory = zeros(tape, 2, 3, 4);
        ck_assert_ptr_null(tg_add(tape, x, tg_constant(tape, NULL, TG_SHAPE(5))));
        tg_tensor *attended = x;
        const int64_t length = tg_tape_length(tape);
        ck_assert_ptr_null(
            subject_forward(tape, &s, &(subject_call){.x = x, .memory = memory}, &attended));
        ck_assert_ptr_null(
            subject_forward(tape, &s, &(subject_call){.x = NULL, .memory = NULL}, &attended));
        ck_assert_int_eq(tg_tape_length(tape), length);
        test_expect_error(tape, "add", "[2, 3, 4]", "[5]", NULL);
        test_end(tape, s.params);
    }
END_TEST

/* ---- out of memory: each allocation in turn ---- */

START_TEST(out_of_memory)
    {
        for (int64_t at = 1; at < 400; at++) {
            test_memory_begin(0, false);
            subject s = subject_new(_i, 4);
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 130, 4)),
                      *memory = test_variable(tape, 2, -1, 1, TG_SHAPE(2, 130, 4));
            test_memory_refuse(at, false);
            tg_tensor *attended;
            tg_tensor *y = subject_forward(tape, &s, &(subject_call){.x = x, .memory = memory},
                                           &attended),
                      *grads = NULL;
            const bool done = y && tg_backward(tape, tg_sum(tape, tg_square(tape, y), TG_ALL_AXES,
                                                            false));
            if (done) grads = tg_attention_score_grads(tape, attended);
            const bool refused = test_memory_now().failed > 0;
            if (refused) {
                const char *error = tg_tape_take_error(tape);
                ck_assert_msg(error && strstr(error, "out of memory"), "%s, allocation %d: %s",
                              s.name, (int)at, error ? error : "no error");
                if (tg_params_error(s.params)) tg_params_take_error(s.params);
            } else ck_assert_msg(grads != NULL, "%s: %s", s.name, tg_tape_error(tape));
            tg_tape_free(tape);
            tg_params_free(s.params);
            ck_assert_int_eq(test_memory_end().blocks, 0);
            if (!refused) return;
        }
        ck_abort_msg("after 400 allocations one still fails");
    }
END_TEST

/* Only the backward pass needs this scratch memory, and earlier passes left less of it. */
START_TEST(a_backward_pass_without_scratch_memory)
    {
        enum { B = 2048, T = 2, E = 64 };
        test_memory_begin(0, false);
        subject s = subject_new(0, E);
        tg_tape *tape = tg_tape_new(1);
        tg_constant(tape, NULL, TG_SHAPE(1 << 22)); /* space for results and gradients */
        tg_tape_reset(tape);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, E));
        /* allocates the scratch memory of the forward pass */
        ck_assert_ptr_nonnull(subject_forward(tape, &s, &(subject_call){.x = x}, NULL));
        ck_assert(tg_backward(tape, tg_sum(tape, tg_variable(tape, NULL, TG_SHAPE(1)), TG_ALL_AXES,
                                           false)));
        tg_tape_reset(tape);
        x = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, E));
        tg_tensor *y = subject_forward(tape, &s, &(subject_call){.x = x}, NULL);
        tg_tensor *loss = tg_sum(tape,
                                 tg_sum(tape, tg_reshape(tape, y, TG_SHAPE(B, T * E)), TG_AXES(1),
                                        false),
                                 TG_ALL_AXES, false);
        test_assert_clean(tape);
        test_memory_refuse(1, true);
        ck_assert(!tg_backward(tape, loss));
        test_memory_refuse(0, false);
        test_expect_error(tape, "attention: out of memory", "scratch", NULL);
        test_end(tape, s.params);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

Suite *modules_suite(void);
Suite *modules_suite(void)
{
    Suite *suite = suite_create("modules");
    TCase *tc = tcase_create("modules");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, names_of_scores);
    tcase_add_test(tc, names_of_pools);
    tcase_add_test(tc, names_of_blocks);
    tcase_add_test(tc, heads_that_do_not_divide);
    tcase_add_test(tc, tanh_of_projections);
    tcase_add_loop_test(tc, dropout_in_blocks, 0, 2);
    tcase_add_test(tc, sequential_by_hand);
    tcase_add_test(tc, the_documents_regions);
    tcase_add_loop_test(tc, the_documents_wrong_shapes, 0, (int)COUNT(wrong));
    tcase_add_test(tc, sinusoids);
    tcase_add_test(tc, learned_positions);
    tcase_add_test(tc, shapes_that_do_not_fit);
    tcase_add_test(tc, masks_that_do_not_fit);
    tcase_add_test(tc, errors_draw_no_dropout);
    tcase_add_test(tc, other_errors);
    tcase_add_loop_test(tc, errors_stick, 0, SUBJECTS);
    tcase_add_loop_test(tc, out_of_memory, 0, SUBJECTS);
    tcase_add_test(tc, a_backward_pass_without_scratch_memory);
    suite_add_tcase(suite, tc);
    return suite;
}
