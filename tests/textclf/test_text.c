/* Unit tests of textclf's text and data handling: here tokens, names and vocabularies. Linked
 * with all of examples/text_classifier but main.c, and with the library. */

#include "test_text.h"

#include "../../examples/support/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tokens ---- */

static void check_tokens(const char *text, const char *expected)
{
    ex_tokens tokens = {0};
    char joined[1024] = "";
    ck_assert(ex_tokens_add(&tokens, text));
    for (size_t i = 0; i < tokens.count; i++) {
        strcat(joined, i ? "|" : "");
        strcat(joined, ex_token_word(&tokens, i));
    }
    ck_assert_str_eq(joined, expected);
    ex_tokens_free(&tokens);
}

START_TEST(words_and_marks)
    {
        check_tokens("This is a GREAT movie!", "this|is|a|great|movie|!");
        check_tokens("", "");
        check_tokens(" \t\r\n ", "");
        check_tokens("3.5 stars?!", "3|.|5|stars|?|!");
        check_tokens("well-made", "well|-|made");
        check_tokens("a1b2", "a1b2");
        check_tokens("so... good!!!!!", "so|...|good|!!!");
        check_tokens("\x08"
                     "bell",
                     "bell");
    }
END_TEST

START_TEST(apostrophes)
    {
        check_tokens("don't", "don't");
        check_tokens("don\u2019t", "don't");
        check_tokens("Don\uFF07t", "don't");
        check_tokens("'quoted'", "'|quoted|'");
        check_tokens("rock 'n' roll", "rock|'|n|'|roll");
        check_tokens("dogs' ", "dogs|'");
        check_tokens("a''b", "a|''|b");
    }
END_TEST

START_TEST(folding)
    {
        check_tokens("\u00C9COLE \u00E9cole e\u0301cole", "\u00E9cole|\u00E9cole|\u00E9cole");
        check_tokens("Stra\u00DFe STRASSE", "strasse|strasse");
        check_tokens("\uFF28\uFF45\uFF4C\uFF4C\uFF4F\uFF01", "hello|!"); /* full-width */
        check_tokens("\uFB01lm", "film");                                /* a ligature */
        check_tokens("co\u00ADoperate", "cooperate");                    /* soft hyphen */
        check_tokens("\u2026 \u2026\u2026", "...|...");
        check_tokens("\u041F\u0420\u0418\u0412\u0415\u0422",
                     "\u043F\u0440\u0438\u0432\u0435\u0442");
        check_tokens("\u0301", ""); /* a mark on nothing */
        check_tokens("\u00B8 don\u00B4t",
                     "\u0327|don|\u0301|t"); /* their compatible forms contain a blank */
    }
END_TEST

/* Sorting marks takes a time that grows with the square of their number, so marks beyond 30 are
 * left out. */
START_TEST(heaps_of_marks)
    {
        enum { MARKS = 50000 };
        char *text = malloc(4 * MARKS + 3);
        ck_assert_ptr_nonnull(text);
        strcpy(text, "a");
        for (int i = 0; i < MARKS; i++) memcpy(text + 1 + 4 * i, "\u0301\u0316", 4);
        strcpy(text + 1 + 4 * MARKS, "b");
        ex_tokens tokens = {0};
        ck_assert(ex_tokens_add(&tokens, text));
        ck_assert_uint_eq(tokens.count, 2);
        ck_assert_uint_eq(tokens.items[0].length, 1 + 2 * 30);
        ck_assert_str_eq(ex_token_word(&tokens, 1), "b");
        ex_tokens_free(&tokens);
        free(text);
    }
END_TEST

START_TEST(one_by_one)
    {
        check_tokens("\u5F88\u597D\u5403\uFF0C3\u5757", "\u5F88|\u597D|\u5403|,|3|\u5757");
        check_tokens("iPhone\u624B\u673A", "iphone|\u624B|\u673A");
        check_tokens("\U00020000x", "\U00020000|x"); /* Han outside the first plane */
        check_tokens("\u3042\u30A2\u30FC", "\u3042|\u30A2|\u30FC");
        check_tokens("\uFF76\uFF9E", "\u30AC"); /* half-width Kana and its voicing mark */
        check_tokens("\uAC00\uB098 \uB2E4",
                     "\uAC00\uB098|\uB2E4"); /* Hangul has blanks between words */
        check_tokens("\U0001F44D\U0001F3FB\U0001F44E", "\U0001F44D\U0001F3FB|\U0001F44E");
    }
END_TEST

START_TEST(places_in_the_text)
    {
        const char *text = "  \u00C9T\u00C9, don\u2019t\u5F88";
        const char *expected[] = {"\u00C9T\u00C9", ",", "don\u2019t", "\u5F88"};
        ex_tokens tokens = {0};
        ck_assert(ex_tokens_add(&tokens, text));
        ck_assert_uint_eq(tokens.count, 4);
        for (size_t i = 0; i < tokens.count; i++) {
            ck_assert_uint_eq(tokens.items[i].length, strlen(expected[i]));
            ck_assert(!memcmp(text + tokens.items[i].start, expected[i], tokens.items[i].length));
        }
        ex_tokens_free(&tokens);
    }
END_TEST

START_TEST(utf8)
    {
        static const struct {
            const char *text;
            size_t length, bad;
        } wrong[] = {
            {"\xFF", 1, 0},         {"abc\xE9t", 5, 3},         {"\xC0\xAF", 2, 0},
            {"\xED\xA0\x80", 3, 0}, {"\xF4\x90\x80\x80", 4, 0}, {"ab\xE4\xB8", 4, 2},
            {"a\0b", 3, 1},
        };
        size_t bad = 99;
        ck_assert(ex_text_valid("", 0, &bad));
        ck_assert(ex_text_valid("\u00E9\u5F88\U0001F44D", 9, &bad));
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            ck_assert_msg(!ex_text_valid(wrong[i].text, wrong[i].length, &bad), "text %zu", i);
            ck_assert_uint_eq(bad, wrong[i].bad);
        }
    }
END_TEST

/* ---- names ---- */

void build_vocabulary(ex_names *words, const char *text, int64_t min_count, int32_t *first_rare)
{
    ex_tokens tokens = {0};
    ck_assert(ex_tokens_add(&tokens, text));
    ck_assert(ex_vocabulary_build(words, &tokens, min_count, 0, first_rare));
    ex_tokens_free(&tokens);
}

START_TEST(vocabulary)
    {
        ex_names words;
        int32_t rare;
        build_vocabulary(&words, "c b a b c d c", 1, &rare);
        ck_assert_int_eq(words.count, 6);
        ck_assert_str_eq(words.items[2], "c");
        ck_assert_str_eq(words.items[3], "b");
        ck_assert_str_eq(words.items[4], "a"); /* as frequent as d, but first */
        ck_assert_str_eq(words.items[5], "d");
        ck_assert_int_eq(rare, 4);
        ck_assert_int_eq(ex_names_find(&words, "b"), 3);
        ck_assert_int_eq(ex_names_find(&words, "e"), -1);
        ck_assert(ex_vocabulary_valid(&words));
        ex_names_free(&words);

        build_vocabulary(&words, "c b a b c d c", 2, &rare);
        ck_assert_int_eq(words.count, 4);
        ck_assert_int_eq(rare, 4);
        ex_names_free(&words);

        build_vocabulary(&words, "", 1, &rare);
        ck_assert_int_eq(words.count, EX_FIRST_WORD);
        ex_names_free(&words);
    }
END_TEST

START_TEST(names_as_json)
    {
        static const char *const strings[] = {"with \"quotes\"", "", "\u5F88", "a\\b\n"};
        ex_names names, again;
        ck_assert(ex_names_set(&names, "names", strings, 4));
        char *json = ex_names_to_json(&names);
        ck_assert(ex_names_from_json(&again, json, "it"));
        ck_assert_int_eq(again.count, 4);
        for (int i = 0; i < 4; i++) {
            ck_assert_str_eq(again.items[i], strings[i]);
            ck_assert_int_eq(ex_names_find(&again, strings[i]), i);
        }
        free(json);
        ex_names_free(&names);
        ex_names_free(&again);
    }
END_TEST

START_TEST(wrong_json)
    {
        static const char *const wrong[] = {
            "", "{}", "[1]", "[\"a\",", "[\"a\",\"a\"]", "[\"a\\u0000b\"]", "\"a\"", "[[\"a\"]]"};
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            ex_names names;
            ex_failure_clear();
            ck_assert_msg(!ex_names_from_json(&names, wrong[i], "MODEL: labels"), "%s", wrong[i]);
            ck_assert_ptr_nonnull(ex_failure());
            ck_assert_msg(strstr(ex_failure(), "MODEL: labels") || strstr(ex_failure(), "twice"),
                          "%s", ex_failure());
        }
        ex_failure_clear();
    }
END_TEST

int main(void)
{
    Suite *suite = suite_create("textclf");
    TCase *text = tcase_create("text"), *names = tcase_create("names");
    tcase_add_test(text, words_and_marks);
    tcase_add_test(text, apostrophes);
    tcase_add_test(text, folding);
    tcase_add_test(text, heaps_of_marks);
    tcase_add_test(text, one_by_one);
    tcase_add_test(text, places_in_the_text);
    tcase_add_test(text, utf8);
    tcase_add_test(names, vocabulary);
    tcase_add_test(names, names_as_json);
    tcase_add_test(names, wrong_json);
    suite_add_tcase(suite, text);
    suite_add_tcase(suite, names);
    suite_add_tcase(suite, data_cases());
    suite_add_tcase(suite, chart_cases());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
