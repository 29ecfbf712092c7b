/* textclf: a text classifier on tapegrad. Results go to standard output, everything else to
 * standard error. */
#include "../../support/failure.h"
#include "../training/ranks.h"
#include "commands.h"

#include <stdio.h>

static int execute(const tc_options *options)
{
    const tc_command *command = options->command;
    if (command->execute) tc_ranks_begin();
    if (!tc_options_check_files(options)) return TC_EXIT_FAILED;
    if (command->execute) return command->execute(options);
    tc_model model = {0};
    const bool good = tc_model_load(&model, options->arguments[0]) &&
                      command->use_model(&model, options);
    tc_model_free(&model);
    return good ? TC_EXIT_OK : TC_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    ex_begin();
    tc_options options;
    char help[64] = "";
    const ex_parsed parsed = tc_options_parse(&options, argc, argv);
    if (parsed == EX_OK) return tc_ranks_end(execute(&options));
    if (parsed == EX_HELP) return ex_end("textclf", TC_EXIT_OK, NULL);
    const char *command = options.command ? options.command->name : "";
    snprintf(help, sizeof help, "; see textclf %s%s--help", command, *command ? " " : "");
    return ex_end("textclf", TC_EXIT_USAGE, help);
}
