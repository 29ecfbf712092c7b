/* Command lines: arguments separated by newlines. Those that parse are executed unless they
 * train, in a folder with a model, a data file and a file of texts. They cannot name files
 * elsewhere: a slash becomes a comma. */
#include "textclf.h"

#include "../../examples/text_classifier/cli/commands.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 24 };

static const char *const lasting[] = {"model", "data", "lines", NULL};

static void make_model(void)
{
    static const char *const words[] = {"<padding>", "<unknown>", "good", "bad", ",", "\u5F88"};
    tc_model model = {.settings = {.embedding = 2,
                                   .hidden = 2,
                                   .encoder = TC_BILSTM,
                                   .attention = TC_ADDITIVE,
                                   .max_length = 9,
                                   .ngrams = 2,
                                   .buckets = 3,
                                   .max_pool = true}};
    fuzz_build_model(&model, words, 6);
    FUZZ_CHECK(tc_model_save(&model, "model"), "%s", ex_failure());
    tc_model_free(&model);
}

/* Once per process: sets up the folder with its files, and standard input. */
static void set_up(void)
{
    static const char data[] = "good\tyes\nbad, bad\tno\n\u5F88\tyes\n\tno\ngood\tyes\n",
                      lines[] = "good\n\nbad bad\n\u5F88!\n";
    static bool done;
    if (done) return;
    done = true;
    fuzz_write("data", data, sizeof data - 1);
    fuzz_write("lines", lines, sizeof lines - 1);
    FUZZ_CHECK(!chdir(fuzz_folder()) && freopen("lines", "rb", stdin), "cannot enter the folder");
    make_model();
}

static void run(const tc_options *options)
{
    const tc_command *command = options->command;
    bool good = true;
    if (command->execute == tc_check) good = tc_check(options) == TC_EXIT_OK;
    else if (command->use_model) {
        tc_model model = {0};
        good = tc_model_load(&model, options->arguments[0]) && command->use_model(&model, options);
        tc_model_free(&model);
    }
    FUZZ_CHECK(good == !ex_failure(), "%s ends with \"%s\"", command->name,
               ex_failure() ? ex_failure() : "");
}

/* Splits the input into argv, which ends with NULL. Returns argc. */
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

/* Every option that a model depends on must be in the JSON, or there must be a reason why there
 * is none. */
static void check_json(const tc_options *options)
{
    static size_t names;
    json_t *object = tc_options_to_json(options);
    FUZZ_CHECK(!object == !!ex_failure(), "%s", object ? ex_failure() : "no JSON");
    ex_failure_clear();
    if (!object) return;
    if (!names) names = json_object_size(object);
    FUZZ_CHECK(json_object_size(object) == names, "%zu options are recorded, then %zu", names,
               json_object_size(object));
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *argv[MAX_ARGUMENTS + 2], *text = malloc(size + 1);
    tc_options options;
    set_up();
    FUZZ_CHECK(text, "out of memory");
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
        check_json(&options);
        rewind(stdin);
        run(&options);
        fuzz_clear_folder(lasting);
    }
    ex_failure_clear();
    free(text);
    return 0;
}
