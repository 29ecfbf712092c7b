/* Parameters: names, groups, initial values, metadata, saving and loading. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../support/support.h"

#define ZERO tg_init_constant(0)

START_TEST(registration)
    {
        tg_params *params = tg_params_new(1);
        tg_tensor *first = tg_param(params, "encoder", "weight", TG_SHAPE(2, 3),
                                    tg_init_constant(0.5));
        tg_tensor *plain = tg_param(params, NULL, "bias", TG_SHAPE(3), ZERO),
                  *empty = tg_param(params, "", "scalar", TG_SCALAR, ZERO);
        ck_assert_str_eq(first->name, "encoder.weight");
        ck_assert_str_eq(plain->name, "bias");
        ck_assert_str_eq(empty->name, "scalar");
        TEST_TENSOR(first, TG_SHAPE(2, 3), 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
        ck_assert(first->requires_grad && !first->has_grad && first->params == params);
        tg_real *data = first->data;
        for (int i = 0; i < 500; i++) { /* pointers to parameters stay valid */
            char name[16];
            snprintf(name, sizeof name, "p%d", i);
            ck_assert_ptr_nonnull(tg_param(params, "many", name, TG_SHAPE(50), ZERO));
        }
        ck_assert_ptr_eq(tg_params_find(params, "encoder.weight"), first);
        ck_assert_ptr_eq(first->data, data);
        TEST_TENSOR(first, TG_SHAPE(2, 3), 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
        ck_assert_int_eq(tg_params_count(params), 503);
        ck_assert_int_eq(tg_params_size(params), 6 + 3 + 1 + 500 * 50);
        ck_assert_ptr_eq(tg_params_at(params, 0), first);
        ck_assert_str_eq(tg_params_at(params, 502)->name, "many.p499");
        ck_assert_ptr_null(tg_params_at(params, 503));
        ck_assert_ptr_null(tg_params_at(params, -1));
        ck_assert_ptr_null(tg_params_find(params, "weight"));
        test_end(NULL, params);
    }
END_TEST

START_TEST(invalid_names)
    {
        tg_params *params = tg_params_new(1);
        char longest[TG_MAX_NAME], too_long[TG_MAX_NAME + 1];
        memset(longest, 'x', sizeof longest);
        memset(too_long, 'y', sizeof too_long);
        longest[TG_MAX_NAME - 1] = too_long[TG_MAX_NAME] = 0;
        ck_assert_str_eq(tg_param(params, NULL, longest, TG_SHAPE(1), ZERO)->name, longest);
        ck_assert_ptr_null(tg_param(params, NULL, too_long, TG_SHAPE(1), ZERO));
        test_expect_params_error(params, "yyyyyyyy", NULL);
        /* too long with its scope and the dot */
        ck_assert_ptr_null(tg_param(params, "ab", longest + 2, TG_SHAPE(1), ZERO));
        test_expect_params_error(params, "ab.xxxxxxxx", NULL);
        ck_assert_ptr_null(tg_param(params, "ab", "", TG_SHAPE(1), ZERO));
        test_expect_params_error(params, "a parameter needs a name", NULL);
        ck_assert_ptr_null(tg_param(params, "ab", NULL, TG_SHAPE(1), ZERO));
        test_expect_params_error(params, "a parameter needs a name", NULL);
        tg_param(params, "a", "b", TG_SHAPE(1), ZERO);
        ck_assert_ptr_null(tg_param(params, NULL, "a.b", TG_SHAPE(2), ZERO));
        test_expect_params_error(params, "parameter a.b is already registered", NULL);
        ck_assert_ptr_null(tg_param(params, "ab", "\xff", TG_SHAPE(1), ZERO));
        test_expect_params_error(params, "ab.\xff: its name is not UTF-8", NULL);
        ck_assert_ptr_null(tg_param(params, NULL, "bad", TG_SHAPE(2, -1), ZERO));
        test_expect_params_error(params, "bad", "-1", NULL);
        ck_assert_ptr_null(
            tg_param(params, NULL, "bad", TG_SHAPE((int64_t)1 << 40, (int64_t)1 << 40), ZERO));
        test_expect_params_error(params, "bad", NULL);
        ck_assert_int_eq(tg_params_count(params), 2);
        test_end(NULL, params);
    }
END_TEST

/* A file could not tell them from its own entries. */
START_TEST(names_that_files_reserve)
    {
        static const struct {
            const char *scope, *name;
            bool reserved;
        } names[] = {{NULL, "__metadata__", true},  {"", "optimizer/exp_avg/w", true},
                     {NULL, "optimizer/", true},    {"optimizer/a", "weight", true},
                     {NULL, "optimizer", false},    {"optimizer", "weight", false},
                     {"a", "optimizer/b", false},   {"a", "__metadata__", false},
                     {NULL, "__metadata__2", false}};
        test_folder_begin();
        tg_params *params = tg_params_new(1), *loaded = tg_params_new(1);
        for (size_t i = 0; i < COUNT(names); i++) {
            tg_tensor *p = tg_param(params, names[i].scope, names[i].name, TG_SHAPE(1), ZERO);
            ck_assert_msg(!p == names[i].reserved, "%s", names[i].name);
            if (names[i].reserved)
                test_expect_params_error(params, names[i].name,
                                         "files reserve the name __metadata__ and names that start "
                                         "with optimizer/; choose another",
                                         NULL);
        }
        tg_tensor *w = tg_param(params, NULL, "a/w", TG_SHAPE(2), tg_init_normal(1));
        ck_assert_ptr_null(tg_params_state(w, "steps"));
        test_expect_params_error(params, "parameter a/w: the state's name steps is reserved", NULL);
        const char *wrong[] = {"", "a/b", "123456789012345678901234", "\xc3"};
        for (size_t i = 0; i < COUNT(wrong); i++) {
            ck_assert_ptr_null(tg_params_state(w, wrong[i]));
            test_expect_params_error(params, "a/w", "1 to 23 bytes of UTF-8 without a slash", NULL);
        }
        tg_params_state(w, "step")[1] = 3;
        ck_assert(tg_params_save(params, test_path("f"), TG_SAVE_STATE));
        for (int64_t i = 0; i < tg_params_count(params); i++) {
            const tg_tensor *p = tg_params_at(params, i);
            tg_param(loaded, NULL, p->name, p->ndim, p->shape, ZERO);
        }
        ck_assert_msg(tg_params_load(loaded, test_path("f")) && tg_params_finish_load(loaded), "%s",
                      tg_params_error(loaded));
        ck_assert(tg_params_state(tg_params_find(loaded, "a/w"), "step")[1] == 3);
        test_folder_end();
        test_end(NULL, params);
        test_end(NULL, loaded);
    }
END_TEST

START_TEST(errors_stick)
    {
        tg_params *params = tg_params_new(1);
        tg_param(params, NULL, "p", TG_SHAPE(1), ZERO);
        tg_param(params, NULL, "p", TG_SHAPE(1), ZERO);
        char first[512];
        snprintf(first, sizeof first, "%s", tg_params_error(params));
        /* Valid calls do nothing while there is an error. */
        ck_assert_ptr_null(tg_param(params, NULL, "q", TG_SHAPE(1), ZERO));
        ck_assert(!tg_params_load(params, "/nowhere"));
        ck_assert(!tg_params_save(params, "/nowhere/at/all", TG_SAVE_MODEL));
        ck_assert_str_eq(tg_params_error(params), first);
        ck_assert_str_eq(tg_params_take_error(params), first);
        ck_assert_ptr_null(tg_params_error(params));
        ck_assert_ptr_null(tg_params_take_error(params));
        ck_assert_ptr_nonnull(tg_param(params, NULL, "q", TG_SHAPE(1), ZERO));
        test_end(NULL, params);
    }
END_TEST

START_TEST(every_function_accepts_null)
    {
        ck_assert_ptr_null(tg_param(NULL, NULL, "p", TG_SHAPE(1), ZERO));
        ck_assert_int_eq(tg_params_count(NULL), 0);
        ck_assert_ptr_null(tg_params_at(NULL, 0));
        ck_assert_ptr_null(tg_params_find(NULL, "p"));
        ck_assert_int_eq(tg_params_size(NULL), 0);
        ck_assert_int_eq(tg_params_freeze(NULL, "", true), 0);
        ck_assert_int_eq(tg_params_no_decay(NULL, ""), 0);
        tg_params_zero_grad(NULL);
        ck_assert(!tg_params_set_metadata(NULL, "k", "v"));
        ck_assert_ptr_null(tg_params_metadata(NULL, "k"));
        ck_assert(!tg_params_save(NULL, "/tmp/never", TG_SAVE_MODEL) &&
                  !tg_params_load(NULL, "/tmp/never") && !tg_params_finish_load(NULL));
        tg_params_error(NULL);
        tg_params_take_error(NULL);
        tg_params_free(NULL);
    }
END_TEST

/* ---- initial values ---- */

START_TEST(initial_values)
    {
        tg_params *params = tg_params_new(1), *again = tg_params_new(1), *other = tg_params_new(2);
        enum { N = 20000 };
        tg_tensor *uniform = tg_param(params, "a", "uniform", TG_SHAPE(N), tg_init_uniform(0.25));
        tg_tensor *normal = tg_param(params, "a", "normal", TG_SHAPE(N), tg_init_normal(3));
        double low = 0, high = 0, sum = 0, squares = 0;
        for (int i = 0; i < N; i++) {
            low = fmin(low, (double)uniform->data[i]);
            high = fmax(high, (double)uniform->data[i]);
            sum += (double)normal->data[i];
            squares += (double)normal->data[i] * (double)normal->data[i];
        }
        ck_assert(low >= -0.25 && low < -0.249 && high <= 0.25 && high > 0.249);
        ck_assert(test_near(sum / N, 0, 5 * 3 / sqrt(N)) &&
                  test_near(squares / N, 9, 5 * 9 * sqrt(2.0 / N)));
        /* Other parameters and the order of registration change nothing. */
        tg_param(again, NULL, "first", TG_SHAPE(7), tg_init_normal(1));
        tg_tensor *normal_2 = tg_param(again, "a", "normal", TG_SHAPE(N), tg_init_normal(3));
        tg_tensor *uniform_2 = tg_param(again, "a", "uniform", TG_SHAPE(N), tg_init_uniform(0.25));
        test_assert_same_bits("uniform", uniform_2->data, uniform->data, N);
        test_assert_same_bits("normal", normal_2->data, normal->data, N);
        tg_tensor *seeded = tg_param(other, "a", "uniform", TG_SHAPE(N), tg_init_uniform(0.25));
        tg_tensor *named = tg_param(params, "b", "uniform", TG_SHAPE(N), tg_init_uniform(0.25));
        ck_assert(memcmp(seeded->data, uniform->data, N * sizeof(tg_real)) != 0);
        ck_assert(memcmp(named->data, uniform->data, N * sizeof(tg_real)) != 0);
        test_end(NULL, other);
        test_end(NULL, again);
        test_end(NULL, params);
    }
END_TEST

/* ---- groups ---- */

static const struct {
    const char *prefix;
    bool hit[5];
} prefixes[] = {{"", {1, 1, 1, 1, 1}},      {"a", {1, 1, 1, 0, 0}},  {"a.b", {0, 1, 1, 0, 0}},
                {"a.b.c", {0, 0, 1, 0, 0}}, {"ab", {0, 0, 0, 1, 1}}, {"a.", {0, 0, 0, 0, 0}},
                {"ab.x", {0, 0, 0, 0, 1}},  {"b", {0, 0, 0, 0, 0}},  {"ab.xy", {0, 0, 0, 0, 0}}};

START_TEST(prefixes_select_parameters)
    {
        tg_params *params = tg_params_new(1);
        const char *names[] = {"a", "a.b", "a.b.c", "ab", "ab.x"};
        tg_tensor *p[5];
        int hits = 0;
        for (int i = 0; i < 5; i++) {
            p[i] = tg_param(params, NULL, names[i], TG_SHAPE(1), tg_init_constant(1));
            hits += prefixes[_i].hit[i];
        }
        ck_assert_int_eq(tg_params_freeze(params, prefixes[_i].prefix, true), hits);
        for (int i = 0; i < 5; i++)
            ck_assert_msg(p[i]->requires_grad == !prefixes[_i].hit[i], "%s", names[i]);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *sum = tg_concat(tape, 5, p, 0);
        if (hits < 5) ck_assert(tg_backward(tape, tg_sum(tape, sum, TG_ALL_AXES, false)));
        for (int i = 0; i < 5; i++)
            ck_assert_msg(p[i]->has_grad == !prefixes[_i].hit[i], "%s", names[i]);
        ck_assert_int_eq(tg_params_freeze(params, prefixes[_i].prefix, false), hits);
        for (int i = 0; i < 5; i++) ck_assert(p[i]->requires_grad);
        ck_assert_int_eq(tg_params_no_decay(params, prefixes[_i].prefix), hits);
        ck_assert_int_eq(tg_params_size(params), 5);
        test_end(tape, params);
    }
END_TEST

/* ---- metadata ---- */

static const char *const texts[][2] = {
    {"plain", "value"},
    {"empty", ""},
    {"vocabulary", "the\nmovie\tis \"great\" \\ / \b\f\r"},
    {"Schlüssel, ключ, 键", "Größe, русский, 電影很好看, \xf0\x9f\x8e\xac"},
    {"control", "\x01\x02\x1f\x7f"},
    {"\"quoted\" {json: [1, 2]}", "{\"a\": [1, \"b\"]}"},
};

START_TEST(metadata)
    {
        test_folder_begin();
        tg_params *params = tg_params_new(1), *loaded = tg_params_new(2);
        tg_param(params, NULL, "p", TG_SHAPE(1), ZERO);
        for (size_t t = 0; t < COUNT(texts); t++)
            ck_assert(tg_params_set_metadata(params, texts[t][0], texts[t][1]));
        char value[] = "copied";
        ck_assert(tg_params_set_metadata(params, "mine", value));
        value[0] = 'X';
        ck_assert_str_eq(tg_params_metadata(params, "mine"), "copied");
        ck_assert(tg_params_set_metadata(params, "mine", "again"));
        ck_assert_str_eq(tg_params_metadata(params, "mine"), "again");
        ck_assert(tg_params_set_metadata(params, "mine", NULL) &&
                  tg_params_set_metadata(params, "never was", NULL));
        ck_assert_ptr_null(tg_params_metadata(params, "mine"));
        char *large = malloc(300001);
        memset(large, 'v', 300000);
        large[300000] = 0;
        ck_assert(tg_params_set_metadata(params, "large", large));
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
        tg_params_set_metadata(loaded, "plain", "old");
        ck_assert(tg_params_load(loaded, test_path("model")));
        for (size_t t = 0; t < COUNT(texts); t++)
            ck_assert_str_eq(tg_params_metadata(loaded, texts[t][0]), texts[t][1]);
        ck_assert_str_eq(tg_params_metadata(loaded, "large"), large);
        ck_assert_ptr_null(tg_params_metadata(loaded, "mine"));
        free(large);
        test_folder_end();
        test_end(NULL, params);
        test_end(NULL, loaded);
    }
END_TEST

START_TEST(text_that_is_not_utf8)
    {
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        static const char *const wrong[] = {"\xff\xfe",     "a\x80",        "\xc0\xaf",
                                            "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                            "b\xe4\xb8"};
        for (size_t i = 0; i < COUNT(wrong); i++) {
            ck_assert(!tg_params_set_metadata(params, "key", wrong[i]));
            test_expect_params_error(params, "metadata key: the text is not UTF-8", NULL);
            ck_assert(!tg_params_set_metadata(params, wrong[i], "text"));
            test_expect_params_error(params, "the key is not UTF-8", NULL);
        }
        ck_assert(!tg_params_set_metadata(params, NULL, "text"));
        test_expect_params_error(params, "a text of the metadata needs a key", NULL);
        ck_assert_ptr_null(tg_params_metadata(params, "key"));
        ck_assert_ptr_null(tg_params_metadata(params, NULL));
        ck_assert_int_eq(test_folder_count(), 0);
        test_folder_end();
        tg_params_free(params);
    }
END_TEST

/* ---- into a file and back ---- */

static const double odd_numbers[16] = {
    0.0,   -0.0,  1,   -1,   0.1,  1e-40,   -1e-45,  1e38, 3.4028234663852886e38,
    1e-38, 7e-10, INF, -INF, QNAN, 1.0 / 3, 16777217};

static tg_params *a_model(tg_real numbers[16])
{
    for (int i = 0; i < 16; i++) numbers[i] = (tg_real)odd_numbers[i];
    tg_params *params = tg_params_new(1);
    memcpy(tg_param(params, "l", "weight", TG_SHAPE(4, 4), ZERO)->data, numbers,
           16 * sizeof *numbers);
    tg_param(params, "l", "bias", TG_SHAPE(3), tg_init_normal(1));
    tg_param(params, NULL, "scalar", TG_SCALAR, tg_init_normal(1));
    tg_param(params, NULL, "none", TG_SHAPE(0, 3), ZERO);
    tg_params_set_metadata(params, "width", "4");
    return params;
}

static void assert_model(tg_params *got, tg_params *want)
{
    test_assert_params_clean(got);
    ck_assert_int_eq(tg_params_count(got), tg_params_count(want));
    for (int64_t i = 0; i < tg_params_count(want); i++) {
        tg_tensor *w = tg_params_at(want, i), *g = tg_params_find(got, w->name);
        test_assert_shape(w->name, g, w->ndim, w->shape);
        test_assert_same_bits(w->name, g->data, w->data, w->size);
    }
    ck_assert_str_eq(tg_params_metadata(got, "width"), "4");
}

static void register_model(tg_params *params)
{
    tg_param(params, NULL, "none", TG_SHAPE(0, 3), ZERO); /* in another order */
    tg_param(params, "l", "bias", TG_SHAPE(3), ZERO);
    tg_param(params, NULL, "scalar", TG_SCALAR, ZERO);
    tg_param(params, "l", "weight", TG_SHAPE(4, 4), ZERO);
}

START_TEST(round_trip)
    {
        test_folder_begin();
        tg_real numbers[16];
        tg_params *params = a_model(numbers), *loaded_first = tg_params_new(5),
                  *loaded_last = tg_params_new(6);
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
        ck_assert_int_eq(test_folder_count(), 1);
        ck_assert(tg_params_load(loaded_first, test_path("model"))); /* before the model is built */
        ck_assert_str_eq(tg_params_metadata(loaded_first, "width"), "4");
        register_model(loaded_first);
        ck_assert(tg_params_finish_load(loaded_first));
        assert_model(loaded_first, params);
        register_model(loaded_last);
        ck_assert(tg_params_load(loaded_last, test_path("model"))); /* after the model is built */
        ck_assert(tg_params_finish_load(loaded_last));
        assert_model(loaded_last, params);
        ck_assert(tg_params_save(loaded_last, test_path("again"), TG_SAVE_MODEL));
        ck_assert(tg_params_load(params, test_path("again"))); /* over the first model */
        ck_assert(tg_params_finish_load(params));
        assert_model(params, loaded_last);
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_STATE)); /* over an old file */
        ck_assert_int_eq(test_folder_count(), 2);
        test_folder_end();
        test_end(NULL, params);
        test_end(NULL, loaded_first);
        test_end(NULL, loaded_last);
    }
END_TEST

START_TEST(the_same_model_is_the_same_file)
    {
        test_folder_begin();
        tg_real numbers[16];
        char *files[2];
        size_t sizes[2];
        for (int i = 0; i < 2; i++) {
            tg_params *params = a_model(numbers);
            ck_assert(tg_params_save(params, test_path(i ? "b" : "a"), TG_SAVE_MODEL));
            files[i] = test_read_file(test_path(i ? "b" : "a"), &sizes[i]);
            test_end(NULL, params);
        }
        ck_assert(sizes[0] == sizes[1] && memcmp(files[0], files[1], sizes[0]) == 0);
        free(files[0]);
        free(files[1]);
        test_folder_end();
    }
END_TEST

START_TEST(a_mismatch_is_named)
    {
        test_folder_begin();
        tg_real numbers[16];
        tg_params *params = a_model(numbers), *p = tg_params_new(1);
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
        test_end(NULL, params);

        tg_params_load(p, test_path("model"));
        register_model(p);
        /* a parameter that the file lacks */
        ck_assert_ptr_null(tg_param(p, "more", "weight", TG_SHAPE(1), ZERO));
        test_expect_params_error(p, "more.weight", NULL);
        tg_params_free(p);

        p = tg_params_new(1);
        tg_params_load(p, test_path("model"));
        ck_assert_ptr_null(tg_param(p, "l", "weight", TG_SHAPE(4, 5), ZERO));
        test_expect_params_error(p, "l.weight", "[4, 4]", "[4, 5]", NULL);
        tg_param(p, "l", "bias", TG_SHAPE(3), ZERO);
        test_assert_params_clean(p);
        ck_assert(!tg_params_finish_load(p)); /* the file has more than the model */
        const char *error = tg_params_take_error(p);
        ck_assert_msg(strstr(error, "l.weight") || strstr(error, "scalar") || strstr(error, "none"),
                      "%s", error);
        tg_params_free(p);

        p = tg_params_new(1);
        register_model(p);
        tg_tensor *extra = tg_param(p, "more", "weight", TG_SHAPE(2), tg_init_constant(7));
        ck_assert(!tg_params_load(p, test_path("model")) || !tg_params_finish_load(p));
        test_expect_params_error(p, "more.weight", NULL);
        TEST_TENSOR(extra, TG_SHAPE(2), 7, 7);
        tg_params_free(p);
        test_folder_end();
    }
END_TEST

/* The metadata of a file may disagree with its shapes. A parameter of another shape is an error
 * before memory is allocated for it. */
START_TEST(a_shape_is_checked_before_memory_is_allocated)
    {
        test_folder_begin();
        tg_real numbers[16];
        tg_params *params = a_model(numbers);
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
        test_end(NULL, params);
        test_memory_begin(0, false);
        params = tg_params_new(1);
        ck_assert(tg_params_load(params, test_path("model")));
        ck_assert_ptr_null(tg_param(params, "l", "weight", TG_SHAPE(4000, 1000), ZERO));
        test_expect_params_error(params, "l.weight", "[4, 4]", "[4000, 1000]", NULL);
        ck_assert_ptr_null(tg_param(params, "more", "weight", TG_SHAPE(4000, 1000), ZERO));
        test_expect_params_error(params, "more.weight", NULL);
        ck_assert_ptr_nonnull(tg_param(params, "l", "weight", TG_SHAPE(4, 4), ZERO));
        tg_params_free(params);
        const test_memory_counts counts = test_memory_end();
        ck_assert_msg(counts.largest < 200000, "allocated %zu bytes for a small file",
                      counts.largest);
        ck_assert_int_eq(counts.blocks, 0);
        test_folder_end();
    }
END_TEST

/* A load that fails leaves every number as it was, whichever tensor is at fault. */
START_TEST(a_load_that_fails_changes_nothing)
    {
        test_folder_begin();
        tg_real numbers[16];
        tg_params *params = a_model(numbers);
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
        test_end(NULL, params);
        const char *names[] = {"l.weight", "l.bias", "scalar", "none"};
        const test_shape right[] = {S(4, 4), S(3), S_SCALAR, S(0, 3)}, wrong = S(6, 4);
        tg_params *p = tg_params_new(1);
        for (int k = 0; k < 4; k++) {
            test_shape shape = _i == k ? wrong : right[k];
            tg_param(p, NULL, names[k], shape.ndim, shape.size, tg_init_constant(7));
        }
        tg_params_set_metadata(p, "width", "old");
        ck_assert(!tg_params_load(p, test_path("model")));
        test_expect_params_error(p, "[6, 4]", names[_i], NULL);
        for (int64_t i = 0; i < tg_params_count(p); i++)
            for (int64_t k = 0; k < tg_params_at(p, i)->size; k++)
                ck_assert(tg_params_at(p, i)->data[k] == 7);
        tg_params_free(p);
        test_folder_end();
    }
END_TEST

/* ---- failures to write ---- */

START_TEST(no_such_folder)
    {
        test_folder_begin();
        tg_real numbers[16];
        tg_params *params = a_model(numbers);
        char path[1100];
        snprintf(path, sizeof path, "%s", test_path("not/there"));
        ck_assert(!tg_params_save(params, path, TG_SAVE_MODEL));
        test_expect_params_error(params, path, NULL);
        ck_assert_int_eq(test_folder_count(), 0);
        ck_assert(!tg_params_load(params, path));
        test_expect_params_error(params, path, NULL);
        snprintf(path, sizeof path, "%s", test_path(""));
        ck_assert(!tg_params_save(params, path, TG_SAVE_MODEL)); /* a folder is not a file */
        test_expect_params_error(params, path, NULL);
        ck_assert(!tg_params_load(params, path));
        test_expect_params_error(params, path, NULL);
        char longest[5000];
        memset(longest, 'x', sizeof longest);
        longest[sizeof longest - 1] = 0;
        ck_assert(!tg_params_save(params, longest, TG_SAVE_MODEL));
        test_expect_params_error(params, "cannot save: the path is too long", NULL);
        ck_assert_int_eq(test_folder_count(), 0);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

/* The nearest that a test can come to a full disk: no file may grow over 4 KB. */
START_TEST(a_full_disk)
    {
        test_folder_begin();
        tg_real numbers[16];
        tg_params *params = a_model(numbers);
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
        size_t size, size_after;
        char *old = test_read_file(test_path("model"), &size);
        tg_tensor *large = tg_param(params, NULL, "large", TG_SHAPE(100000), ZERO);
        struct rlimit old_limit, limit;
        getrlimit(RLIMIT_FSIZE, &old_limit);
        limit = (struct rlimit){.rlim_cur = 4096, .rlim_max = old_limit.rlim_max};
        void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool saved = tg_params_save(params, test_path("model"), TG_SAVE_MODEL);
        bool saved_new = tg_params_take_error(params) &&
                         tg_params_save(params, test_path("new"), TG_SAVE_MODEL);
        setrlimit(RLIMIT_FSIZE, &old_limit); /* before Check writes its messages */
        signal(SIGXFSZ, handler);
        ck_assert(large && !saved && !saved_new);
        test_expect_params_error(params, test_path("new"), NULL);
        ck_assert_int_eq(test_folder_count(), 1);
        char *current = test_read_file(test_path("model"), &size_after);
        ck_assert(size == size_after && memcmp(old, current, size) == 0);
        ck_assert(
            tg_params_save(params, test_path("model"), TG_SAVE_MODEL)); /* without the limit */
        ck_assert_int_eq(test_folder_count(), 1);
        free(old);
        free(current);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

START_TEST(a_folder_in_the_place_of_the_file)
    {
        const char *folder = test_folder_begin();
        tg_real numbers[16];
        tg_params *params = a_model(numbers);
        /* A folder has the name of the file: the rename fails. */
        ck_assert_int_eq(mkdir(test_path("model"), 0700), 0);
        char inner[1100], path[1100];
        snprintf(inner, sizeof inner, "%s", test_path("model/inside"));
        snprintf(path, sizeof path, "%s/model", folder);
        test_write_file(inner, "x", 1);
        ck_assert(!tg_params_save(params, path, TG_SAVE_MODEL));
        test_expect_params_error(params, path, NULL);
        ck_assert_int_eq(test_folder_count(), 1); /* no part of a file is left */
        remove(inner);
        remove(path);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

Suite *params_suite(void);
Suite *params_suite(void)
{
    Suite *suite = suite_create("params");
    TCase *tc = tcase_create("params");
    tcase_add_checked_fixture(tc, NULL, test_memory_leave);
    tcase_add_test(tc, registration);
    tcase_add_test(tc, invalid_names);
    tcase_add_test(tc, names_that_files_reserve);
    tcase_add_test(tc, errors_stick);
    tcase_add_test(tc, every_function_accepts_null);
    tcase_add_test(tc, initial_values);
    tcase_add_loop_test(tc, prefixes_select_parameters, 0, (int)COUNT(prefixes));
    tcase_add_test(tc, metadata);
    tcase_add_test(tc, text_that_is_not_utf8);
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, the_same_model_is_the_same_file);
    tcase_add_test(tc, a_mismatch_is_named);
    tcase_add_test(tc, a_shape_is_checked_before_memory_is_allocated);
    tcase_add_loop_test(tc, a_load_that_fails_changes_nothing, 0, 4);
    tcase_add_test(tc, no_such_folder);
    tcase_add_test(tc, a_full_disk);
    tcase_add_test(tc, a_folder_in_the_place_of_the_file);
    suite_add_tcase(suite, tc);
    return suite;
}
