/* Models and checkpoints of textclf: a letter chooses which, the rest is the file
 * (fuzz_write_safetensors). A model that opens must predict, and must predict the same after it
 * is saved and opened again. Training must end from a checkpoint that is accepted. */
#include "textclf.h"

#include "../../examples/text_classifier/cli/commands.h"
#include "../../examples/text_classifier/training/progress.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char path[1024], again[1024], page[1024];

/* ---- models ---- */

static char good_text[] = "good, bad \u5F88 don't", other_text[] = "GOOD";

/* Runs every command that takes a model: each must succeed or say why not. The last one changes
 * the weights. */
static void run_commands(tc_model *model)
{
    static bool (*const commands[])(tc_model *, const tc_options *) = {tc_predict, tc_predict,
                                                                       tc_predict, tc_attend,
                                                                       tc_explain, tc_tape,
                                                                       tc_step};
    enum { COMMANDS = sizeof commands / sizeof *commands, ONE_TEXT = COMMANDS - 2 };
    for (int i = 0; i < COMMANDS; i++) {
        char *arguments[] = {path, good_text, i < ONE_TEXT ? other_text : NULL, NULL};
        const tc_options options = {.arguments = arguments,
                                    .argument_count = i < ONE_TEXT ? 3 : 2,
                                    .top = i == 1 ? 2 : 0,
                                    .json = i == 2,
                                    .output = i > 2 ? page : NULL};
        const bool good = commands[i](model, &options);
        FUZZ_CHECK(good == !ex_failure(), "command %d, and \"%s\"", i,
                   ex_failure() ? ex_failure() : "");
        ex_failure_clear();
    }
    remove(page);
}

/* Returns the logarithms of the probabilities of a text, [C], or NULL after ex_fail if the
 * model's numbers overflow. */
static float *log_probabilities(const tc_model *model)
{
    tc_dataset data = {.name = "text"};
    FUZZ_CHECK(tc_dataset_add_text(&data, good_text) && tc_model_encode(model, &data), "%s",
               ex_failure());
    float *result = tc_log_probabilities(model, (tc_slice){data.rows, 1});
    tc_dataset_free(&data);
    return result;
}

static void try_model(void)
{
    tc_model model = {0}, second = {0};
    const bool good = tc_model_load(&model, path);
    FUZZ_CHECK(good == !ex_failure(), "%s", good ? ex_failure() : "it failed and did not say why");
    if (good) {
        FUZZ_CHECK(tc_model_save(&model, again) && tc_model_load(&second, again), "%s",
                   ex_failure());
        float *one = log_probabilities(&model), *other = log_probabilities(&second);
        FUZZ_CHECK(one ? other && !memcmp(one, other, (size_t)model.labels.count * sizeof *one)
                       : !other,
                   "a saved model predicts otherwise");
        FUZZ_CHECK(!one == !!ex_failure(), "%s",
                   one ? ex_failure() : "it predicts nothing and did not say why");
        ex_failure_clear();
        free(one);
        free(other);
        remove(again);
        run_commands(&model);
    }
    ex_failure_clear();
    tc_model_free(&second);
    tc_model_free(&model);
}

/* ---- checkpoints ---- */

static void try_checkpoint(void)
{
    static const char *const words[] = {"<padding>", "<unknown>", "good", "bad"};
    static const int32_t ids[] = {2, 3, 1, 3};
    static const tc_row rows[] = {{.label = 1, .length = 2, .ids = ids},
                                  {.label = 0, .length = 1, .ids = ids + 3},
                                  {.label = 1, .length = 3, .ids = ids},
                                  {.label = 0, .length = 0, .ids = ids}};
    tc_model model = {.settings = {.embedding = 2,
                                   .hidden = 2,
                                   .encoder = TC_NO_ENCODER,
                                   .attention = TC_ADDITIVE,
                                   .max_length = 9}};
    const tc_train_config config = {.seed = 1,
                                    .epochs = 3,
                                    .batch_size = 2,
                                    .lr = 0.01,
                                    .first_rare_word = 4,
                                    .quiet = true,
                                    .average_steps = 1,
                                    .record_norms = true,
                                    .checkpoint = path,
                                    .checkpoint_interval = 1e6,
                                    .resume = true,
                                    .settings_json = "{\"seed\": \"1\"}"};
    tc_train_result result = {0};
    fuzz_build_model(&model, words, 4);
    const bool good = tc_fit(&model, (tc_slice){rows, 4}, (tc_slice){rows, 2}, &config, &result);
    FUZZ_CHECK(good == !ex_failure(), "%s", good ? ex_failure() : "it failed and did not say why");
    tc_train_result_free(&result);
    ex_failure_clear();
    tc_model_free(&model);
}

static void *allocate(size_t size) { return tg_realloc(NULL, size); }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, size};
    json_set_alloc_funcs(allocate, tg_free); /* so that the limit is one for JSON too */
    const bool checkpoint = fuzz_choose(&input, 2) == 1;
    fuzz_memory_limit(size, 256);
    fuzz_write_safetensors("file", &input);
    snprintf(path, sizeof path, "%s", fuzz_path("file"));
    snprintf(again, sizeof again, "%s", fuzz_path("again"));
    snprintf(page, sizeof page, "%s", fuzz_path("page.html"));
    if (checkpoint) try_checkpoint();
    else try_model();
    return 0;
}
