#include "builtin.h"

#include <string.h>

extern const unsigned char textclf_documents[], textclf_reviews[], textclf_reviews_test[],
    textclf_english[], textclf_english_test[], textclf_chinese[], textclf_chinese_test[];

const tc_builtin tc_builtins[] = {
    {"builtin:reviews", "builtin:reviews-test", "640 short reviews, English and Chinese",
     textclf_reviews},
    {"builtin:reviews-test", NULL, "130 held-out reviews", textclf_reviews_test},
    {"builtin:english", "builtin:english-test", "the 420 English reviews", textclf_english},
    {"builtin:english-test", NULL, "80 held-out English reviews", textclf_english_test},
    {"builtin:chinese", "builtin:chinese-test", "the 220 Chinese reviews", textclf_chinese},
    {"builtin:chinese-test", NULL, "50 held-out Chinese reviews", textclf_chinese_test},
    {"builtin:documents", NULL, "four sentences, the smallest example", textclf_documents},
};

const size_t tc_builtin_count = sizeof tc_builtins / sizeof *tc_builtins;

const tc_builtin *tc_builtin_find(const char *name)
{
    for (size_t i = 0; i < tc_builtin_count; i++) {
        if (!strcmp(tc_builtins[i].name, name)) return &tc_builtins[i];
    }
    return NULL;
}
