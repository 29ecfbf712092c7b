/* A tape as a table and as a graph, with its scopes. */
#include "../support/support.h"

/* Layers inside layers, and a group of operators that repeats. */
typedef struct model {
    tg_params *params;
    tg_tape *tape;
    tg_embedding words;
    tg_lstm encoder;
    tg_multihead self_attn;
    tg_additive_attention attention;
    tg_linear classify;
    tg_tensor *loss;
} model;

enum { REPEATS = 7 };

static model begin(void)
{
    model w = {.params = tg_params_new(1), .tape = tg_tape_new(1)};
    tg_embedding_init(&w.words, w.params, "words", 9, 4, 0);
    tg_lstm_init(&w.encoder, w.params, "encoder", 4, 2, 1, true);
    tg_multihead_init(&w.self_attn, w.params, "block.self_attn", 4, 2);
    tg_additive_attention_init(&w.attention, w.params, "attention", 4, 3);
    tg_linear_init(&w.classify, w.params, "classify", 4, 2);
    return w;
}

static void forward(model *w)
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

static void end(model *w) { test_end(w->tape, w->params); }

/* The text that a function writes about a tape; the caller frees it. */
static char *written(tg_tape *tape, bool (*write)(tg_tape *, FILE *))
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ck_assert(write(tape, stream));
    fclose(stream);
    return text;
}

/* The row of the `nth` operator of that name, from 0; good until the next call. */
static const char *line_of(const char *text, const char *name, int nth)
{
    static char line[512];
    for (const char *end = strchr(text, '\n'); end; end = strchr(end + 1, '\n')) {
        const char *row = end + 1;
        char found[32];
        long long number;
        if (sscanf(row, "%lld %31s", &number, found) != 2 || strcmp(found, name) != 0) continue;
        if (nth-- > 0) continue;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(row, "\n"), row);
        return line;
    }
    ck_abort_msg("no %s in:\n%s", name, text);
    return NULL;
}

#define HAS(text, part) ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text)

START_TEST(a_row_for_each_operator)
    {
        model w = begin();
        forward(&w);
        char *text = written(w.tape, tg_tape_print);
        HAS(line_of(text, "gather", 0), " words ");
        HAS(line_of(text, "gather", 0), "[2, 3, 4]");
        HAS(line_of(text, "lstm", 0), " model/lower/encoder ");
        HAS(line_of(text, "lstm", 0), "#0, weight_ih_l0 ..");
        HAS(line_of(text, "attention", 0), " model/block/self_attn "); /* between projections */
        HAS(line_of(text, "where", 0), " attention "); /* two parts of that layer read it */
        HAS(line_of(text, "linear", 5), " classify ");
        HAS(line_of(text, "linear", 5), " 32 "); /* FLOPs: 2 rows x 4 inputs x 2 outputs x 2 */
        HAS(line_of(text, "cross_entropy", 0), "  -"); /* no gradient yet */
        char sums[64];
        snprintf(sums, sizeof sums, "\n%lld operators, ", (long long)tg_tape_length(w.tape));
        HAS(text, sums);
        free(text);
        ck_assert(tg_backward(w.tape, w.loss));
        text = written(w.tape, tg_tape_print);
        HAS(line_of(text, "cross_entropy", 0), "  1 .. 1");
        free(text);
        end(&w);
    }
END_TEST

/* Operators without parameters, inside a layer and after one. */
START_TEST(scopes_without_parameters)
    {
        static const int32_t lengths[] = {3, 2};
        tg_params *params = tg_params_new(1);
        tg_tape *tape = tg_tape_new(1);
        tg_transformer block;
        tg_linear a, b, c;
        tg_transformer_init(&block, params, "block", 4, 2, 6, false);
        block.pre_norm = true; /* the last operator is add */
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
            HAS(line_of(text, "linear", nth), " block/self_attn "); /* parts of one matrix */
        HAS(line_of(text, "attention", 0), " block/self_attn ");
        HAS(line_of(text, "linear", 3), " block/self_attn/out_proj ");
        HAS(line_of(text, "add", 0), " block ");
        HAS(line_of(text, "relu", 0), " block ");
        HAS(line_of(text, "add", 1), " block ");
        HAS(line_of(text, "sigmoid", 0), " a "); /* its reader */
        HAS(line_of(text, "exp", 0), " a ");     /* its maker: two layers read it */
        free(text);
        test_end(tape, params);
    }
END_TEST

START_TEST(ranges_of_the_values)
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

static int count(const char *text, const char *part)
{
    int n = 0;
    while ((text = strstr(text, part)) != NULL) {
        n++;
        text++;
    }
    return n;
}

static void assert_balanced(const char *text)
{
    int depth = 0;
    for (const char *c = text; *c; c++) {
        depth += (*c == '{') - (*c == '}');
        ck_assert_int_ge(depth, 0);
    }
    ck_assert_int_eq(depth, 0);
}

static void assert_edges_lead_to_nodes(const char *text)
{
    const char *edge = text;
    while ((edge = strstr(edge, " -> n")) != NULL) {
        char node[32];
        long long number;
        ck_assert_int_eq(sscanf(edge, " -> n%lld", &number), 1);
        snprintf(node, sizeof node, "n%lld [label", number);
        HAS(text, node);
        edge++;
    }
}

/* Braces are balanced, each edge leads to a node, and a group that repeats is drawn once. */
START_TEST(a_graph)
    {
        model w = begin();
        forward(&w);
        char *text = written(w.tape, tg_tape_write_dot);
        assert_balanced(text);
        assert_edges_lead_to_nodes(text);
        ck_assert_int_gt(count(text, " -> n"), 10);
        HAS(text, "label=<<b>tanh</b><br/>[2, 4]<br/>7 times>");
        HAS(text, "subgraph \"cluster_model/lower/encoder\"");
        HAS(text, ">weight [3, 4]<"); /* attention.proj.weight */
        HAS(text, ">weight_ih_l0_reverse [8, 4]<");
        ck_assert_int_eq(count(text, "label=<<b>tanh"), 1);
        free(text);
        end(&w);
    }
END_TEST

/* Not a bit of a gradient, with anomaly detection, and with the tape written in between. */
START_TEST(inspecting_changes_nothing)
    {
        model plain = begin(), inspected = begin();
        tg_tape_detect_anomaly(inspected.tape, true);
        for (int i = 0; i < 2; i++) {
            model *w = i ? &inspected : &plain;
            forward(w);
            if (i) free(written(w->tape, tg_tape_print));
            ck_assert(tg_backward(w->tape, w->loss));
            if (i) free(written(w->tape, tg_tape_write_dot));
        }
        for (int64_t i = 0; i < tg_params_count(plain.params); i++) {
            const tg_tensor *a = tg_params_at(plain.params, i);
            const tg_tensor *b = tg_params_at(inspected.params, i);
            test_assert_same_bits(a->name, b->grad, a->grad, a->size);
        }
        ck_assert_ptr_null(tg_tape_warning(inspected.tape));
        end(&plain);
        end(&inspected);
    }
END_TEST

START_TEST(names_are_escaped_for_graphviz)
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

START_TEST(an_empty_tape)
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
        test_end(tape, NULL);
    }
END_TEST

Suite *tape_suite(void);
Suite *tape_suite(void)
{
    Suite *suite = suite_create("tape");
    TCase *tc = tcase_create("tape");
    tcase_add_test(tc, a_row_for_each_operator);
    tcase_add_test(tc, scopes_without_parameters);
    tcase_add_test(tc, ranges_of_the_values);
    tcase_add_test(tc, a_graph);
    tcase_add_test(tc, inspecting_changes_nothing);
    tcase_add_test(tc, names_are_escaped_for_graphviz);
    tcase_add_test(tc, an_empty_tape);
    suite_add_tcase(suite, tc);
    return suite;
}
