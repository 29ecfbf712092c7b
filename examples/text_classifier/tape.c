/* textclf tape: the tape of one text, forward and backward, as a table, and as a graph for Graphviz. */
#include "commands.h"
#include "../support/failure.h"
#include "../support/files.h"
#include "look.h"

#include <stdio.h>

static bool write_graph(const tg_tape *tape, const char *path)
{
    ex_output output;
    FILE *stream = ex_output_open(&output, path);
    const bool drawn = stream &&
                       (tg_tape_write_dot(tape, stream) ||
                        ex_fail("out of memory: %zu bytes to draw %s", tg_bytes_refused(), path));
    return ex_output_close(&output, drawn) && printf("written: %s\n", path) > 0;
}

/* The loss is of the model's own answer, as nobody said what is right. */
bool tc_tape(tc_model *model, const tc_options *options)
{
    const char *path = options->output;
    tc_seen seen = {0};
    if (path && !ex_has_suffix(path, ".dot"))
        return ex_fail("%s: tape writes a graph: give -o FILE.dot", path);
    tg_tape *tape = tg_tape_new(0);
    bool good = (!path || ex_output_check(path)) &&
                tc_see(&seen, model, options->arguments[1], false);
    if (good) {
        tg_tape_set_training(tape, false);
        tg_tensor *logits = tc_model_forward(tape, model, seen.batch, NULL);
        good = tg_backward(tape, tg_cross_entropy(tape, logits, tg_ints_1d(&seen.best, 1))) ||
               ex_fail("%s", tg_tape_error(tape));
    }
    good = good &&
           (tg_tape_print(tape, stdout) ||
            ex_fail("out of memory: %zu bytes to show the tape", tg_bytes_refused())) &&
           (!path || write_graph(tape, path));
    tg_tape_free(tape);
    tc_seen_free(&seen);
    return good;
}
