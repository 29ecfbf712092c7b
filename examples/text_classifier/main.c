/* textclf: a text classifier on tapegrad. Results go to standard output, all else to standard error. */
#include "../support/failure.h"
#include "commands.h"
#include "ranks.h"

#include <stdio.h>

static int run(const tc_options *options)
{
    if (options->command->run) tc_ranks_begin();
    if (!tc_options_files(options)) return TC_FAILED;
    if (options->command->run) return options->command->run(options);
    tc_model model = {0};
    const bool good = tc_model_load(&model, options->arguments[0]) &&
                      options->command->ask(&model, options);
    tc_model_free(&model);
    return good ? TC_DONE : TC_FAILED;
}

int main(int argc, char **argv)
{
    ex_begin();
    tc_options options;
    char help[64] = "";
    const ex_parsed parsed = tc_options_parse(&options, argc, argv);
    if (parsed == EX_OK) return tc_ranks_end(run(&options));
    if (parsed == EX_HELP) return ex_end("textclf", TC_DONE, NULL);
    const char *command = options.command ? options.command->name : "";
    snprintf(help, sizeof help, "; see textclf %s%s--help", command, *command ? " " : "");
    return ex_end("textclf", TC_USAGE, help);
}
