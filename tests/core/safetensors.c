/* The safetensors format: the saved bytes, every number format, hostile files. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>

#include "../support/support.h"

/* Writes a file: the header's length, the header, the data. */
static void write_tensors(const char *path, const char *header, uint64_t length, const void *data,
                          size_t size)
{
    size_t header_size = strlen(header);
    unsigned char *file = malloc(8 + header_size + size + 1);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)(length >> 8 * i);
    memcpy(file + 8, header, header_size);
    if (size) memcpy(file + 8 + header_size, data, size);
    test_write_file(path, file, 8 + header_size + size);
    free(file);
}

/* ---- the saved bytes ---- */

static uint64_t little_endian(const char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | (unsigned char)bytes[i];
    return value;
}

START_TEST(the_saved_bytes)
    {
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        tg_param(params, "a", "weight", TG_SHAPE(2, 1), tg_init_constant(1.5));
        tg_param(params, NULL, "b", TG_SHAPE(1), tg_init_constant(-2));
        tg_params_set_metadata(params, "k", "v");
        ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
        size_t size;
        char *file = test_read_file(test_path("model"), &size);
        uint64_t length = little_endian(file, 8);
        ck_assert_uint_eq(8 + length + 3 * sizeof(tg_real), size);
        char *header = strndup(file + 8, (size_t)length);
        ck_assert(header[0] == '{'); /* the format forbids white space before it */
        const char *dtype = sizeof(tg_real) == 8 ? "\"dtype\":\"F64\"" : "\"dtype\":\"F32\"";
        const char *offsets = sizeof(tg_real) == 8 ? "[0,16]" : "[0,8]",
                   *parts[] = {"\"a.weight\"", "\"b\"", "\"shape\":[2,1]", "\"__metadata__\""};
        for (size_t p = 0; p < COUNT(parts); p++)
            ck_assert_msg(strstr(header, parts[p]) != NULL, "%s lacks %s", header, parts[p]);
        ck_assert_msg(strstr(header, dtype) && strstr(header, offsets), "%s", header);
        const double want[] = {1.5, 1.5, -2};
        for (int i = 0; i < 3; i++) {
            tg_real x;
            memcpy(&x, file + 8 + length + (size_t)i * sizeof x, sizeof x);
            ck_assert((double)x == want[i]);
        }
        free(header);
        free(file);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

/* ---- number formats ---- */

static const struct {
    const char *dtype;
    int bytes;
    uint64_t bits[9];
    double values[9];
} formats[] = {
    {"F16",
     2,
     {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8000, 0x7C00, 0xFC00, 0x7E00, 0x0400},
     {1, -2, 65504, 0x1p-24, -0.0, INF, -INF, QNAN, 0x1p-14}},
    {"BF16",
     2,
     {0x3F80, 0xC000, 0x4049, 0x0080, 0x8000, 0x7F80, 0xFF80, 0x7FC0, 0x0001},
     {1, -2, 3.140625, 0x1p-126, -0.0, INF, -INF, QNAN, 0x1p-133}},
    {"F32",
     4,
     {0x3F800000, 0xC0000000, 0x7F7FFFFF, 0x00000001, 0x80000000, 0x7F800000, 0xFF800000,
      0x7FC00000, 0x3DCCCCCD},
     {1, -2, 0x1.fffffep127, 0x1p-149, -0.0, INF, -INF, QNAN, 0x1.99999ap-4}},
    {"F64",
     8,
     {0x3FF0000000000000, 0xC000000000000000, 0x47EFFFFFE0000000, 0x36A0000000000000,
      0x8000000000000000, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000,
      0x3FB99999A0000000},
     {1, -2, 0x1.fffffep127, 0x1p-149, -0.0, INF, -INF, QNAN, 0x1.99999ap-4}},
};

START_TEST(number_formats)
    {
        test_folder_begin();
        /* The format does not promise that the data are aligned. */
        for (int pad = 0; pad < 9; pad++) {
            unsigned char data[72];
            int bytes = formats[_i].bytes;
            for (int i = 0; i < 9 * bytes; i++)
                data[i] = (unsigned char)(formats[_i].bits[i / bytes] >> 8 * (i % bytes));
            char header[256];
            int length =
                snprintf(header, sizeof header,
                         "{\"x\":{\"dtype\":\"%s\",\"shape\":[3,3],\"data_offsets\":[0,%d]}}%*s",
                         formats[_i].dtype, 9 * bytes, pad, "");
            write_tensors(test_path("f"), header, (uint64_t)length, data, (size_t)(9 * bytes));
            tg_params *params = tg_params_new(1);
            tg_tensor *x = tg_param(params, NULL, "x", TG_SHAPE(3, 3), tg_init_constant(7));
            ck_assert_msg(tg_params_load(params, test_path("f")), "%s", tg_params_error(params));
            for (int i = 0; i < 9; i++) {
                double want = formats[_i].values[i], got = (double)x->data[i];
                ck_assert_msg(isnan(want) ? isnan(got)
                                          : got == want && signbit(got) == signbit(want),
                              "%s %#" PRIx64 " is %g, wanted %g", formats[_i].dtype,
                              formats[_i].bits[i], got, want);
            }
            ck_assert(tg_params_finish_load(params));
            test_end(NULL, params);
        }
        test_folder_end();
    }
END_TEST

/* ---- unusual, but legal files ---- */

static const char *const legal[] = {
    "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"x\":{\"data_offsets\":[0,8],\"shape\":[2],\"dtype\":\"F32\"},\"__metadata__\":{}}        ",
    "{\"x\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[4,8]},\"y\":{\"dtype\":\"F16\","
    "\"shape\":[1,2],\"data_"
    "offsets\":[0,4]}}",
    "{\"none\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[8,8]},\"x\":{\"dtype\":\"F32\","
    "\"shape\":[2],\"data_"
    "offsets\":[0,8]}}",
    "{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},\"x\":{\"dtype\":\"BF16\","
    "\"shape\":[2],\"data_"
    "offsets\":[4,8]}}",
    "{ \"x\" : { \"dtype\" : \"F32\" , \"shape\" : [ 2 ] , \"data_offsets\" : [ 0 , 8 ] } }",
};

START_TEST(legal_files)
    {
        test_folder_begin();
        const unsigned char data[8] = {0};
        write_tensors(test_path("f"), legal[_i], strlen(legal[_i]), data, 8);
        tg_params *params = tg_params_new(1);
        ck_assert_msg(tg_params_load(params, test_path("f")), "%s", tg_params_error(params));
        TEST_TENSOR(tg_param(params, NULL, "x", TG_SHAPE(2), tg_init_constant(7)), TG_SHAPE(2), 0,
                    0);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

START_TEST(an_empty_model)
    {
        test_folder_begin();
        tg_params *params = tg_params_new(1), *loaded = tg_params_new(1);
        ck_assert(tg_params_save(params, test_path("f"), TG_SAVE_MODEL));
        ck_assert(tg_params_load(loaded, test_path("f")) && tg_params_finish_load(loaded));
        test_folder_end();
        test_end(NULL, params);
        test_end(NULL, loaded);
    }
END_TEST

/* ---- hostile files ---- */

#define X(dtype, shape, offsets) \
    "{\"x\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const struct {
    const char *what, *header;
} hostile[] = {
    /* each with 16 bytes of data */
    {"not JSON", "hello, world"},
    {"not JSON", "{\"x\":"},
    {"not JSON", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}} and more"},
    {"not UTF-8", "{\"\xff\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"},
    {"no object", "[1, 2, 3]"},
    {"no object", "\"x\""},
    {"no object", "{\"x\": 3}"},
    {"no object", "{\"x\": [1, 2]}"},
    {"nothing", ""},
    {"no dtype", "{\"x\":{\"shape\":[4],\"data_offsets\":[0,16]}}"},
    {"no shape", "{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}"},
    {"no offsets", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4]}}"},
    {"wrong dtype", X("I32", "[4]", "[0,16]")},
    {"wrong dtype", X("f32", "[4]", "[0,16]")},
    {"wrong dtype", X("", "[4]", "[0,16]")},
    {"dtype of a number", "{\"x\":{\"dtype\":32,\"shape\":[4],\"data_offsets\":[0,16]}}"},
    {"shape of text", X("F32", "\"4\"", "[0,16]")},
    {"shape of text", X("F32", "[\"4\"]", "[0,16]")},
    {"shape of a fraction", X("F32", "[4.0]", "[0,16]")},
    {"shape is a number", X("F32", "4", "[0,16]")},
    {"negative size", X("F32", "[-4]", "[0,16]")},
    {"negative sizes", X("F32", "[-2,-2]", "[0,16]")},
    {"seven axes", X("F32", "[1,1,1,1,1,1,4]", "[0,16]")},
    {"size overflow", X("F32", "[4294967296,4294967296,4]", "[0,16]")},
    {"size overflow", X("F32", "[4611686018427387905]", "[0,16]")},
    {"size overflow", X("F32", "[9223372036854775807,2]", "[0,16]")},
    {"size overflow", X("F32", "[99999999999999999999999]", "[0,16]")},
    {"empty overflow", X("F32", "[4294967296,4294967296,0]", "[0,16]")},
    {"too small for its shape", X("F32", "[4]", "[0,12]")},
    {"too large for its shape", X("F32", "[3]", "[0,16]")},
    {"beyond the end", X("F32", "[4]", "[4,20]")},
    {"beyond the end", X("F32", "[4]", "[16,32]")},
    {"beyond the end", X("F32", "[1000000]", "[0,4000000]")},
    {"far larger than the file", X("F32", "[65536,65536]", "[0,17179869184]")},
    {"far beyond", X("F32", "[4]", "[9223372036854775800,9223372036854775807]")},
    {"negative offset", X("F32", "[4]", "[-16,0]")},
    {"negative offset", X("F32", "[4]", "[-8,8]")},
    {"backwards", X("F32", "[4]", "[16,0]")},
    {"one offset", X("F32", "[4]", "[16]")},
    {"three offsets", X("F32", "[4]", "[0,16,16]")},
    {"offsets of text", X("F32", "[4]", "[\"0\",\"16\"]")},
    {"offsets of fractions", X("F32", "[4]", "[0.0,16.0]")},
    {"offsets of an object", X("F32", "[4]", "{\"0\":0,\"1\":16}")},
    {"a part of the data is nobody's", X("F32", "[2]", "[0,8]")},
    {"a part of the data is nobody's", X("F32", "[2]", "[8,16]")},
    {"overlap", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"y\":{\"dtype\":"
                "\"F32\",\"shape\":[2],"
                "\"data_offsets\":[8,16]}}"},
    {"overlap and hole",
     "{\"x\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]},\"y\":{\"dtype\":\"F16\","
     "\"shape\":[4],\"data_offsets\":[0,8]}}"},
    {"overlap and hole",
     "{\"x\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[4,12]},\"y\":{\"dtype\":\"F16\","
     "\"shape\":[4],\"data_offsets\":[0,8]}}"},
    {"twice the same name",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"x\":{\"dtype\":\"F32\","
     "\"shape\":[2],\"data_offsets\":[8,16]}}"},
    {"twice the same key",
     "{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"},
    {"metadata is text",
     "{\"__metadata__\":\"m\",\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"},
    {"metadata of a number", "{\"__metadata__\":{\"k\":1},\"x\":{\"dtype\":\"F32\",\"shape\":[4],"
                             "\"data_offsets\":[0,16]}}"},
    {"metadata of an object", "{\"__metadata__\":{\"k\":{}},\"x\":{\"dtype\":\"F32\",\"shape\":[4],"
                              "\"data_offsets\":[0,16]}}"},
    {"a zero byte in metadata", "{\"__metadata__\":{\"k\":\"a\\u0000b\"},\"x\":{\"dtype\":\"F32\","
                                "\"shape\":[4],\"data_offsets\":[0,16]}}"},
    {"a zero byte in a name",
     "{\"x\\u0000y\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"},
    {"a line break in a bad name",
     "{\"x\\ny\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,16]}}"},
};

/* A hostile file must be an error. It may not crash the library, change a number, or make the
 * library allocate memory for data that the file does not have. */
static void assert_load_fails(const char *what)
{
    test_memory_begin(0, false);
    tg_params *params = tg_params_new(1);
    tg_tensor *x = tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(7));
    tg_params_set_metadata(params, "k", "old");
    ck_assert_msg(!tg_params_load(params, test_path("f")), "%s: was loaded", what);
    const char *error = tg_params_take_error(params);
    ck_assert_msg(error && *error, "%s: no error", what);
    ck_assert_msg(strstr(error, test_path("f")) && !strchr(error, '\n'),
                  "%s: not one line that names the file: %s", what, error);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(x->data[i] == 7, "%s: element %d has changed", what, i);
    ck_assert_str_eq(tg_params_metadata(params, "k"), "old");
    /* The params can be used as before. */
    ck_assert_ptr_nonnull(tg_param(params, NULL, "after", TG_SHAPE(1), tg_init_constant(1)));
    test_end(NULL, params);
    params = tg_params_new(1); /* no parameter is registered yet */
    ck_assert_msg(!tg_params_load(params, test_path("f")), "%s: was loaded", what);
    ck_assert_ptr_nonnull(tg_params_take_error(params));
    ck_assert_ptr_nonnull(tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(7)));
    test_end(NULL, params);
    test_memory_counts counts = test_memory_end();
    ck_assert_msg(counts.blocks == 0, "%s: a leak", what);
    ck_assert_msg(counts.largest < 200000, "%s: allocated %zu bytes for a small file", what,
                  counts.largest);
}

START_TEST(hostile_headers)
    {
        const unsigned char data[16] = {0};
        test_folder_begin();
        write_tensors(test_path("f"), hostile[_i].header, strlen(hostile[_i].header), data, 16);
        assert_load_fails(hostile[_i].what);
        test_folder_end();
    }
END_TEST

START_TEST(hostile_lengths)
    {
        const char *header = X("F32", "[4]", "[0,16]");
        uint64_t right = strlen(header);
        const uint64_t lengths[] = {0,
                                    1,
                                    right - 1,
                                    right + 1,
                                    right + 16,
                                    right + 17,
                                    1 << 20,
                                    (uint64_t)1 << 31,
                                    (uint64_t)1 << 32,
                                    (uint64_t)1 << 40,
                                    INT64_MAX,
                                    (uint64_t)1 << 63,
                                    UINT64_MAX - 8,
                                    UINT64_MAX - 7,
                                    UINT64_MAX};
        const unsigned char data[16] = {0};
        test_folder_begin();
        for (size_t l = 0; l < COUNT(lengths); l++) {
            char what[64];
            snprintf(what, sizeof what, "header length %" PRIu64, lengths[l]);
            write_tensors(test_path("f"), header, lengths[l], data, 16);
            assert_load_fails(what);
        }
        write_tensors(test_path("f"), header, right, data, 16); /* the right length loads */
        tg_params *params = tg_params_new(1);
        ck_assert(tg_params_load(params, test_path("f")));
        test_end(NULL, params);
        test_folder_end();
    }
END_TEST

START_TEST(truncated_anywhere)
    {
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(1));
        tg_param(params, NULL, "y", TG_SHAPE(2, 2), tg_init_constant(2));
        tg_params_set_metadata(params, "k", "new");
        ck_assert(tg_params_save(params, test_path("complete"), TG_SAVE_STATE));
        size_t size;
        char *complete = test_read_file(test_path("complete"), &size);
        for (size_t length = 0; length < size; length++) {
            char what[64];
            snprintf(what, sizeof what, "cut off at %zu of %zu", length, size);
            test_write_file(test_path("f"), complete, length);
            assert_load_fails(what);
        }
        char *longer = calloc(1, size + 4);
        memcpy(longer, complete, size);
        test_write_file(test_path("f"), longer, size + 4);
        assert_load_fails("four bytes too many");
        free(longer);
        free(complete);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

/* Any one byte of the header is changed: the file loads or fails to load. It never crashes the
 * library, and a load that fails changes no number. */
START_TEST(flipped_bytes)
    {
        test_folder_begin();
        const char *header = X("F32", "[4]", "[0,16]");
        size_t length = strlen(header);
        const unsigned char data[16] = {0}, flips[] = {0x01, 0x04, 0x10, 0x20, 0x80, 0xff};
        char changed[256];
        for (size_t at = 0; at < length; at++)
            for (size_t f = 0; f < COUNT(flips); f++) {
                memcpy(changed, header, length + 1);
                changed[at] = (char)(changed[at] ^ flips[f]);
                if (!changed[at]) continue;
                write_tensors(test_path("f"), changed, length, data, 16);
                tg_params *params = tg_params_new(1);
                tg_tensor *x = tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(7));
                bool loaded = tg_params_load(params, test_path("f"));
                ck_assert(loaded == (tg_params_error(params) == NULL));
                for (int i = 0; i < 4; i++)
                    TEST_CHECK(x->data[i] == (loaded ? 0 : 7), "%s: element %d has changed",
                               changed, i);
                tg_params_free(params);
            }
        test_folder_end();
    }
END_TEST

/* ---- optimizer state in files ---- */

/* The names of the state are not part of the interface, so the test changes a saved file: a state
 * gets a wrong shape. */
START_TEST(a_state_of_another_shape_changes_nothing)
    {
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        tg_tensor *x = tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        ck_assert(tg_backward(tape, tg_sum(tape, x, TG_ALL_AXES, false)));
        tg_adam adam = tg_adam_default(0.1);
        ck_assert(tg_adam_step(&adam, params));
        ck_assert(tg_params_save(params, test_path("f"), TG_SAVE_STATE));
        test_end(tape, params);
        size_t size;
        char *file = test_read_file(test_path("f"), &size);
        size_t length = (size_t)little_endian(file, 8);
        char *text = malloc(2 * size);
        size_t used = 0, seen = 0;
        for (size_t i = 8; i < 8 + length;) {
            if (!strncmp(file + i, "\"shape\":[4]", 11) && seen++ > 0) {
                memcpy(text + used, "\"shape\":[2,2]", 13);
                used += 13;
                i += 11;
            } else text[used++] = file[i++];
        }
        text[used] = 0;
        ck_assert_uint_ge(seen, 3); /* x, which is not changed, and Adam's two moments */
        write_tensors(test_path("f"), text, used, file + 8 + length, size - 8 - length);
        free(text);
        free(file);
        params = tg_params_new(1);
        x = tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(7));
        ck_assert(!tg_params_load(params, test_path("f")));
        test_expect_params_error(params, "x", NULL);
        TEST_TENSOR(x, TG_SHAPE(4), 7, 7, 7, 7);
        tg_params_free(params);
        test_folder_end();
    }
END_TEST

/* Adam divides by 1 - beta^t. An invalid step count t must be an error, or at least not make the
 * model NaN. The count is the only scalar in the file. */
START_TEST(an_invalid_step_count)
    {
        const double counts[] = {QNAN, -5, 1e300, -INF, 0.5};
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        tg_tensor *x = tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        tg_adam adam = tg_adam_default(0.1);
        ck_assert(tg_backward(tape, tg_sum(tape, x, TG_ALL_AXES, false)) &&
                  tg_adam_step(&adam, params));
        ck_assert(tg_params_save(params, test_path("f"), TG_SAVE_STATE));
        test_end(NULL, params);
        size_t size;
        char *file = test_read_file(test_path("f"), &size);
        const char *entry = "\"shape\":[],\"data_offsets\":[", *count = strstr(file + 8, entry);
        ck_assert_msg(count != NULL, "no count in %s", file + 8);
        size_t at = 8 + (size_t)little_endian(file, 8) +
                    (size_t)strtoul(count + strlen(entry), NULL, 10);
        tg_tape_reset(tape);
        memcpy(file + at, counts + _i, sizeof *counts);
        test_write_file(test_path("f"), file, size);
        free(file);
        params = tg_params_new(1);
        x = tg_param(params, NULL, "x", TG_SHAPE(4), tg_init_constant(7));
        if (!tg_params_load(params, test_path("f")))
            ck_assert_ptr_nonnull(tg_params_take_error(params));
        ck_assert(tg_backward(tape, tg_sum(tape, x, TG_ALL_AXES, false)) &&
                  tg_adam_step(&adam, params));
        for (int i = 0; i < 4; i++)
            ck_assert_msg(isfinite((double)x->data[i]), "a count of %g makes %g", counts[_i],
                          (double)x->data[i]);
        test_folder_end();
        test_end(tape, params);
    }
END_TEST

Suite *safetensors_suite(void);
Suite *safetensors_suite(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tc = tcase_create("safetensors");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_saved_bytes);
    tcase_add_loop_test(tc, number_formats, 0, (int)COUNT(formats));
    tcase_add_loop_test(tc, legal_files, 0, (int)COUNT(legal));
    tcase_add_test(tc, an_empty_model);
    tcase_add_loop_test(tc, hostile_headers, 0, (int)COUNT(hostile));
    tcase_add_test(tc, hostile_lengths);
    tcase_add_test(tc, truncated_anywhere);
    tcase_add_test(tc, flipped_bytes);
    tcase_add_test(tc, a_state_of_another_shape_changes_nothing);
    tcase_add_loop_test(tc, an_invalid_step_count, 0, 5);
    suite_add_tcase(suite, tc);
    return suite;
}
