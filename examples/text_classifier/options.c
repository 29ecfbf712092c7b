#include "options.h"

#include "../support/failure.h"
#include "../support/files.h"
#include "builtin.h"
#include "commands.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The commands as bits. SHAPES marks what a training's result depends on, besides its data. */
enum {
    TRAIN = 1,
    COMPARE = 2,
    CHECK = 4,
    EVAL = 8,
    PREDICT = 16,
    ATTEND = 32,
    EXPLAIN = 64,
    STEP = 128,
    TAPE = 256,
    LEARN = TRAIN | COMPARE,
    READ = LEARN | EVAL | CHECK,
    SHAPES = 1 << 20,
    SHAPE = LEARN | SHAPES,
};

static const tc_command commands[] = {
    {"train", "[DATA]", "trains a model on DATA and saves it", 0, 1, tc_train, NULL, TRAIN,
     "textclf.safetensors"},
    {"compare", "[DATA]", "trains one model of each kind and shows a table", 0, 1, tc_compare, NULL,
     COMPARE, NULL},
    {"check", "DATA [DATA2]",
     "shows what is in DATA and what is odd about it, and what DATA2 shares with it", 1, 2,
     tc_check, NULL, CHECK, NULL},
    {"eval", "MODEL DATA", "measures a model on labelled data", 2, 2, NULL, tc_eval, EVAL, NULL},
    {"predict", "MODEL [TEXT]...", "labels each TEXT, or each line of standard input", 1, INT32_MAX,
     NULL, tc_predict, PREDICT, NULL},
    {"attend", "MODEL TEXT...", "shows where the model looks in each TEXT", 2, INT32_MAX, NULL,
     tc_attend, ATTEND, NULL},
    {"explain", "MODEL TEXT...", "shows by three measures what each word does to the answer", 2,
     INT32_MAX, NULL, tc_explain, EXPLAIN, NULL},
    {"step", "MODEL TEXT", "writes a page to step through the network, forward and backward", 2, 2,
     NULL, tc_step, STEP, "step.html"},
    {"tape", "MODEL TEXT", "prints the operators of the network with their values and gradients", 2,
     2, NULL, tc_tape, TAPE, NULL},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

#define HEADING EX_HEADING, 0, 0, 0, NULL, NULL, NULL
#define FLAG(field) EX_FLAG, offsetof(tc_options, field), 0, 0, NULL
#define TEXT(field) EX_TEXT, offsetof(tc_options, field), 0, 0, NULL
#define CHOICE(field, names) EX_CHOICE, offsetof(tc_options, field), 0, 0, names
#define INTEGER(field, least, most) EX_INTEGER, offsetof(tc_options, field), least, most, NULL
#define NUMBER(field, least, most) EX_NUMBER, offsetof(tc_options, field), least, most, NULL

static const ex_option rules[] = {
    {"Data", 0, READ, HEADING},
    {"text", 0, READ, TEXT(reading.text), "COLUMNS",
     "what is read, by name or number from 1; title,body are joined"},
    {"label", 0, READ, TEXT(reading.label), "COLUMN", "what is to be told, by name or number"},
    {"format", 0, READ, CHOICE(reading.format, tc_format_names), "FORMAT",
     "auto, tsv, csv, fasttext, label-text, text-label (auto)"},
    {"delimiter", 0, READ, TEXT(reading.delimiter), "CHAR",
     "between columns: a character, or the word tab"},
    {"header", 0, READ, CHOICE(reading.header, tc_header_names), "WHETHER",
     "whether the first row is names: auto, yes, no (auto)"},
    {"encoding", 0, READ, TEXT(reading.encoding), "NAME",
     "of the data: latin1, gb18030, utf-16 .. (utf-8)"},
    {"valid", 0, LEARN, TEXT(valid), "DATA",
     "chooses the best epoch; else a tenth of the rows, from 20 rows on"},
    {"test", 0, LEARN, TEXT(test), "DATA", "measures the finished model"},
    {"Words", 0, LEARN | CHECK, HEADING},
    {"tokens", 0, SHAPE | CHECK, CHOICE(tokenizer.kind, tc_token_names), "KIND",
     "words (and characters of Chinese and Japanese), or characters (words)"},
    {"stopwords", 0, SHAPE | CHECK, TEXT(stopwords), "LIST",
     "leaves words out: en or zh, words of grammar; or a file of words"},
    {"no-punctuation", 0, SHAPE | CHECK, FLAG(tokenizer.plain), NULL,
     "leaves punctuation and symbols out"},
    {"min-count", 0, SHAPE, INTEGER(min_count, 1, 1e9), "N",
     "how often a word must occur (2 from 1000 rows on, else 1)"},
    {"max-vocab", 0, SHAPE, INTEGER(max_vocab, 1, 1e9), "N",
     "words at most, the most frequent (all)"},
    {"longest", 0, SHAPE, INTEGER(settings.longest, 1, TC_MOST_LENGTH), "N",
     "tokens of a text, the rest is cut (1000)"},
    {"vectors", 0, SHAPE, TEXT(vectors), "FILE",
     "word vectors to start from: word2vec's, text or binary, or GloVe's, of --embedding's width"},
    {"frozen", 0, SHAPE, FLAG(frozen), NULL, "leaves the words' vectors as they are"},
    {"Model", 0, LEARN, HEADING},
    {"encoder", 0, SHAPE, CHOICE(settings.encoder, tc_encoder_names), "KIND",
     "lstm, bilstm, transformer or none (bilstm)"},
    {"attention", 0, SHAPE, CHOICE(settings.attention, tc_attention_names), "KIND",
     "additive, dot, scaled-dot, bilinear, cosine, euclidean, multihead or none (additive)"},
    {"embedding", 0, SHAPE, INTEGER(settings.embedding, 1, TC_MOST_WIDTH), "N",
     "width of a word's vector (128)"},
    {"hidden", 0, SHAPE, INTEGER(settings.hidden, 1, TC_MOST_WIDTH), "N",
     "width of each direction of the LSTM (128)"},
    {"max-pool", 0, SHAPE, FLAG(settings.max_pool), NULL,
     "beside the attention, the largest of each feature over the words"},
    {"ngrams", 0, SHAPE, INTEGER(settings.ngrams, 0, TC_MOST_RUN), "N",
     "beside the attention, a bag of words and of runs of up to N words (0: none)"},
    {"buckets", 0, SHAPE, INTEGER(settings.buckets, 1, TC_MOST_BUCKETS), "N",
     "that the bag's runs are hashed into (131072)"},
    {"Training", 0, LEARN, HEADING},
    {"seed", 0, SHAPE, INTEGER(schedule.seed, 0, 9e15), "N",
     "of all that is random (1); the same seed, the same model"},
    {"seeds", 0, LEARN, INTEGER(seeds, 1, 1000), "N",
     "trainings, with seeds from --seed on: mean and deviation (train 1, compare 3 of a kind)"},
    {"epochs", 0, SHAPE, INTEGER(schedule.epochs, 1, 1e6), "N", "passes over the data"},
    {"patience", 0, SHAPE, INTEGER(schedule.patience, 0, 1e6), "N",
     "stops after N epochs without a better one (10; 0: never)"},
    {"batch", 0, SHAPE, INTEGER(schedule.batch, 1, 65536), "N", "rows of a step (32)"},
    {"rate", 0, SHAPE, NUMBER(schedule.rate, 1e-9, 1), "X", "Adam's learning rate (0.001)"},
    {"warmup", 0, SHAPE, INTEGER(schedule.warmup, 0, 1e9), "N",
     "steps in which the rate rises to its height (0)"},
    {"dropout", 0, SHAPE, NUMBER(settings.dropout, 0, TC_MOST_DROPOUT), "X",
     "of embeddings and of what is classified (0.5)"},
    {"word-dropout", 0, SHAPE, NUMBER(schedule.word_dropout, 0, 0.99), "X",
     "how often a word is shown as unknown (0)"},
    {"decay", 0, SHAPE, NUMBER(schedule.decay, 0, 1), "X",
     "AdamW's decay of all weights but the tables of words (0)"},
    {"smoothing", 0, SHAPE, NUMBER(schedule.smoothing, 0, 1), "X",
     "of the labels: the share that goes to all alike (0)"},
    {"class-weight", 0, SHAPE, CHOICE(schedule.class_weight, tc_class_weight_names), "KIND",
     "none, or balanced: every label weighs as much, however rare it is (none)"},
    {"average", 0, SHAPE, INTEGER(schedule.average, 0, 1e9), "N",
     "measures and keeps the mean of the weights over about N steps (0: the weights)"},
    {"Files", 0, TRAIN, HEADING},
    {"output", 'o', TRAIN, TEXT(output), "MODEL", "the file to write (textclf.safetensors)"},
    {"report", 0, TRAIN, TEXT(report), "FILE.html",
     "a page to write: curves, confusions, attention, settings"},
    {"checkpoint", 0, TRAIN, TEXT(schedule.checkpoint), "FILE",
     "holds the training under way; it is gone once that has ended"},
    {"every", 0, TRAIN, NUMBER(schedule.every, 0, 1e6), "X",
     "seconds from one checkpoint to the next (30)"},
    {"resume", 0, TRAIN, FLAG(schedule.resume), NULL,
     "goes on where the checkpoint stands, to the same bits"},
    {"Options", 0, EVAL | PREDICT | ATTEND | EXPLAIN | STEP | TAPE, HEADING},
    {"output", 'o', ATTEND, TEXT(output), "FILE",
     "also draws a picture, FILE.png, or writes a page of all texts, FILE.html"},
    {"output", 'o', EXPLAIN, TEXT(output), "FILE.html", "also writes a page of all texts"},
    {"output", 'o', STEP, TEXT(output), "FILE.html", "the page (step.html)"},
    {"output", 'o', TAPE, TEXT(output), "FILE.dot", "also writes a graph for Graphviz's dot"},
    {"label", 0, STEP, TEXT(step_label), "NAME",
     "the label whose loss is taken (the model's answer)"},
    {"font", 0, ATTEND, TEXT(font), "FILE.ttf", "the first font to look for a character in"},
    {"top", 0, PREDICT, INTEGER(top, 1, 1e9), "K",
     "shows the K likeliest labels, the likeliest first (all, in order)"},
    {"json", 0, EVAL | PREDICT, FLAG(json), NULL, "prints JSON, an object on a line"},
    {.name = NULL},
};

/* ---- help ---- */

static void show_help(void)
{
    printf("textclf: a text classifier that shows where it looked\n\n");
    for (const tc_command *c = commands; c < commands + COMMANDS; c++)
        printf("  textclf %-8s%-17s%s\n", c->name, c->arguments, c->about);
    printf("\ntextclf COMMAND --help tells more, as textclf help COMMAND does; textclf --version "
           "says which this is.\n"
           "It exits with 0 when all is done, 1 when something failed, 2 after a wrong command "
           "line, 130 after Ctrl-C.\n");
}

static void show_command_help(const tc_command *command)
{
    printf("textclf %s [OPTION]... %s: %s\n\n", command->name, command->arguments, command->about);
    ex_options_show(rules, command->bit);
    if (command->bit & READ) {
        printf("\nDATA is a file in UTF-8, or - for standard input: TSV (without a header the "
               "label follows the last tab), CSV with\n"
               "quotes as in RFC 4180, or fastText's lines, all of which are recognised, as are a "
               "header and its columns; lines of a\n"
               "label and a text or the reverse with --format; how a file was read is said. These "
               "options hold for all data of a\n"
               "call, but not for what is built in:\n");
        for (size_t i = 0; i < tc_builtin_count; i++)
            printf("  %-22s %s\n", tc_builtins[i].name, tc_builtins[i].about);
    }
    if (command->bit == EXPLAIN) putchar('\n'), tc_explain_terms();
    if (command->bit == COMPARE) {
        printf("\nWithout --encoder and --attention: every attention on bilstm, and each other "
               "encoder with additive attention\n"
               "and without. With one of them or both: all kinds that agree with it.\n");
    }
    if (command->bit & LEARN) {
        printf("\nWithout DATA it is builtin:reviews. A builtin is tested on its held-out part "
               "unless --test is given.\n"
               "Without --epochs there are as many as make %d steps, from %d to %d.\n",
               TC_DEFAULT_STEPS, TC_LEAST_EPOCHS, TC_MOST_EPOCHS);
    }
}

/* ---- parsing ---- */

json_t *tc_options_plan(const tc_options *options)
{
    json_t *plan = json_object();
    for (const ex_option *o = rules; o->name; o++) {
        char number[32];
        const char *value = o->commands & SHAPES ? ex_option_value(o, options, number) : NULL;
        if (o->commands & SHAPES &&
            json_object_set_new(plan, o->name, json_string(value ? value : "not given"))) {
            ex_fail("--%s %s: it is no UTF-8 text", o->name, value); /* or memory failed before */
        }
    }
    if (!ex_failure()) return plan;
    json_decref(plan);
    return NULL;
}

bool tc_options_files(const tc_options *options)
{
    enum { WRITTEN = 3, FILES = 9 };
    const char *const files[FILES] = {
        options->output,
        options->report,
        options->schedule.checkpoint,
        options->valid,
        options->test,
        options->vectors,
        options->stopwords,
        options->font,
        options->argument_count ? options->arguments[0] : NULL, /* data, or a model */
    };
    for (int i = 0; i < WRITTEN; i++) {
        for (int k = i + 1; files[i] && k < FILES; k++) {
            if (!files[k] || !ex_same_file(files[i], files[k])) continue;
            return ex_fail(
                k < WRITTEN
                    ? "%s: two files of the same name are to be written"
                    : "%s: it is to be read and to be written: give what is written another name",
                files[i]);
        }
    }
    return true;
}

static const tc_command *find_command(const char *name)
{
    for (const tc_command *c = commands; name && c < commands + COMMANDS; c++) {
        if (!strcmp(name, c->name)) return c;
    }
    ex_fail(name ? "%s: no such command" : "no command%s", name ? name : "");
    return NULL;
}

ex_parsed tc_options_parse(tc_options *options, int argc, char **argv)
{
    *options = (tc_options){
        .words = argv,
        .settings = {.embedding = 128,
                     .hidden = 128,
                     .encoder = TC_BILSTM,
                     .attention = TC_ADDITIVE,
                     .dropout = 0.5,
                     .longest = 1000,
                     .buckets = 131072},
        .schedule = {.seed = 1, .batch = 32, .patience = 10, .rate = 1e-3, .every = 30},
    };
    const char *first = argc > 1 ? argv[1] : "";
    const bool help = !strcmp(first, "help"); /* help COMMAND is COMMAND --help */
    if (!strcmp(first, "--version")) return printf("textclf %s\n", TEXTCLF_VERSION), EX_HELP;
    if (!strcmp(first, "--help") || !strcmp(first, "-h") || (help && argc == 2))
        return show_help(), EX_HELP;
    const tc_command *command = find_command(argv[1 + help]);
    if (!command) return EX_WRONG;
    options->command = command;
    options->output = command->output;
    if (command->bit == COMPARE) options->settings.encoder = options->settings.attention = -1;
    argc--, argv++;
    const ex_parsed parsed = help ? EX_HELP
                                  : ex_options_read(options, rules, command->bit, &argc, &argv);
    if (parsed == EX_HELP) show_command_help(command);
    options->arguments = argv;
    options->argument_count = argc;
    if (parsed == EX_OK && (argc < command->least || argc > command->most)) {
        return ex_fail("%s takes %s", command->name, command->arguments), EX_WRONG;
    }
    return parsed;
}
