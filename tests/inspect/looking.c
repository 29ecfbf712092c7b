/* What shows a tape: scopes, the table, the graph, and the watch. */
#include <unistd.h>

#include "../support/support.h"

/* A small model of layers inside layers, and a chain that repeats. */
typedef struct world {
    tg_params *params;
    tg_tape *tape;
    tg_embedding words;
    tg_lstm encoder;
    tg_multihead self_attn;
    tg_additive_attention attention;
    tg_linear classify;
    tg_tensor *loss;
} world;

enum { REPEATS = 7 };

static world begin(void)
{
    world w = {.params = tg_params_new(1), .tape = tg_tape_new(1)};
    tg_embedding_init(&w.words, w.params, "words", 9, 4, 0);
    tg_lstm_init(&w.encoder, w.params, "encoder", 4, 2, 1, true);
    tg_multihead_init(&w.self_attn, w.params, "block.self_attn", 4, 2);
    tg_additive_attention_init(&w.attention, w.params, "attention", 4, 3);
    tg_linear_init(&w.classify, w.params, "classify", 4, 2);
    return w;
}

static void forward(world *w)
{
    static const int32_t ids[] = {1, 2, 3, 4, 5, 0}, lengths[] = {3, 2}, labels[] = {0, 1};
    tg_tensor *x = tg_embedding_forward(w->tape, &w->words, tg_ints_2d(ids, 2, 3));
    tg_scope_begin(w->tape, "model");
    tg_scope_begin(w->tape, "lower");
    x = tg_lstm_forward(w->tape, &w->encoder, x, tg_ints_1d(lengths, 2));
    tg_scope_end(w->tape);
    x = tg_multihead_forward(w->tape, &w->self_attn, x, x, NULL, NULL);
    tg_scope_end(w->tape);
    x = tg_additive_attention_forward(w->tape, &w->attention, x, tg_ints_1d(lengths, 2), NULL);
    for (int i = 0; i < REPEATS; i++) x = tg_tanh(w->tape, tg_affine(w->tape, x, 1.5, 0));
    w->loss = tg_cross_entropy(w->tape, tg_linear_forward(w->tape, &w->classify, x),
                               tg_ints_1d(labels, 2));
}

static void end(world *w) { test_end(w->tape, w->params); }

/* What a function writes about a tape; the caller frees it. */
static char *written(tg_tape *tape, bool (*write)(tg_tape *, FILE *))
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ck_assert(write(tape, stream));
    fclose(stream);
    return text;
}

/* The line of the table that starts with an operator's name, the `nth` of that name. */
static const char *line_of(const char *text, const char *name, int nth)
{
    static char line[512];
    for (const char *at = text; (at = strchr(at, '\n')); at++) {
        char found[32];
        long long number;
        if (sscanf(at + 1, "%lld %31s", &number, found) != 2 || strcmp(found, name) != 0 ||
            nth-- > 0)
            continue;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
        return line;
    }
    ck_abort_msg("no %s in:\n%s", name, text);
    return NULL;
}

#define HAS(text, part) ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text)

START_TEST(a_row_an_operator)
    {
        world w = begin();
        forward(&w);
        char *text = written(w.tape, tg_tape_print);
        HAS(line_of(text, "gather", 0), " words ");
        HAS(line_of(text, "gather", 0), "[2, 3, 4]");
        HAS(line_of(text, "lstm", 0), " model/lower/encoder ");
        HAS(line_of(text, "lstm", 0), "#0, weight_ih_l0 ..");
        HAS(line_of(text, "attention", 0),
            " model/block/self_attn ");                /* between projections of the layer */
        HAS(line_of(text, "where", 0), " attention "); /* read by two parts of it */
        HAS(line_of(text, "linear", 5), " classify ");
        HAS(line_of(text, "linear", 5), " 32 ");       /* 2 rows x 4 x 2 outputs, twice */
        HAS(line_of(text, "cross_entropy", 0), "  -"); /* no gradient yet */
        char sums[64];
        snprintf(sums, sizeof sums, "\n%lld operators, results of ",
                 (long long)tg_tape_length(w.tape));
        HAS(text, sums);
        free(text);
        ck_assert(tg_backward(w.tape, w.loss));
        text = written(w.tape, tg_tape_print);
        HAS(line_of(text, "cross_entropy", 0), "  1 .. 1");
        free(text);
        end(&w);
    }
END_TEST

/* What has no parameters of its own, inside a layer and behind one. */
START_TEST(scopes_without_parameters)
    {
        static const int32_t lengths[] = {3, 2};
        tg_params *params = tg_params_new(1);
        tg_tape *tape = tg_tape_new(1);
        tg_transformer block;
        tg_linear a, b, c;
        tg_transformer_init(&block, params, "block", 4, 2, 6, false);
        block.pre_norm = true; /* its last operator adds */
        tg_linear_init(&a, params, "a", 4, 4);
        tg_linear_init(&b, params, "b", 4, 1);
        tg_linear_init(&c, params, "c", 4, 1);
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, 2),
                                        .query_lengths = tg_ints_1d(lengths, 2)};
        tg_tensor *x = tg_constant(tape, NULL, TG_SHAPE(2, 3, 4));
        x = tg_transformer_forward(tape, &block, tg_tanh(tape, x), &mask, NULL, NULL, NULL);
        x = tg_exp(tape, tg_linear_forward(tape, &a, tg_sigmoid(tape, x)));
        tg_add(tape, tg_linear_forward(tape, &b, x), tg_linear_forward(tape, &c, x));
        char *text = written(tape, tg_tape_print);
        for (int nth = 0; nth < 3; nth++)
            HAS(line_of(text, "linear", nth),
                " block/self_attn "); /* they read parts of one matrix */
        HAS(line_of(text, "attention", 0), " block/self_attn ");
        HAS(line_of(text, "linear", 3), " block/self_attn/out_proj ");
        HAS(line_of(text, "add", 0), " block ");
        HAS(line_of(text, "relu", 0), " block ");
        HAS(line_of(text, "add", 1), " block ");
        HAS(line_of(text, "sigmoid", 0), " a "); /* on its way into one */
        HAS(line_of(text, "exp", 0), " a ");     /* into two: it stays where it comes from */
        free(text);
        test_end(tape, params);
    }
END_TEST

START_TEST(ranges_are_those_of_the_numbers)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_affine(tape, tg_constant(tape, (const tg_real[]){-3, 0.5, 2}, TG_SHAPE(3)), 2, 1);
        tg_log(tape, tg_constant(tape, (const tg_real[]){0, 1, -1}, TG_SHAPE(3)));
        char *text = written(tape, tg_tape_print);
        HAS(line_of(text, "affine", 0), "-5 .. 5 ");
        HAS(line_of(text, "log", 0), "2 not finite");
        free(text);
        test_end(tape, NULL);
    }
END_TEST

/* Balanced, each edge between operators that are there, and what repeats drawn once. */
START_TEST(a_graph)
    {
        world w = begin();
        forward(&w);
        char *text = written(w.tape, tg_tape_write_dot);
        int depth = 0, edges = 0;
        for (const char *c = text; *c; c++) {
            depth += (*c == '{') - (*c == '}');
            ck_assert_int_ge(depth, 0);
        }
        ck_assert_int_eq(depth, 0);
        for (const char *at = text; (at = strstr(at, " -> n")); at++, edges++) {
            char node[32];
            long long number;
            ck_assert_int_eq(sscanf(at, " -> n%lld", &number), 1);
            snprintf(node, sizeof node, "n%lld [label", number);
            HAS(text, node);
        }
        ck_assert_int_gt(edges, 10);
        HAS(text, "label=<<b>tanh</b><br/>[2, 4]<br/>7 times>");
        HAS(text, "subgraph \"cluster_model/lower/encoder\"");
        HAS(text, ">weight [3, 4]<"); /* attention.proj.weight */
        HAS(text, ">weight_ih_l0_reverse [8, 4]<");
        int drawn = 0;
        for (const char *at = text; (at = strstr(at, "label=<<b>tanh")); at++) drawn++;
        ck_assert_int_eq(drawn, 1);
        free(text);
        end(&w);
    }
END_TEST

/* With the watch on, scopes open and the tape printed in between, not a bit of a gradient is another. */
START_TEST(looking_changes_nothing)
    {
        world plain = begin(), watched = begin();
        tg_tape_detect_anomaly(watched.tape, true);
        for (int i = 0; i < 2; i++) {
            world *w = i ? &watched : &plain;
            forward(w);
            if (i) free(written(w->tape, tg_tape_print));
            ck_assert(tg_backward(w->tape, w->loss));
            if (i) free(written(w->tape, tg_tape_write_dot));
        }
        for (int64_t i = 0; i < tg_params_count(plain.params); i++) {
            const tg_tensor *a = tg_params_at(plain.params, i),
                            *b = tg_params_at(watched.params, i);
            test_assert_same_bits(a->name, b->grad, a->grad, a->size);
        }
        ck_assert_ptr_null(tg_tape_warning(watched.tape));
        end(&plain);
        end(&watched);
    }
END_TEST

static void expect(tg_tape *tape, const char *first, const char *second, const char *third)
{
    const char *error = tg_tape_take_error(tape);
    ck_assert_ptr_nonnull(error);
    HAS(error, first);
    HAS(error, second);
    HAS(error, third);
    tg_tape_reset(tape);
}

START_TEST(the_first_that_is_not_finite)
    {
        tg_tape *tape = tg_tape_new(1);
        const tg_real x[] = {1, 2, 3, 0, 5, 6};
        tg_log(tape, tg_constant(tape, x, TG_SHAPE(2, 3)));
        ck_assert_ptr_null(tg_tape_error(tape)); /* nobody watches yet */
        tg_tape_reset(tape);
        tg_tape_detect_anomaly(tape, true);
        tg_exp(tape, tg_log(tape, tg_constant(tape, x, TG_SHAPE(2, 3))));
        expect(tape, "log: ", "[2, 3] is -inf at [1, 0]", "operator 0");
        tg_scope_begin(tape, "mine");
        tg_sqrt(tape, tg_constant(tape, (const tg_real[]){4, -1}, TG_SHAPE(2)));
        expect(tape, "sqrt: the result", "nan at [1]", "scope \"mine\"");
        tg_tensor *y = tg_sqrt(tape, tg_variable(tape, x, TG_SHAPE(6)));
        ck_assert(!tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        expect(tape, "sqrt: the gradient of an input", "inf at [3]", "operator 0");
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, "layer", "weight", TG_SHAPE(2), tg_init_constant(0));
        ck_assert(!tg_backward(tape, tg_sum(tape, tg_sqrt(tape, p), TG_ALL_AXES, false)));
        expect(tape, "sqrt: the gradient of a parameter", "inf at [0]", "scope \"layer\"");
        tg_params_take_error(params);
        /* Infinite by definition, and no fault. */
        const uint8_t keep[] = {1, 0, 1};
        tg_mask mask = tg_mask_nd(keep, TG_SHAPE(3));
        tg_tensor *row = tg_constant(tape, x, TG_SHAPE(3));
        tg_softmax(tape, tg_where_scalar(tape, mask, row, -INF));
        tg_log_softmax_masked(tape, row, mask);
        tg_logsumexp(tape, tg_constant(tape, x, TG_SHAPE(2, 0)), TG_AXES(1), false);
        ck_assert_msg(!tg_tape_error(tape), "%s", tg_tape_error(tape));
        tg_tape_detect_anomaly(tape, false);
        tg_log(tape, tg_constant(tape, x, TG_SHAPE(6)));
        test_end(tape, params);
    }
END_TEST

START_TEST(likely_mistakes)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t labels[] = {0, 1};
        tg_tensor *logits = tg_constant(tape, (const tg_real[]){1, 2, 3, 0, 5, 6}, TG_SHAPE(2, 3));
        tg_tape_detect_anomaly(tape, true);
        tg_cross_entropy(tape, logits, tg_ints_1d(labels, 2));
        ck_assert_ptr_null(tg_tape_warning(tape));
        tg_cross_entropy(tape, tg_softmax(tape, logits), tg_ints_1d(labels, 2));
        ck_assert_ptr_nonnull(tg_tape_warning(tape));
        HAS(tg_tape_warning(tape), "cross_entropy");
        HAS(tg_tape_warning(tape), "it wants logits");
        ck_assert_ptr_null(tg_tape_error(tape));
        tg_tape_free(tape);

        tape = tg_tape_new(1);
        tg_tape_detect_anomaly(tape, true);
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, "layer", "weight", TG_SHAPE(1), tg_init_constant(1));
        for (int i = 0; i < 1100; i++) {
            ck_assert_msg(!tg_tape_warning(tape) || i > 999, "after %d passes: %s", i,
                          tg_tape_warning(tape));
            tg_backward(tape, tg_square(tape, p));
            tg_tape_reset(tape);
            if (i == 50) tg_params_zero_grad(params);
        }
        ck_assert_ptr_nonnull(tg_tape_warning(tape));
        HAS(tg_tape_warning(tape), "layer.weight");
        test_end(tape, params);
    }
END_TEST

START_TEST(a_name_that_graphviz_could_stumble_over)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_scope_begin(tape, "say \"x\" & <y>\\");
        tg_tanh(tape, tg_constant(tape, NULL, TG_SHAPE(2)));
        char *text = written(tape, tg_tape_write_dot);
        HAS(text, "say &#34;x&#34; &#38; &#60;y&#62;&#92;");
        free(text);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(nothing_to_look_at)
    {
        tg_tape *tape = tg_tape_new(1);
        char *text = written(tape, tg_tape_print);
        HAS(text, "\n0 operators");
        free(text);
        free(written(tape, tg_tape_write_dot));
        ck_assert(!tg_tape_print(NULL, stdout) && !tg_tape_write_dot(NULL, stdout));
        FILE *full = fopen("/dev/full", "w");
        if (full) {
            setvbuf(full, NULL, _IONBF, 0);
            ck_assert(!tg_tape_print(tape, full) && !tg_tape_write_dot(tape, full));
            fclose(full);
        }
        tg_scope_end(tape);
        tg_scope_begin(NULL, "x");
        tg_scope_end(NULL);
        tg_tape_detect_anomaly(NULL, true);
        ck_assert_ptr_null(tg_tape_warning(NULL));
        test_end(tape, NULL);
    }
END_TEST

Suite *looking_suite(void);
Suite *looking_suite(void)
{
    Suite *suite = suite_create("looking");
    TCase *tc = tcase_create("looking");
    tcase_add_test(tc, a_row_an_operator);
    tcase_add_test(tc, scopes_without_parameters);
    tcase_add_test(tc, ranges_are_those_of_the_numbers);
    tcase_add_test(tc, a_graph);
    tcase_add_test(tc, looking_changes_nothing);
    tcase_add_test(tc, the_first_that_is_not_finite);
    tcase_add_test(tc, likely_mistakes);
    tcase_add_test(tc, a_name_that_graphviz_could_stumble_over);
    tcase_add_test(tc, nothing_to_look_at);
    suite_add_tcase(suite, tc);
    return suite;
}
