/* textclf tape: prints the tape of one text, forward and backward, as a table, and writes it as a
 * graph for Graphviz. */
#include "commands.h"

#include "../../support/failure.h"
#include "../../support/files.h"
#include "../model/analysis.h"

#include <stdio.h>

/* False if there was no memory to show the tape. If the stream failed, closing it reports that. */
static bool shown(const tg_tape *tape, bool good)
{
    const char *error = tg_tape_error(tape);
    return good || !error || ex_fail("%s", error);
}

static bool write_graph(tg_tape *tape, const char *path)
{
    ex_output output;
    FILE *stream = ex_output_open(&output, path);
    const bool drawn = stream && shown(tape, tg_tape_write_dot(tape, stream));
    return ex_output_close(&output, drawn) && printf("written: %s\n", path) > 0;
}

/* The true label is not known, so the loss is that of the predicted label. */
bool tc_tape(tc_model *model, const tc_options *options)
{
    const char *path = options->output;
    tc_analysis analysis = {0};
    if (path && !ex_has_suffix(path, ".dot"))
        return ex_fail("%s: tape writes a graph; give -o FILE.dot", path);
    tg_tape *tape = tg_tape_new(0);
    bool good = (!path || ex_output_check(path)) &&
                tc_analysis_compute(&analysis, model, options->arguments[1], false);
    if (good) {
        tg_tape_set_training(tape, false);
        tg_tensor *logits = tc_model_forward(tape, model, analysis.batch, NULL);
        good = tg_backward(tape, tg_cross_entropy(tape, logits, tg_ints_1d(&analysis.best, 1))) ||
               ex_fail("%s", tg_tape_error(tape));
    }
    good = good && shown(tape, tg_tape_print(tape, stdout)) && (!path || write_graph(tape, path));
    tg_tape_free(tape);
    tc_analysis_free(&analysis);
    return good;
}
