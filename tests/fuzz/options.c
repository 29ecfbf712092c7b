/* Command lines: arguments with a newline between them. What can be parsed and is no training is done, in a folder of the
 * target's own, where a model, a file of data and one of texts lie. No file elsewhere can be named: a slash becomes a
 * comma. */
#include "textclf.h"

#include "../../examples/text_classifier/commands.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 24 };

static const char *const kept[] = {"model", "data", "lines", NULL};

static void make_model(void)
{
    static const char *const words[] = {"<padding>", "<unknown>", "good", "bad", ",", "\u5F88"};
    tc_model model = {.settings = {.embedding = 2,
                                   .hidden = 2,
                                   .encoder = TC_BILSTM,
                                   .attention = TC_ADDITIVE,
                                   .longest = 9,
                                   .ngrams = 2,
                                   .buckets = 3,
                                   .max_pool = true}};
    fuzz_build_model(&model, words, 6);
    FUZZ_CHECK(tc_model_save(&model, "model"), "%s", ex_failure());
    tc_model_free(&model);
}

/* Once for the process: the folder, what lies in it, and standard input, which holds texts. */
static void set_up(void)
{
    static const char data[] = "good\tyes\nbad, bad\tno\n\u5F88\tyes\n\tno\ngood\tyes\n",
                      lines[] = "good\n\nbad bad\n\u5F88!\n";
    static bool done;
    if (done) return;
    done = true;
    fuzz_write("data", data, sizeof data - 1);
    fuzz_write("lines", lines, sizeof lines - 1);
    FUZZ_CHECK(!chdir(fuzz_folder()) && freopen("lines", "rb", stdin), "no folder to work in");
    make_model();
}

static void run(const tc_options *options)
{
    const tc_command *command = options->command;
    bool good = true;
    if (command->run == tc_check) good = tc_check(options) == TC_DONE;
    else if (command->ask) {
        tc_model model = {0};
        good = tc_model_load(&model, options->arguments[0]) && command->ask(&model, options);
        tc_model_free(&model);
    }
    FUZZ_CHECK(good == !ex_failure(), "%s ends with \"%s\"", command->name,
               ex_failure() ? ex_failure() : "");
}

/* Cuts a copy of the input into argv, which ends with NULL as main's does. Returns argc. */
static int cut(char *text, char **argv)
{
    static char name[] = "textclf";
    int argc = 0;
    argv[argc++] = name;
    for (char *next = text; next && argc <= MAX_ARGUMENTS;) {
        argv[argc++] = next;
        next = strchr(next, '\n');
        if (next) *next++ = 0;
    }
    argv[argc] = NULL;
    for (int i = 1; i < argc; i++) {
        for (char *c = argv[i]; *c; c++) *c = *c == '/' ? ',' : *c;
    }
    return argc;
}

/* All that a training's result depends on is in its plan, or it is said why there is none. */
static void check_plan(const tc_options *options)
{
    static size_t names;
    json_t *plan = tc_options_plan(options);
    FUZZ_CHECK(!plan == !!ex_failure(), "%s", plan ? ex_failure() : "no plan");
    ex_failure_clear();
    if (!plan) return;
    if (!names) names = json_object_size(plan);
    FUZZ_CHECK(json_object_size(plan) == names,
               "%zu options shape a training, and %zu are in its plan", names,
               json_object_size(plan));
    json_decref(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *argv[MAX_ARGUMENTS + 2], *text = malloc(size + 1);
    tc_options options;
    set_up();
    FUZZ_CHECK(text, "no memory");
    if (size) memcpy(text, bytes, size);
    text[size] = 0;
    const int argc = cut(text, argv);
    optind = 0; /* glibc's way to start again */
    const ex_parsed parsed = tc_options_parse(&options, argc, argv);
    FUZZ_CHECK((parsed == EX_WRONG) == (ex_failure() != NULL), "%d and \"%s\"", parsed,
               ex_failure() ? ex_failure() : "");
    if (parsed == EX_OK) {
        FUZZ_CHECK(options.argument_count >= 0 && options.argument_count < argc &&
                       !options.arguments[options.argument_count],
                   "%d arguments of %d", options.argument_count, argc);
        check_plan(&options);
        rewind(stdin);
        run(&options);
        fuzz_clear_folder(kept);
    }
    ex_failure_clear();
    free(text);
    return 0;
}
