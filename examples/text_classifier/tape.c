/* textclf tape: the tape of one text, forward and backward, as a table, and as a graph for Graphviz. */
#include "commands.h"
#include "../support/failure.h"
#include "../support/files.h"
#include "look.h"

#include <stdio.h>
#include <stdlib.h>

static bool write_graph(const tg_tape *tape, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    bool good = stream && tg_tape_write_dot(tape, stream);
    if (stream && fclose(stream)) good = false;
    good = good ? tc_file_write(path, text, size) : tc_fail("out of memory: a graph");
    free(text);
    return good && printf("written: %s\n", path) > 0;
}

/* The loss is of the model's own answer, as nobody said what is right. */
static bool walk(tg_tape *tape, const tc_model *model, const tc_seen *seen, const char *path)
{
    tc_batches batches;
    if (!tc_batches_init(&batches, (tc_part){seen->data.rows, 1}, 1)) return false;
    tg_tape_set_training(tape, false);
    tg_tensor *logits = tc_model_forward(tape, model, tc_batches_get(&batches, 0), NULL);
    tc_batches_free(&batches);
    if (!tg_backward(tape, tg_cross_entropy(tape, logits, tg_ints_1d(&seen->view.best, 1)))) {
        return tc_fail("%s", tg_tape_error(tape));
    }
    return (tg_tape_print(tape, stdout) || tc_fail("the tape cannot be shown")) && (!path || write_graph(tape, path));
}

int tc_tape(const tc_options *options)
{
    tc_model model = {0};
    tc_seen seen = {0};
    tg_tape *tape = tg_tape_new(0);
    const bool good = tc_model_load(&model, options->arguments[0]) && (!options->output || tc_output_check(options->output)) &&
                      tc_see(&seen, &model, options->arguments[1], false) && walk(tape, &model, &seen, options->output);
    tg_tape_free(tape);
    tc_seen_free(&seen);
    tc_model_free(&model);
    return good ? TC_DONE : TC_FAILED;
}
