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
    "{\t\"x\"\n:\r{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"__metadata__\":null,\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"\\u0078\":{\"d\\u0074ype\":\"\\u004632\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"x\":{\"dtype\":\"F32\","
    "\"shape\":[2],"
    "\"data_offsets\":[0,8]}}",
    /* Keys of a tensor that are not known are skipped, and may occur twice. */
    "{\"x\":{\"more\":\"\\ud83d\\ude00\",\"dtype\":\"F32\",\"shape\":[2],\"more\":[],\"data_"
    "offsets\":[0,8]}}",
    "{\"x\":{\"dtype\":\"F32\",\"a\":[0,-0,10,-1.25,0.5e3,2E-7,1e+9, true , "
    "false,null],\"shape\":[2],"
    "\"b\":{\"c\":{},\"d\":[[],[{}],{\"e\":[1,{\"f\":\"]}\"}]}]},\"data_offsets\":[0,8],\"g\":{}}}",
    "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"deep\":"
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}",
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

/* ---- text ---- */

/* UTF-8 of a code point, by its definition; returns the place after it. */
static char *encode(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    } else {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 63));
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    }
    return to;
}

/* Every character but NUL, written by the library, and as escapes of both cases. */
START_TEST(every_character)
    {
        enum { CODES = 0x110000 };
        test_folder_begin();
        char *text = malloc(4 * CODES + 1), *to = text;
        char *header = malloc(12 * CODES + 100), *escape = header;
        escape += sprintf(escape, "{\"__metadata__\":{\"escaped\":\"");
        for (unsigned code = 1; code < CODES; code++) {
            const unsigned high = 0xD7C0 + (code >> 10), low = 0xDC00 | (code & 0x3FF);
            if (code >= 0xD800 && code <= 0xDFFF) continue;
            to = encode(to, code);
            if (code < 0x10000) escape += sprintf(escape, code & 1 ? "\\u%04x" : "\\u%04X", code);
            else escape += sprintf(escape, "\\u%04x\\u%04X", high, low);
        }
        *to = 0;
        sprintf(escape, "\"}}");
        tg_params *params = tg_params_new(1), *loaded = tg_params_new(1);
        ck_assert(tg_params_set_metadata(params, "plain", text));
        ck_assert(tg_params_save(params, test_path("f"), TG_SAVE_MODEL));
        ck_assert_msg(tg_params_load(loaded, test_path("f")), "%s", tg_params_error(loaded));
        ck_assert(!strcmp(tg_params_metadata(loaded, "plain"), text));
        write_tensors(test_path("f"), header, strlen(header), NULL, 0);
        ck_assert_msg(tg_params_load(loaded, test_path("f")), "%s", tg_params_error(loaded));
        ck_assert(!strcmp(tg_params_metadata(loaded, "escaped"), text));
        ck_assert_ptr_nonnull(tg_params_metadata(loaded, "plain")); /* both files' metadata */
        free(header);
        free(text);
        test_folder_end();
        test_end(NULL, params);
        test_end(NULL, loaded);
    }
END_TEST

START_TEST(every_escape)
    {
        const char *header =
            "{\"__metadata__\":{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":\"\\u00e9\\uD83D\\uDE00/\"}}";
        test_folder_begin();
        write_tensors(test_path("f"), header, strlen(header), NULL, 0);
        tg_params *params = tg_params_new(1);
        ck_assert_msg(tg_params_load(params, test_path("f")), "%s", tg_params_error(params));
        const char *value = tg_params_metadata(params, "\"\\/\b\f\n\r\t");
        ck_assert_ptr_nonnull(value);
        ck_assert_str_eq(value, "\xc3\xa9\xf0\x9f\x98\x80/");
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

/* Byte for byte what version 0.1 wrote, by another JSON library. */
START_TEST(the_header_that_is_written)
    {
        const char *wanted =
            "{\"__metadata__\":{\"k\":\"\\\"\\\\/"
            "\\b\\f\\n\\r\\t\\u001F\x7f\xc3\xa9\",\"\":\"\"},\"a/b\":"
            "{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},\"s\":{\"dtype\":\"F32\","
            "\"shape\":[],\"data_offsets\":[8,12]}}";
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        tg_param(params, NULL, "a/b", TG_SHAPE(2, 1), tg_init_constant(1));
        tg_param(params, NULL, "s", TG_SCALAR, tg_init_constant(1));
        tg_params_set_metadata(params, "k", "old");
        tg_params_set_metadata(params, "", "");
        tg_params_set_metadata(params, "k", "\"\\/\b\f\n\r\t\x1f\x7f\xc3\xa9");
        ck_assert(tg_params_save(params, test_path("f"), TG_SAVE_MODEL));
        size_t size;
        char *file = test_read_file(test_path("f"), &size);
        const size_t length = (size_t)little_endian(file, 8), text = strlen(wanted);
        if (sizeof(tg_real) == 4) {
            ck_assert_uint_eq(length, (text + 7) / 8 * 8);
            ck_assert_msg(!memcmp(file + 8, wanted, text), "%.*s", (int)length, file + 8);
            for (size_t i = text; i < length; i++) ck_assert_int_eq(file[8 + i], ' ');
        }
        free(file);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

/* A header that no program could read back is not written. */
START_TEST(a_header_of_more_than_100_MB)
    {
        enum { LENGTH = 100000000 };
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        char *text = malloc(LENGTH + 1);
        memset(text, 'x', LENGTH);
        text[LENGTH] = 0;
        ck_assert(tg_params_set_metadata(params, "k", text));
        ck_assert(!tg_params_save(params, test_path("f"), TG_SAVE_MODEL));
        test_expect_params_error(params, test_path("f"),
                                 "its header of names and metadata would have 100000032 bytes, and "
                                 "safetensors allows 100000000",
                                 NULL);
        ck_assert_int_eq(test_folder_count(), 0);
        free(text);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

/* The file's metadata replace those of the same keys, and keep their order among themselves. */
START_TEST(metadata_of_two_files)
    {
        const char *header =
            "{\"__metadata__\":{\"z\":\"file\",\"b\":\"file\",\"m\":\"file\",\"a\":\"file\"}}";
        const char *wanted =
            "{\"__metadata__\":{\"c\":\"own\",\"y\":\"own\",\"z\":\"file\",\"b\":\"file\","
            "\"m\":\"file\",\"a\":\"file\"}}";
        test_folder_begin();
        write_tensors(test_path("f"), header, strlen(header), NULL, 0);
        tg_params *params = tg_params_new(1);
        const char *keys[] = {"a", "c", "b", "y", "z"};
        for (size_t k = 0; k < COUNT(keys); k++) tg_params_set_metadata(params, keys[k], "own");
        for (int again = 0; again < 2; again++)
            ck_assert(tg_params_load(params, test_path("f")) && tg_params_finish_load(params));
        ck_assert(tg_params_save(params, test_path("g"), TG_SAVE_MODEL));
        size_t size;
        char *file = test_read_file(test_path("g"), &size);
        ck_assert_msg(!strncmp(file + 8, wanted, strlen(wanted)), "%s", file + 8);
        free(file);
        test_folder_end();
        test_end(NULL, params);
    }
END_TEST

/* ---- hostile files ---- */

#define X(dtype, shape, offsets) \
    "{\"x\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const struct {
    const char *what, *header, *error; /* the error is that of tg_params_load, after the path */
} hostile[] = {
    /* each with 16 bytes of data */
    {"not JSON", "hello, world", "bad header at byte 8: expected '{', found 'h'"},
    {"not JSON", "{\"x\":",
     "bad header at byte 13 (tensor x): expected '{' of a tensor, found the end of the header"},
    {"not JSON", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}} and more",
     "bad header at byte 64: expected nothing but spaces after '}', found 'a'"},
    {"not UTF-8", "{\"\xff\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 10: a string is not UTF-8 (byte 0xFF)"},
    {"no object", "[1, 2, 3]", "bad header at byte 8: expected '{', found '['"},
    {"no object", "\"x\"", "bad header at byte 8: expected '{', found '\"'"},
    {"no object", "{\"x\": 3}",
     "bad header at byte 14 (tensor x): expected '{' of a tensor, found '3'"},
    {"no object", "{\"x\": [1, 2]}",
     "bad header at byte 14 (tensor x): expected '{' of a tensor, found '['"},
    {"nothing", "", "bad header at byte 8: expected '{', found the end of the header"},
    {"no dtype", "{\"x\":{\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 48 (tensor x): the key dtype is missing"},
    {"no shape", "{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}",
     "bad header at byte 50 (tensor x): the key shape is missing"},
    {"no offsets", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4]}}",
     "bad header at byte 40 (tensor x): the key data_offsets is missing"},
    {"wrong dtype", X("I32", "[4]", "[0,16]"), "x: its dtype \"I32\" is not F32, F64, F16 or BF16"},
    {"wrong dtype", X("f32", "[4]", "[0,16]"), "x: its dtype \"f32\" is not F32, F64, F16 or BF16"},
    {"wrong dtype", X("", "[4]", "[0,16]"), "x: its dtype \"\" is not F32, F64, F16 or BF16"},
    {"dtype of a number", "{\"x\":{\"dtype\":32,\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 22 (tensor x): expected a dtype in quotes, found '3'"},
    {"shape of text", X("F32", "\"4\"", "[0,16]"),
     "bad header at byte 36 (tensor x): expected '[' of a shape, found '\"'"},
    {"shape of text", X("F32", "[\"4\"]", "[0,16]"),
     "bad header at byte 37 (tensor x): expected an integer that is not negative, found '\"'"},
    {"shape of a fraction", X("F32", "[4.0]", "[0,16]"),
     "bad header at byte 38 (tensor x): expected ',' or ']', found '.'"},
    {"shape is a number", X("F32", "4", "[0,16]"),
     "bad header at byte 36 (tensor x): expected '[' of a shape, found '4'"},
    {"negative size", X("F32", "[-4]", "[0,16]"),
     "bad header at byte 37 (tensor x): expected an integer that is not negative, found '-'"},
    {"negative sizes", X("F32", "[-2,-2]", "[0,16]"),
     "bad header at byte 37 (tensor x): expected an integer that is not negative, found '-'"},
    {"seven axes", X("F32", "[1,1,1,1,1,1,4]", "[0,16]"),
     "bad header at byte 49 (tensor x): a shape has more than 6 axes"},
    {"size overflow", X("F32", "[4294967296,4294967296,4]", "[0,16]"), "x: its shape is too large"},
    {"size overflow", X("F32", "[4611686018427387905]", "[0,16]"), "x: its shape is too large"},
    {"size overflow", X("F32", "[9223372036854775807,2]", "[0,16]"), "x: its shape is too large"},
    {"size overflow", X("F32", "[99999999999999999999999]", "[0,16]"),
     "bad header at byte 55 (tensor x): an integer exceeds 9223372036854775807"},
    {"empty overflow", X("F32", "[4294967296,4294967296,0]", "[0,16]"),
     "x: its shape is too large"},
    {"too small for its shape", X("F32", "[4]", "[0,12]"),
     "x: its data_offsets do not fit its shape"},
    {"too large for its shape", X("F32", "[3]", "[0,16]"),
     "x: its data_offsets do not fit its shape"},
    {"beyond the end", X("F32", "[4]", "[4,20]"), "x: its data_offsets are outside the file"},
    {"beyond the end", X("F32", "[4]", "[16,32]"), "x: its data_offsets are outside the file"},
    {"beyond the end", X("F32", "[1000000]", "[0,4000000]"),
     "x: its data_offsets are outside the file"},
    {"beyond the end by a byte", X("F32", "[4]", "[1,17]"),
     "x: its data_offsets are outside the file"},
    {"far larger than the file", X("F32", "[65536,65536]", "[0,17179869184]"),
     "x: its data_offsets are outside the file"},
    {"far beyond", X("F32", "[4]", "[9223372036854775800,9223372036854775807]"),
     "x: its data_offsets are outside the file"},
    {"negative offset", X("F32", "[4]", "[-16,0]"),
     "bad header at byte 56 (tensor x): expected an integer that is not negative, found '-'"},
    {"negative offset", X("F32", "[4]", "[-8,8]"),
     "bad header at byte 56 (tensor x): expected an integer that is not negative, found '-'"},
    {"backwards", X("F32", "[4]", "[16,0]"), "x: its data_offsets end before they begin"},
    {"one offset", X("F32", "[4]", "[16]"),
     "bad header at byte 58 (tensor x): expected ',' and a second offset, found ']'"},
    {"three offsets", X("F32", "[4]", "[0,16,16]"),
     "bad header at byte 60 (tensor x): expected ']' after two offsets, found ','"},
    {"offsets of text", X("F32", "[4]", "[\"0\",\"16\"]"),
     "bad header at byte 56 (tensor x): expected an integer that is not negative, found '\"'"},
    {"offsets of fractions", X("F32", "[4]", "[0.0,16.0]"),
     "bad header at byte 57 (tensor x): expected ',' and a second offset, found '.'"},
    {"offsets of an object", X("F32", "[4]", "{\"0\":0,\"1\":16}"),
     "bad header at byte 55 (tensor x): expected '[' of data_offsets, found '{'"},
    {"a part of the data is nobody's", X("F32", "[2]", "[0,8]"),
     "there are bytes after the data of the last tensor"},
    {"a part of the data is nobody's", X("F32", "[2]", "[8,16]"), "x: a gap precedes its data"},
    {"overlap",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"y\":{\"dtype\":"
     "\"F32\",\"shape\":[2],"
     "\"data_offsets\":[8,16]}}",
     "y: its data overlap others"},
    {"overlap and hole",
     "{\"x\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]},\"y\":{\"dtype\":\"F16\","
     "\"shape\":[4],\"data_offsets\":[0,8]}}",
     "y: its data overlap others"},
    {"overlap and hole",
     "{\"x\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[4,12]},\"y\":{\"dtype\":\"F16\","
     "\"shape\":[4],\"data_offsets\":[0,8]}}",
     "x: its data overlap others"},
    {"twice the same name",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"x\":{\"dtype\":\"F32\","
     "\"shape\":[2],\"data_offsets\":[8,16]}}",
     "bad header at byte 63: the name x occurs twice"},
    {"twice the same key",
     "{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 36 (tensor x): the key dtype occurs twice"},
    {"metadata is text",
     "{\"__metadata__\":\"m\",\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 24: expected '{' of the metadata, found '\"'"},
    {"metadata of a number",
     "{\"__metadata__\":{\"k\":1},\"x\":{\"dtype\":\"F32\",\"shape\":[4],"
     "\"data_offsets\":[0,16]}}",
     "bad header at byte 29: expected a text in quotes, found '1'"},
    {"metadata of an object",
     "{\"__metadata__\":{\"k\":{}},\"x\":{\"dtype\":\"F32\",\"shape\":[4],"
     "\"data_offsets\":[0,16]}}",
     "bad header at byte 29: expected a text in quotes, found '{'"},
    {"a zero byte in metadata",
     "{\"__metadata__\":{\"k\":\"a\\u0000b\"},\"x\":{\"dtype\":\"F32\","
     "\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 31: a string must not contain \\u0000"},
    {"a zero byte in a name",
     "{\"x\\u0000y\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 11: a string must not contain \\u0000"},
    {"a line break in a bad name",
     "{\"x\\ny\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "x?y: its dtype \"I8\" is not F32, F64, F16 or BF16"},
    {"no object", " {\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 8: expected '{', found byte 0x20"},
    {"no object", "\xef\xbb\xbf{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 8: expected '{', found byte 0xEF"},
    {"more than an object", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}\n",
     "bad header at byte 63: expected nothing but spaces after '}', found byte 0x0A"},
    {"more than an object", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}{}",
     "bad header at byte 63: expected nothing but spaces after '}', found '{'"},
    {"no comma",
     "{\"__metadata__\":{} \"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 27: expected ',' or '}', found '\"'"},
    {"a comma too many", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},}",
     "bad header at byte 63: expected a key in quotes, found '}'"},
    {"a comma too many", "{,\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 9: expected a key in quotes, found ','"},
    {"a comma too many", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4,],\"data_offsets\":[0,16]}}",
     "bad header at byte 39 (tensor x): expected an integer that is not negative, found ']'"},
    {"a comma too many", "{\"x\":{\"dtype\":\"F32\",\"shape\":[,4],\"data_offsets\":[0,16]}}",
     "bad header at byte 37 (tensor x): expected an integer that is not negative, found ','"},
    {"a comma too many",
     "{\"__metadata__\":{\"k\":\"v\",},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,"
     "16]}}",
     "bad header at byte 33: expected a key in quotes, found '}'"},
    {"no colon", "{\"x\" {\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 13: expected ':' after a key, found '{'"},
    {"a key without quotes", "{x:{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 9: expected a key in quotes, found 'x'"},
    {"a key in other quotes", "{'x':{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 9: expected a key in quotes, found '''"},
    {"a comment", "{/**/\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 9: expected a key in quotes, found '/'"},
    {"null", "{\"x\":null}",
     "bad header at byte 13 (tensor x): expected '{' of a tensor, found 'n'"},
    {"an array for a tensor", "{\"x\":[\"F32\",[4],[0,16]]}",
     "bad header at byte 13 (tensor x): expected '{' of a tensor, found '['"},
    {"dtype is null", "{\"x\":{\"dtype\":null,\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 22 (tensor x): expected a dtype in quotes, found 'n'"},
    {"shape is null", "{\"x\":{\"dtype\":\"F32\",\"shape\":null,\"data_offsets\":[0,16]}}",
     "bad header at byte 36 (tensor x): expected '[' of a shape, found 'n'"},
    {"a size of -0", "{\"x\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,16]}}",
     "bad header at byte 37 (tensor x): expected an integer that is not negative, found '-'"},
    {"a leading zero", "{\"x\":{\"dtype\":\"F32\",\"shape\":[04],\"data_offsets\":[0,16]}}",
     "bad header at byte 38 (tensor x): expected ',' or ']', found '4'"},
    {"a leading zero", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[00,16]}}",
     "bad header at byte 57 (tensor x): expected ',' and a second offset, found '0'"},
    {"a plus sign", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[+0,16]}}",
     "bad header at byte 56 (tensor x): expected an integer that is not negative, found '+'"},
    {"an exponent", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16e0]}}",
     "bad header at byte 60 (tensor x): expected ']' after two offsets, found 'e'"},
    {"size overflow",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,16]}}",
     "bad header at byte 55 (tensor x): an integer exceeds 9223372036854775807"},
    {"size overflow",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[18446744073709551620],\"data_offsets\":[0,16]}}",
     "bad header at byte 56 (tensor x): an integer exceeds 9223372036854775807"},
    {"offset overflow",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,"
     "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
     "9999999]}}",
     "bad header at byte 76 (tensor x): an integer exceeds 9223372036854775807"},
    {"nested shape", "{\"x\":{\"dtype\":\"F32\",\"shape\":[[4]],\"data_offsets\":[0,16]}}",
     "bad header at byte 37 (tensor x): expected an integer that is not negative, found '['"},
    {"twice the same name",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"\\u0078\":{\"dtype\":"
     "\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
     "bad header at byte 63: the name x occurs twice"},
    {"twice the same name",
     "{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"x\":{\"dtype\":\"F32\","
     "\"shape\":[1],\"data_offsets\":[4,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_"
     "offsets\":[8,12]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}",
     "bad header at byte 170: the name b occurs twice"},
    {"twice the same key",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"shape\":[4]}}",
     "bad header at byte 70 (tensor x): the key shape occurs twice"},
    {"twice the same key",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"data_offsets\":[0,16]}}",
     "bad header at byte 77 (tensor x): the key data_offsets occurs twice"},
    {"twice metadata",
     "{\"__metadata__\":{},\"__metadata__\":{},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 42: the key __metadata__ occurs twice"},
    {"twice metadata",
     "{\"__metadata__\":null,\"__metadata__\":{},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 44: the key __metadata__ occurs twice"},
    {"twice the same text",
     "{\"__metadata__\":{\"k\":\"1\",\"a\":\"2\",\"k\":\"1\"},\"x\":{\"dtype\":\"F32\",\"shape\":["
     "4],\"data_offsets\":[0,16]}}",
     "bad header at byte 42: the name k occurs twice"},
    {"metadata is a list",
     "{\"__metadata__\":[],\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 24: expected '{' of the metadata, found '['"},
    {"metadata is nul",
     "{\"__metadata__\":nul,\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 24: expected '{' of the metadata, found 'n'"},
    {"metadata of null",
     "{\"__metadata__\":{\"k\":null},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]"
     "}}",
     "bad header at byte 29: expected a text in quotes, found 'n'"},
    {"a raw control character",
     "{\"__metadata__\":{\"k\":\"a\nb\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":["
     "0,16]}}",
     "bad header at byte 31: a string contains the control character 0x0A"},
    {"a raw control character",
     "{\"__metadata__\":{\"k\":\"a\x1f"
     "b\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     "bad header at byte 31: a string contains the control character 0x1F"},
    {"a bad escape",
     "{\"__metadata__\":{\"k\":\"\\x41\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":["
     "0,16]}}",
     "bad header at byte 30: this backslash does not start an escape of JSON"},
    {"a bad escape",
     "{\"__metadata__\":{\"k\":\"\\'\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,"
     "16]}}",
     "bad header at byte 30: this backslash does not start an escape of JSON"},
    {"a bad escape",
     "{\"__metadata__\":{\"k\":\"\\U0041\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: this backslash does not start an escape of JSON"},
    {"a short escape",
     "{\"__metadata__\":{\"k\":\"\\u12\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":["
     "0,16]}}",
     "bad header at byte 30: this backslash does not start an escape of JSON"},
    {"a short escape",
     "{\"__metadata__\":{\"k\":\"\\u12g4\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: this backslash does not start an escape of JSON"},
    {"a short escape",
     "{\"__metadata__\":{\"k\":\"\\u+123\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: this backslash does not start an escape of JSON"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\ud83d\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uD83D is half of a surrogate pair"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\ud83dx\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uD83D is half of a surrogate pair"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\ud83d\\n\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uD83D is half of a surrogate pair"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\ud83d\\u0041\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uD83D is half of a surrogate pair"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\ud83d\\ud83d\\ude00\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],"
     "\"data_offsets\":[0,16]}}",
     "bad header at byte 30: \\uD83D is half of a surrogate pair"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\ude00\\ud83d\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uDE00 is half of a surrogate pair"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\udbff\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uDBFF is half of a surrogate pair"},
    {"half a surrogate pair",
     "{\"__metadata__\":{\"k\":\"\\udfff\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uDFFF is half of a surrogate pair"},
    {"a zero byte",
     "{\"__metadata__\":{\"k\":\"\\ud83d\\u0000\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: \\uD83D is half of a surrogate pair"},
    {"no end of a string", "{\"x", "bad header at byte 11: a string is not closed"},
    {"no end of a string", "{\"x\\",
     "bad header at byte 11: this backslash does not start an escape of JSON"},
    {"no end of a string", "{\"x\\\"", "bad header at byte 13: a string is not closed"},
    {"no end of an escape", "{\"x\\u004",
     "bad header at byte 11: this backslash does not start an escape of JSON"},
    {"no end of a pair", "{\"x\\ud83d\\ude",
     "bad header at byte 11: \\uD83D is half of a surrogate pair"},
    {"no end of a tensor", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]",
     "bad header at byte 61 (tensor x): expected ',' or '}', found the end of the header"},
    {"no end", "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}",
     "bad header at byte 62: expected ',' or '}', found the end of the header"},
    {"no end", "{", "bad header at byte 9: expected a key in quotes, found the end of the header"},
    {"an unknown key without a value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":}}",
     "bad header at byte 69 (tensor x): expected a value, found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":True}}",
     "bad header at byte 69 (tensor x): expected a value, found 'T'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":nan}}",
     "bad header at byte 69 (tensor x): expected a value, found 'n'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":01}}",
     "bad header at byte 70 (tensor x): expected ',' or '}', found '1'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":1.}}",
     "bad header at byte 71 (tensor x): expected a digit, found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":.5}}",
     "bad header at byte 69 (tensor x): expected a value, found '.'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":-}}",
     "bad header at byte 70 (tensor x): expected a digit, found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":1e}}",
     "bad header at byte 71 (tensor x): expected a digit, found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":1e+}}",
     "bad header at byte 72 (tensor x): expected a digit, found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":\"\\ud800\"}}",
     "bad header at byte 70 (tensor x): \\uD800 is half of a surrogate pair"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":[1,]}}",
     "bad header at byte 72 (tensor x): expected a value, found ']'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":[1 2]}}",
     "bad header at byte 72 (tensor x): expected ',' or ']', found '2'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":[1}}}",
     "bad header at byte 71 (tensor x): expected ',' or ']', found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":{\"a\":1]}}",
     "bad header at byte 75 (tensor x): expected ',' or '}', found ']'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":{\"a\":1,}}}",
     "bad header at byte 76 (tensor x): expected a key in quotes, found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":{\"a\"}}}",
     "bad header at byte 73 (tensor x): expected ':' after a key, found '}'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":{1:2}}}",
     "bad header at byte 70 (tensor x): expected a key in quotes, found '1'"},
    {"a bad unknown value",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":[[]}}",
     "bad header at byte 72 (tensor x): expected ',' or ']', found '}'"},
    {"too deep",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":[[[[[[[[[[[[[[[[[[[["
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
     "[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}",
     "bad header at byte 194 (tensor x): a value is nested deeper than 125 levels"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\x80\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":["
     "0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0x80)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xc0\xaf\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xC0)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xc1\xbf\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xC1)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xe0\x9f\xbf\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xE0)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xed\xa0\x80\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xED)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xf0\x8f\xbf\xbf\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xF0)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xf4\x90\x80\x80\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xF4)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xf5\x80\x80\x80\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xF5)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xc3(\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":["
     "0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xC3)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xe4\xb8(\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xE4)"},
    {"not UTF-8",
     "{\"__metadata__\":{\"k\":\"\xf0\x9f\x98(\"},\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_"
     "offsets\":[0,16]}}",
     "bad header at byte 30: a string is not UTF-8 (byte 0xF0)"},
};

/* A hostile file must be an error. It may not crash the library, change a number, or make the
 * library allocate memory for data that the file does not have. */
static void assert_refused(const char *what, const char *wanted)
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
    if (wanted) {
        char start[1100];
        snprintf(start, sizeof start, "cannot load %s: %s", test_path("f"), wanted);
        ck_assert_msg(!strcmp(error, start), "%s: the error is\n%s\nnot\n%s", what, error, start);
    }
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
        assert_refused(hostile[_i].what, hostile[_i].error);
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
            assert_refused(what, NULL);
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
            assert_refused(what, NULL);
        }
        char *longer = calloc(1, size + 4);
        memcpy(longer, complete, size);
        test_write_file(test_path("f"), longer, size + 4);
        assert_refused("bytes too many", "there are bytes after the data of the last tensor");
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
    tcase_add_test(tc, every_character);
    tcase_add_test(tc, every_escape);
    tcase_add_test(tc, the_header_that_is_written);
    tcase_add_test(tc, a_header_of_more_than_100_MB);
    tcase_add_test(tc, metadata_of_two_files);
    tcase_add_loop_test(tc, hostile_headers, 0, (int)COUNT(hostile));
    tcase_add_test(tc, hostile_lengths);
    tcase_add_test(tc, truncated_anywhere);
    tcase_add_test(tc, flipped_bytes);
    tcase_add_test(tc, a_state_of_another_shape_changes_nothing);
    tcase_add_loop_test(tc, an_invalid_step_count, 0, 5);
    suite_add_tcase(suite, tc);
    return suite;
}
