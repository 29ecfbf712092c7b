#include "builtin.h"

#include <string.h>

#define EMBEDDED(name)                             \
    extern const unsigned char textclf_##name[];   \
    extern const size_t textclf_##name##_size

EMBEDDED(documents);
EMBEDDED(english_train);
EMBEDDED(english_test);
EMBEDDED(chinese_train);
EMBEDDED(chinese_test);

#define PART(name) {textclf_##name, &textclf_##name##_size}

const tc_builtin tc_builtins[] = {
    {"builtin:reviews", "builtin:reviews-test", "short reviews, English and Chinese",
     {PART(english_train), PART(chinese_train)}},
    {"builtin:reviews-test", NULL, "their held-out part", {PART(english_test), PART(chinese_test)}},
    {"builtin:english", "builtin:english-test", "the English ones", {PART(english_train)}},
    {"builtin:english-test", NULL, "their held-out part", {PART(english_test)}},
    {"builtin:chinese", "builtin:chinese-test", "the Chinese ones", {PART(chinese_train)}},
    {"builtin:chinese-test", NULL, "their held-out part", {PART(chinese_test)}},
    {"builtin:documents", NULL, "the four sentences of the documents", {PART(documents)}},
};

const size_t tc_builtin_count = sizeof tc_builtins / sizeof *tc_builtins;

const tc_builtin *tc_builtin_find(const char *name)
{
    for (size_t i = 0; i < tc_builtin_count; i++) {
        if (!strcmp(tc_builtins[i].name, name)) return &tc_builtins[i];
    }
    return NULL;
}
