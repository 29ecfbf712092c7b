#include "options.h"

#include "builtin.h"
#include "commands.h"
#include "model.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct command_rule {
    tc_command command;
    const char *name, *arguments, *about;
    int least, most; /* arguments */
} command_rule;

static const command_rule commands[] = {
    {TC_TRAIN, "train", "[DATA]", "trains a model on DATA and saves it", 0, 1},
    {TC_COMPARE, "compare", "[DATA]", "trains one model of each kind and shows a table", 0, 1},
    {TC_CHECK, "check", "DATA [DATA2]", "shows what is in DATA and what is odd about it, and what DATA2 shares with it", 1, 2},
    {TC_EVAL, "eval", "MODEL DATA", "measures a model on labelled data", 2, 2},
    {TC_PREDICT, "predict", "MODEL [TEXT]...", "labels each TEXT, or each line of standard input", 1, INT32_MAX},
    {TC_ATTEND, "attend", "MODEL TEXT...", "shows where the model looks in each TEXT", 2, INT32_MAX},
    {TC_EXPLAIN, "explain", "MODEL TEXT...", "shows by three measures what each word does to the answer", 2, INT32_MAX},
    {TC_STEP, "step", "MODEL TEXT", "writes a page to step through the network, forward and backward", 2, 2},
    {TC_TAPE, "tape", "MODEL TEXT", "prints the operators of the network with their values and gradients", 2, 2},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

typedef enum kind { HEADING, TEXT, INTEGER, NUMBER, FLAG, HELP, ENCODER, ATTENTION, FORMAT, HEADER, CLASS_WEIGHT, TOKENS } kind;

static const char *const class_weights[] = {"balanced", NULL}, *const tokens[] = {"words", "characters", NULL};
static const char *const *const choices[] = {[ENCODER] = tc_encoder_names, [ATTENTION] = tc_attention_names,
                                             [FORMAT] = tc_format_names, [HEADER] = tc_header_names,
                                             [CLASS_WEIGHT] = class_weights, [TOKENS] = tokens};

/* SHAPES marks what a training's result depends on, besides its data. */
enum { TC_LEARN = TC_TRAIN | TC_COMPARE, TC_READ = TC_LEARN | TC_EVAL | TC_CHECK, SHAPES = 1 << 20, TC_SHAPE = TC_LEARN | SHAPES };

typedef struct option_rule {
    const char *name; /* of a HEADING, what stands over the options that follow */
    char letter;   /* of the short form, or 0 */
    unsigned commands;
    kind kind;
    size_t field;  /* of tc_options */
    double least, most;
    const char *argument, *about;
} option_rule;

#define FIELD(name) offsetof(tc_options, name)

static const option_rule rules[] = {
    {"Data", 0, TC_READ, HEADING, 0, 0, 0, NULL, NULL},
    {"text", 0, TC_READ, TEXT, FIELD(reading.text), 0, 0, "COLUMNS", "what is read, by name or number from 1; title,body are joined"},
    {"label", 0, TC_READ, TEXT, FIELD(reading.label), 0, 0, "COLUMN", "what is to be told, by name or number"},
    {"format", 0, TC_READ, FORMAT, FIELD(reading.format), 0, 0, "FORMAT", "auto, tsv, csv, fasttext, label-text, text-label (auto)"},
    {"delimiter", 0, TC_READ, TEXT, FIELD(reading.delimiter), 0, 0, "CHAR", "between columns: a character, or the word tab"},
    {"header", 0, TC_READ, HEADER, FIELD(reading.header), 0, 0, "WHETHER", "whether the first row is names: auto, yes, no (auto)"},
    {"encoding", 0, TC_READ, TEXT, FIELD(reading.encoding), 0, 0, "NAME", "of the data: latin1, gb18030, utf-16 .. (utf-8)"},
    {"valid", 0, TC_LEARN, TEXT, FIELD(valid), 0, 0, "DATA", "chooses the best epoch; else a tenth of the rows, from 20 rows on"},
    {"test", 0, TC_LEARN, TEXT, FIELD(test), 0, 0, "DATA", "measures the finished model"},
    {"Words", 0, TC_LEARN | TC_CHECK, HEADING, 0, 0, 0, NULL, NULL},
    {"tokens", 0, TC_SHAPE | TC_CHECK, TOKENS, FIELD(tokens), 0, 0, "KIND", "words (and characters of Chinese and Japanese), or characters (words)"},
    {"stopwords", 0, TC_SHAPE | TC_CHECK, TEXT, FIELD(stopwords), 0, 0, "LIST", "leaves words out: en or zh, words of grammar; or a file of words"},
    {"no-punctuation", 0, TC_SHAPE | TC_CHECK, FLAG, FIELD(no_punctuation), 0, 0, NULL, "leaves punctuation and symbols out"},
    {"min-count", 0, TC_SHAPE, INTEGER, FIELD(min_count), 1, 1e9, "N", "how often a word must occur (2 from 1000 rows on, else 1)"},
    {"max-vocab", 0, TC_SHAPE, INTEGER, FIELD(max_vocab), 1, 1e9, "N", "words at most, the most frequent (all)"},
    {"longest", 0, TC_SHAPE, INTEGER, FIELD(longest), 1, TC_MOST_LENGTH, "N", "tokens of a text, the rest is cut (1000)"},
    {"vectors", 0, TC_SHAPE, TEXT, FIELD(vectors), 0, 0, "FILE", "word vectors to start from: word2vec's, text or binary, or GloVe's, of --embedding's width"},
    {"frozen", 0, TC_SHAPE, FLAG, FIELD(frozen), 0, 0, NULL, "leaves the words' vectors as they are"},
    {"Model", 0, TC_LEARN, HEADING, 0, 0, 0, NULL, NULL},
    {"encoder", 0, TC_SHAPE, ENCODER, FIELD(encoder), 0, 0, "KIND", "lstm, bilstm, transformer or none (bilstm)"},
    {"attention", 0, TC_SHAPE, ATTENTION, FIELD(attention), 0, 0, "KIND", "additive, dot, scaled-dot, bilinear, cosine, euclidean, multihead or none (additive)"},
    {"embedding", 0, TC_SHAPE, INTEGER, FIELD(embedding), 1, TC_MOST_WIDTH, "N", "width of a word's vector (128)"},
    {"hidden", 0, TC_SHAPE, INTEGER, FIELD(hidden), 1, TC_MOST_WIDTH, "N", "width of each direction of the LSTM (128)"},
    {"max-pool", 0, TC_SHAPE, FLAG, FIELD(max_pool), 0, 0, NULL, "beside the attention, the largest of each feature over the words"},
    {"ngrams", 0, TC_SHAPE, INTEGER, FIELD(ngrams), 0, TC_MOST_RUN, "N", "beside the attention, a bag of words and of runs of up to N words (0: none)"},
    {"buckets", 0, TC_SHAPE, INTEGER, FIELD(buckets), 1, TC_MOST_BUCKETS, "N", "that the bag's runs are hashed into (131072)"},
    {"Training", 0, TC_LEARN, HEADING, 0, 0, 0, NULL, NULL},
    {"seed", 0, TC_SHAPE, INTEGER, FIELD(seed), 0, 9e15, "N", "of all that is random (1); the same seed, the same model"},
    {"seeds", 0, TC_LEARN, INTEGER, FIELD(seeds), 1, 1000, "N", "trainings, with seeds from --seed on: mean and deviation (train 1, compare 3 of a kind)"},
    {"epochs", 0, TC_SHAPE, INTEGER, FIELD(epochs), 1, 1e6, "N", "passes over the data"},
    {"patience", 0, TC_SHAPE, INTEGER, FIELD(patience), 0, 1e6, "N", "stops after N epochs without a better one (10; 0: never)"},
    {"batch", 0, TC_SHAPE, INTEGER, FIELD(batch), 1, 65536, "N", "rows of a step (32)"},
    {"rate", 0, TC_SHAPE, NUMBER, FIELD(rate), 1e-9, 1, "X", "Adam's learning rate (0.001)"},
    {"warmup", 0, TC_SHAPE, INTEGER, FIELD(warmup), 0, 1e9, "N", "steps in which the rate rises to its height (0)"},
    {"dropout", 0, TC_SHAPE, NUMBER, FIELD(dropout), 0, 0.99, "X", "of embeddings and of what is classified (0.5)"},
    {"word-dropout", 0, TC_SHAPE, NUMBER, FIELD(word_dropout), 0, 0.99, "X", "how often a word is shown as unknown (0)"},
    {"decay", 0, TC_SHAPE, NUMBER, FIELD(decay), 0, 1, "X", "AdamW's decay of all weights but the tables of words (0)"},
    {"smoothing", 0, TC_SHAPE, NUMBER, FIELD(smoothing), 0, 1, "X", "of the labels: the share that goes to all alike (0)"},
    {"class-weight", 0, TC_SHAPE, CLASS_WEIGHT, FIELD(class_weight), 0, 0, "KIND", "balanced: every label weighs as much, however rare it is"},
    {"average", 0, TC_SHAPE, INTEGER, FIELD(average), 0, 1e9, "N", "measures and keeps the mean of the weights over about N steps (0: the weights)"},
    {"Files", 0, TC_TRAIN, HEADING, 0, 0, 0, NULL, NULL},
    {"output", 'o', TC_TRAIN, TEXT, FIELD(output), 0, 0, "MODEL", "the file to write (textclf.safetensors)"},
    {"report", 0, TC_TRAIN, TEXT, FIELD(report), 0, 0, "FILE.html", "a page to write: curves, confusions, attention, settings"},
    {"checkpoint", 0, TC_TRAIN, TEXT, FIELD(checkpoint), 0, 0, "FILE", "holds the training under way; it is gone once that has ended"},
    {"every", 0, TC_TRAIN, NUMBER, FIELD(every), 0, 1e6, "X", "seconds from one checkpoint to the next (30)"},
    {"resume", 0, TC_TRAIN, FLAG, FIELD(resume), 0, 0, NULL, "goes on where the checkpoint stands, to the same bits"},
    {"Options", 0, TC_EVAL | TC_PREDICT | TC_ATTEND | TC_EXPLAIN | TC_STEP | TC_TAPE, HEADING, 0, 0, 0, NULL, NULL},
    {"output", 'o', TC_ATTEND, TEXT, FIELD(output), 0, 0, "FILE", "also draws a picture, FILE.png, or writes a page of all texts, FILE.html"},
    {"output", 'o', TC_EXPLAIN, TEXT, FIELD(output), 0, 0, "FILE.html", "also writes a page of all texts"},
    {"output", 'o', TC_STEP, TEXT, FIELD(output), 0, 0, "FILE.html", "the page (step.html)"},
    {"output", 'o', TC_TAPE, TEXT, FIELD(output), 0, 0, "FILE.dot", "also writes a graph for Graphviz's dot"},
    {"label", 0, TC_STEP, TEXT, FIELD(step_label), 0, 0, "NAME", "the label whose loss is taken (the model's answer)"},
    {"font", 0, TC_ATTEND, TEXT, FIELD(font), 0, 0, "FILE.ttf", "the first font to look for a character in"},
    {"top", 0, TC_PREDICT, INTEGER, FIELD(top), 1, 1e9, "K", "shows the K likeliest labels, the likeliest first (all, in order)"},
    {"json", 0, TC_EVAL | TC_PREDICT, FLAG, FIELD(json), 0, 0, NULL, "prints JSON, an object on a line"},
    {"help", 'h', TC_READ | TC_PREDICT | TC_ATTEND | TC_EXPLAIN | TC_STEP | TC_TAPE, HELP, 0, 0, 0, NULL, "shows this"},
};
enum { RULES = sizeof rules / sizeof *rules };

/* ---- help ---- */

static void show_help(void)
{
    printf("textclf: a text classifier that shows where it looked\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        printf("  textclf %-8s%-17s%s\n", commands[i].name, commands[i].arguments, commands[i].about);
    }
    printf("\ntextclf COMMAND --help tells more.\n"
           "It exits with 0 when all is done, 1 when something failed, 2 after a wrong command line, 130 after Ctrl-C.\n");
}

static void show_command_help(const command_rule *command)
{
    printf("textclf %s [OPTION]... %s: %s\n\n", command->name, command->arguments, command->about);
    for (const option_rule *r = rules; r < rules + RULES; r++) {
        if (!(r->commands & command->command)) continue;
        if (r->kind == HEADING) printf("%s\n", r->name);
        else printf("  %c%c%c --%-15s%-9s %s\n", r->letter ? '-' : ' ', r->letter ? r->letter : ' ', r->letter ? ',' : ' ', r->name,
                    r->argument ? r->argument : "", r->about);
    }
    if (command->command & TC_READ) {
        printf("\nDATA is a file in UTF-8, or - for standard input: TSV (without a header the label follows the last tab), CSV with\n"
               "quotes as in RFC 4180, or fastText's lines, all of which are recognised, as are a header and its columns; lines of a\n"
               "label and a text or the reverse with --format; how a file was read is said. These options hold for all data of a\n"
               "call, but not for what is built in:\n");
        for (size_t i = 0; i < tc_builtin_count; i++) printf("  %-22s %s\n", tc_builtins[i].name, tc_builtins[i].about);
    }
    if (command->command == TC_EXPLAIN) printf("\n%s", tc_explain_rule);
    if (command->command == TC_COMPARE) {
        printf("\nWithout --encoder and --attention: every attention on bilstm, and each other encoder with additive attention\n"
               "and without. With one of them or both: all kinds that agree with it.\n");
    }
    if (command->command & TC_LEARN) {
        printf("\nWithout DATA it is builtin:reviews. A builtin is tested on its held-out part unless --test is given.\n"
               "Without --epochs there are as many as make %d steps, from %d to %d.\n",
               TC_DEFAULT_STEPS, TC_LEAST_EPOCHS, TC_MOST_EPOCHS);
    }
}

/* ---- parsing ---- */

static tc_parsed usage(const char *command, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

/* Says what is wrong with the command line; `command` may be NULL. */
static tc_parsed usage(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "textclf: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "; see textclf %s%s--help\n", command ? command : "", command ? " " : "");
    va_end(arguments);
    return TC_USAGE_ERROR;
}

/* Stores an option's value where its rule says. */
static tc_parsed store(tc_options *options, const command_rule *command, const option_rule *rule, char *value)
{
    char *field = (char *)options + rule->field, *end = value; /* no value: a flag */
    errno = 0;
    if (rule->kind == TEXT) {
        if (!*value) return usage(command->name, "--%s needs a value that is not empty", rule->name);
        *(const char **)(void *)field = value;
    } else if (rule->kind >= ENCODER) {
        int chosen = tc_kind(choices[rule->kind], value);
        if (chosen < 0) return usage(command->name, "--%s %s: it takes %s", rule->name, value, rule->about);
        *(int *)(void *)field = chosen;
    } else if (rule->kind == FLAG) {
        *(bool *)(void *)field = true;
    } else if (rule->kind == INTEGER) {
        long long number = strtoll(value, &end, 10);
        if (end == value || *end || errno || (double)number < rule->least || (double)number > rule->most) {
            return usage(command->name, "--%s %s: it takes an integer from %.0f to %.0f", rule->name, value, rule->least,
                         rule->most);
        }
        *(int64_t *)(void *)field = number;
    } else {
        double number = strtod(value, &end);
        if (end == value || *end || !(number >= rule->least && number <= rule->most)) {
            return usage(command->name, "--%s %s: it takes a number from %g to %g", rule->name, value, rule->least,
                         rule->most);
        }
        *(double *)(void *)field = number;
    }
    return TC_RUN;
}

/* What getopt_long is told of a rule, and tells of what it found. */
static int code_of(const option_rule *rule)
{
    return rule->letter ? rule->letter : 256 + (int)(rule - rules);
}

static const option_rule *find_rule(const command_rule *command, int code)
{
    for (const option_rule *r = rules; r < rules + RULES; r++) {
        if (r->kind != HEADING && code_of(r) == code && (r->commands & command->command)) return r;
    }
    return NULL;
}

json_t *tc_options_plan(const tc_options *options)
{
    json_t *plan = json_object();
    for (const option_rule *r = rules; r < rules + RULES; r++) {
        const void *field = (const char *)options + r->field;
        char number[64];
        const char *text = number;
        if (!(r->commands & SHAPES)) continue;
        if (r->kind == TEXT) text = *(const char *const *)field;
        else if (r->kind == INTEGER) snprintf(number, sizeof number, "%lld", (long long)*(const int64_t *)field);
        else if (r->kind == NUMBER) snprintf(number, sizeof number, "%.17g", *(const double *)field);
        else if (r->kind == FLAG) text = *(const bool *)field ? "on" : "off";
        else text = *(const int *)field < 0 ? NULL : choices[r->kind][*(const int *)field];
        json_object_set_new(plan, r->name, json_string(text ? text : "not given"));
    }
    return plan;
}

/* Reads the options of `command`; argv[0] is its name. */
static tc_parsed parse_options(tc_options *options, const command_rule *command, int argc, char **argv)
{
    struct option known[RULES + 1] = {{0}};
    int count = 0, code;
    for (const option_rule *r = rules; r < rules + RULES; r++) {
        if (r->kind != HEADING && (r->commands & command->command)) {
            known[count++] = (struct option){r->name, r->argument ? required_argument : no_argument, NULL, code_of(r)};
        }
    }
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":ho:", known, NULL)) != -1) {
        const option_rule *rule = find_rule(command, code);
        if (code == ':') return usage(command->name, "%s needs a value", argv[optind - 1]);
        if (!rule) return usage(command->name, "%s %s: no such option", command->name, argv[optind - 1]);
        if (rule->kind == HELP) {
            show_command_help(command);
            return TC_HELP_SHOWN;
        }
        tc_parsed parsed = store(options, command, rule, optarg);
        if (parsed != TC_RUN) return parsed;
    }
    options->arguments = argv + optind;
    options->argument_count = argc - optind;
    return TC_RUN;
}

tc_parsed tc_options_parse(tc_options *options, int argc, char **argv)
{
    *options = (tc_options){.seed = 1, .batch = 32, .patience = 10, .embedding = 128, .hidden = 128, .longest = 1000, .buckets = 131072, .rate = 1e-3,
                            .dropout = 0.5, .every = 30, .encoder = -1, .attention = -1, .class_weight = -1};
    if (argc < 2) return usage(NULL, "no command");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        show_help();
        return TC_HELP_SHOWN;
    }
    const command_rule *command = NULL;
    for (int i = 0; i < COMMANDS; i++) {
        if (!strcmp(argv[1], commands[i].name)) command = &commands[i];
    }
    if (!command) return usage(NULL, "%s: no such command", argv[1]);
    options->command = command->command;
    options->words = argv;
    tc_parsed parsed = parse_options(options, command, argc - 1, argv + 1);
    if (parsed != TC_RUN) return parsed;
    if (options->argument_count < command->least || options->argument_count > command->most) {
        return usage(command->name, "%s takes %s", command->name, command->arguments);
    }
    return TC_RUN;
}
