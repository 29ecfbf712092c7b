/* textclf: a text classifier on tapegrad. Results go to standard output, all else to standard error. */
#include "commands.h"
#include "../support/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int run(const tc_options *options)
{
    switch (options->command) {
    case TC_TRAIN: return tc_train(options);
    case TC_COMPARE: return tc_compare(options);
    case TC_CHECK: return tc_check(options);
    case TC_EVAL: return tc_eval(options);
    case TC_PREDICT: return tc_predict(options);
    case TC_ATTEND: return tc_attend(options);
    case TC_EXPLAIN: return tc_explain(options);
    case TC_STEP: return tc_step(options);
    case TC_TAPE: return tc_tape(options);
    }
    return TC_USAGE;
}

int main(int argc, char **argv)
{
    tc_options options;
    tc_parsed parsed = tc_options_parse(&options, argc, argv);
    int status = parsed == TC_RUN ? run(&options) : parsed == TC_HELP_SHOWN ? TC_DONE : TC_USAGE;
    /* What was printed may be stuck in a full disk or a closed pipe: then it is not done. */
    if ((fflush(stdout) || ferror(stdout)) && status == TC_DONE) {
        tc_fail("standard output: %s", strerror(errno));
        status = TC_FAILED;
    }
    if (tc_failure()) fprintf(stderr, "textclf: %s\n", tc_failure());
    return status;
}
