#include "options.h"

#include "../../support/failure.h"
#include "../../support/files.h"
#include "../data/builtin.h"
#include "commands.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The commands as bits. RECORDED marks the options that the trained model depends on: checkpoints
 * and reports record them. */
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
    RECORDED = 1 << 20,
    SETTING = LEARN | RECORDED,
};

static const tc_command commands[] = {
    {"train", "[DATA]", "train a model on DATA and save it", 0, 1, tc_train, NULL, TRAIN,
     "textclf.safetensors"},
    {"compare", "[DATA]", "train a model of each kind and print a table of their accuracies", 0, 1,
     tc_compare, NULL, COMPARE, NULL},
    {"check", "DATA [DATA2]", "describe DATA, its defects, and what DATA2 shares with it", 1, 2,
     tc_check, NULL, CHECK, NULL},
    {"eval", "MODEL DATA", "measure a model on labelled data", 2, 2, NULL, tc_eval, EVAL, NULL},
    {"predict", "MODEL [TEXT]...",
     "predict the label of each TEXT, or of each line of standard input", 1, INT32_MAX, NULL,
     tc_predict, PREDICT, NULL},
    {"attend", "MODEL TEXT...", "show the attention weight of each word of TEXT", 2, INT32_MAX,
     NULL, tc_attend, ATTEND, NULL},
    {"explain", "MODEL TEXT...", "show how much each word of TEXT contributes, by three measures",
     2, INT32_MAX, NULL, tc_explain, EXPLAIN, NULL},
    {"step", "MODEL TEXT", "write a page that steps through the network, forward and backward", 2,
     2, NULL, tc_step, STEP, "step.html"},
    {"tape", "MODEL TEXT", "print the operators of the network with their values and gradients", 2,
     2, NULL, tc_tape, TAPE, NULL},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

#define FIELD(name) offsetof(tc_options, name)
#define HEADING EX_HEADING, 0, 0, 0, NULL, NULL, NULL
#define FLAG(name) EX_FLAG, FIELD(name), 0, 0, NULL
#define TEXT(name) EX_TEXT, FIELD(name), 0, 0, NULL
#define CHOICE(name, choices) EX_CHOICE, FIELD(name), 0, 0, choices
#define INTEGER(name, min, max) EX_INTEGER, FIELD(name), min, max, NULL
#define NUMBER(name, min, max) EX_NUMBER, FIELD(name), min, max, NULL

static const ex_option option_table[] = {
    {"Data", 0, READ, HEADING},
    {"text", 0, READ, TEXT(config.read.text), "COLUMNS",
     "columns of the text, by name or number from 1; title,body are joined"},
    {"label", 0, READ, TEXT(config.read.label), "COLUMN", "column of the label, by name or number"},
    {"format", 0, READ, CHOICE(config.read.format, tc_format_names), "FORMAT",
     "auto, tsv, csv, fasttext, label-text or text-label (auto)"},
    {"delimiter", 0, READ, TEXT(config.read.delimiter), "CHAR",
     "character between columns, or the word tab"},
    {"header", 0, READ, CHOICE(config.read.header, tc_header_names), "CHOICE",
     "the first row is a header: auto, yes or no (auto)"},
    {"encoding", 0, READ, TEXT(config.read.encoding), "NAME",
     "encoding of the data, such as latin1, gb18030 or utf-16 (utf-8)"},
    {"valid", 0, LEARN, TEXT(config.valid), "DATA",
     "data to choose the best epoch (a tenth of DATA, if it has 20 rows or more)"},
    {"test", 0, LEARN, TEXT(config.test), "DATA", "data to measure the trained model"},
    {"Words", 0, LEARN | CHECK, HEADING},
    {"tokenizer", 0, SETTING | CHECK, CHOICE(config.tokenizer.kind, tc_token_names), "KIND",
     "words, or characters; Chinese and Japanese are always characters (words)"},
    {"stopwords", 0, SETTING | CHECK, TEXT(config.tokenizer.stopwords), "LIST",
     "leave out stop words: en or zh for function words, or a file of words"},
    {"no-punctuation", 0, SETTING | CHECK, FLAG(config.tokenizer.no_punctuation), NULL,
     "leave out punctuation and symbols"},
    {"min-count", 0, SETTING, INTEGER(config.min_count, 1, 1e9), "N",
     "leave out words that occur less often (2 from 1000 rows on, else 1)"},
    {"max-vocab", 0, SETTING, INTEGER(config.max_vocab, 1, 1e9), "N",
     "leave out all but the N most frequent words (no limit)"},
    {"max-length", 0, SETTING, INTEGER(config.settings.max_length, 1, TC_MAX_LENGTH), "N",
     "tokens of a text; longer texts are truncated (1000)"},
    {"vectors", 0, SETTING, TEXT(config.vectors), "FILE",
     "initial word vectors, as word2vec (text or binary) or GloVe writes them"},
    {"freeze-embedding", 0, SETTING, FLAG(config.freeze_embedding), NULL,
     "do not train the word vectors"},
    {"Model", 0, LEARN, HEADING},
    {"encoder", 0, SETTING, CHOICE(config.settings.encoder, tc_encoder_names), "KIND",
     "lstm, bilstm, transformer or none (bilstm)"},
    {"attention", 0, SETTING, CHOICE(config.settings.attention, tc_attention_names), "KIND",
     "additive, dot, scaled-dot, bilinear, cosine, euclidean, multihead or none (additive)"},
    {"embedding", 0, SETTING, INTEGER(config.settings.embedding, 1, TC_MAX_WIDTH), "N",
     "width of the word vectors (128)"},
    {"hidden", 0, SETTING, INTEGER(config.settings.hidden, 1, TC_MAX_WIDTH), "N",
     "width of each direction of the LSTM (128)"},
    {"max-pool", 0, SETTING, FLAG(config.settings.max_pool), NULL,
     "also use the maximum of each feature over the words"},
    {"ngrams", 0, SETTING, INTEGER(config.settings.ngrams, 0, TC_MAX_NGRAM), "N",
     "also use a bag of words and n-grams of up to N words (0: no bag)"},
    {"buckets", 0, SETTING, INTEGER(config.settings.buckets, 1, TC_MAX_BUCKETS), "N",
     "buckets that the n-grams are hashed into (131072)"},
    {"Training", 0, LEARN, HEADING},
    {"seed", 0, SETTING, INTEGER(config.training.seed, 0, 9e15), "N",
     "seed of all random numbers (1); the same seed gives the same model"},
    {"seeds", 0, LEARN, INTEGER(seeds, 1, 1000), "N",
     "train with N seeds from --seed on; print mean and deviation (train 1, compare 3)"},
    {"epochs", 0, SETTING, INTEGER(config.training.epochs, 1, 1e6), "N",
     "passes over the data, at most (see below)"},
    {"patience", 0, SETTING, INTEGER(config.training.patience, 0, 1e6), "N",
     "stop after N epochs without a better one (10; 0: never)"},
    {"batch-size", 0, SETTING, INTEGER(config.training.batch_size, 1, 65536), "N",
     "rows of a batch (32)"},
    {"lr", 0, SETTING, NUMBER(config.training.lr, 1e-9, 1), "X", "Adam's learning rate (0.001)"},
    {"warmup", 0, SETTING, INTEGER(config.training.warmup_steps, 0, 1e9), "N",
     "steps in which the learning rate rises from 0 (0)"},
    {"dropout", 0, SETTING, NUMBER(config.settings.dropout, 0, TC_MAX_DROPOUT), "X",
     "dropout of the embedded words and of the classifier's input (0.5)"},
    {"word-dropout", 0, SETTING, NUMBER(config.training.word_dropout, 0, 0.99), "X",
     "probability that a word is replaced by the unknown word (0)"},
    {"weight-decay", 0, SETTING, NUMBER(config.training.weight_decay, 0, 1), "X",
     "AdamW's weight decay, of all weights except the embeddings (0)"},
    {"label-smoothing", 0, SETTING, NUMBER(config.training.label_smoothing, 0, 1), "X",
     "share of each label that is spread over all labels (0)"},
    {"class-weight", 0, SETTING, CHOICE(config.training.class_weight, tc_class_weight_names),
     "KIND", "none, or balanced: rare labels weigh as much as frequent ones (none)"},
    {"average", 0, SETTING, INTEGER(config.training.average_steps, 0, 1e9), "N",
     "evaluate and save the mean of the weights over about N steps (0: no mean)"},
    {"Files", 0, TRAIN, HEADING},
    {"output", 'o', TRAIN, TEXT(output), "MODEL", "the model's file (textclf.safetensors)"},
    {"report", 0, TRAIN, TEXT(report), "FILE.html",
     "also write a page: curves, confusion matrix, attention, settings"},
    {"checkpoint", 0, TRAIN, TEXT(config.training.checkpoint), "FILE",
     "save the state of the training in FILE, which is removed at the end"},
    {"checkpoint-interval", 0, TRAIN, NUMBER(config.training.checkpoint_interval, 0, 1e6), "X",
     "seconds between checkpoints (30)"},
    {"resume", 0, TRAIN, FLAG(config.training.resume), NULL,
     "continue from the checkpoint; the model is the same to the bit"},
    {"Options", 0, EVAL | PREDICT | ATTEND | EXPLAIN | STEP | TAPE, HEADING},
    {"output", 'o', ATTEND, TEXT(output), "FILE",
     "also draw a picture, FILE.png, or write a page of all texts, FILE.html"},
    {"output", 'o', EXPLAIN, TEXT(output), "FILE.html", "also write a page of all texts"},
    {"output", 'o', STEP, TEXT(output), "FILE.html", "the page (step.html)"},
    {"output", 'o', TAPE, TEXT(output), "FILE.dot", "also write a graph for Graphviz's dot"},
    {"label", 0, STEP, TEXT(step_label), "NAME",
     "the true label, for the loss (the predicted label)"},
    {"font", 0, ATTEND, TEXT(font), "FILE.ttf", "the font to use first in a picture"},
    {"top", 0, PREDICT, INTEGER(top, 1, 1e9), "K",
     "show the K most probable labels, the most probable first (all labels in order)"},
    {"json", 0, EVAL | PREDICT, FLAG(json), NULL, "print JSON, one object per line"},
    {.name = NULL},
};

/* ---- help ---- */

static void show_help(void)
{
    printf("textclf: a text classifier that shows where it looked\n\n");
    for (const tc_command *c = commands; c < commands + COMMANDS; c++)
        printf("  textclf %-8s%-17s%s\n", c->name, c->arguments, c->description);
    printf(
        "\nTo start: textclf train my.csv, then textclf predict textclf.safetensors \"a text\".\n"
        "textclf COMMAND --help shows the options of a command, textclf --version the version.\n"
        "Exit status: 0 success, 1 failure, 2 wrong command line, 130 after Ctrl-C.\n");
}

static void show_data_help(void)
{
    printf(
        "\nDATA is a file in UTF-8, or - for standard input. Its format is detected: TSV (without\n"
        "a header the label follows the last tab), CSV with quotes as in RFC 4180, or fastText\n"
        "lines. Lines that start or end with a label need --format label-text or text-label.\n"
        "textclf prints how it read the data. The options above apply to all data of a command\n"
        "except the built-in data:\n");
    for (size_t i = 0; i < tc_builtin_count; i++)
        printf("  %-22s %s\n", tc_builtins[i].name, tc_builtins[i].description);
}

static void show_command_help(const tc_command *command)
{
    printf("textclf %s [OPTION]... %s: %s\n\n", command->name, command->arguments,
           command->description);
    ex_options_show(option_table, command->bit);
    if (command->bit & READ) show_data_help();
    if (command->bit == EXPLAIN) {
        putchar('\n');
        tc_explain_print_terms();
    }
    if (command->bit == COMPARE) {
        printf(
            "\nWithout --encoder and --attention, compare trains every attention with bilstm, and\n"
            "the other encoders with additive attention and without attention. With one or both\n"
            "of them it trains all kinds that match.\n");
    }
    if (command->bit & LEARN) {
        printf("\nWithout DATA the data is builtin:reviews. Without --test a builtin is tested on\n"
               "its held-out part. Without --epochs training stops after about %d steps: after %d\n"
               "to %d epochs.\n",
               TC_DEFAULT_STEPS, TC_MIN_EPOCHS, TC_MAX_EPOCHS);
    }
}

/* ---- settings as JSON ---- */

json_t *tc_options_to_json(const tc_options *options)
{
    json_t *object = json_object();
    for (const ex_option *o = option_table; o->name; o++) {
        char number[32];
        if (!(o->commands & RECORDED)) continue;
        const char *value = ex_option_value(o, options, number);
        if (json_object_set_new(object, o->name, json_string(value ? value : "not given")))
            ex_fail("--%s %s: the value is not valid UTF-8", o->name, value ? value : "");
    }
    if (!ex_failure()) return object; /* running out of memory is a failure too */
    json_decref(object);
    return NULL;
}

/* ---- files ---- */

bool tc_options_check_files(const tc_options *options)
{
    enum { WRITTEN = 3, FILES = 9 };
    const tc_experiment_config *config = &options->config;
    const char *const files[FILES] = {
        options->output,
        options->report,
        config->training.checkpoint,
        config->valid,
        config->test,
        config->vectors,
        config->tokenizer.stopwords,
        options->font,
        options->argument_count ? options->arguments[0] : NULL, /* data, or a model */
    };
    for (int i = 0; i < WRITTEN; i++) {
        for (int k = i + 1; files[i] && k < FILES; k++) {
            if (!files[k] || !ex_same_file(files[i], files[k])) continue;
            if (k < WRITTEN)
                return ex_fail("%s: two outputs have this name; give one of them another",
                               files[i]);
            return ex_fail("%s: this file is both input and output; give the output another name",
                           files[i]);
        }
    }
    return true;
}

/* ---- parsing ---- */

static const tc_command *find_command(const char *name)
{
    for (const tc_command *c = commands; name && c < commands + COMMANDS; c++) {
        if (!strcmp(name, c->name)) return c;
    }
    if (name) ex_fail("%s: unknown command", name);
    else ex_fail("no command is given");
    return NULL;
}

static void set_defaults(tc_options *options, char **argv)
{
    *options = (tc_options){
        .command_line = argv,
        .config.train = "builtin:reviews",
        .config.settings = {.embedding = 128,
                            .hidden = 128,
                            .encoder = TC_BILSTM,
                            .attention = TC_ADDITIVE,
                            .dropout = 0.5,
                            .max_length = 1000,
                            .buckets = 131072},
        .config.training =
            {.seed = 1, .batch_size = 32, .patience = 10, .lr = 1e-3, .checkpoint_interval = 30},
    };
}

/* Handles --version, --help and help without a command. Returns whether there was one of them. */
static bool show_general_help(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (!strcmp(first, "--version")) {
        printf("textclf %s\n", TEXTCLF_VERSION);
        return true;
    }
    if (strcmp(first, "--help") && strcmp(first, "-h") && (strcmp(first, "help") || argc > 2))
        return false;
    show_help();
    return true;
}

ex_parsed tc_options_parse(tc_options *options, int argc, char **argv)
{
    set_defaults(options, argv);
    if (show_general_help(argc, argv)) return EX_HELP;
    const bool help = argc > 1 && !strcmp(argv[1], "help"); /* help COMMAND is COMMAND --help */
    const tc_command *command = find_command(argv[1 + help]);
    if (!command) return EX_WRONG;
    options->command = command;
    options->output = command->output;
    if (command->bit == COMPARE)
        options->config.settings.encoder = options->config.settings.attention = -1;
    argc--;
    argv++;
    ex_parsed parsed = EX_HELP;
    if (!help) parsed = ex_options_read(options, option_table, command->bit, &argc, &argv);
    if (parsed == EX_HELP) show_command_help(command);
    options->arguments = argv;
    options->argument_count = argc;
    if (parsed != EX_OK) return parsed;
    if (argc < command->min_arguments || argc > command->max_arguments) {
        ex_fail("%s takes the arguments %s, but %d %s given", command->name, command->arguments,
                argc, argc == 1 ? "is" : "are");
        return EX_WRONG;
    }
    if (command->bit & LEARN && argc) options->config.train = argv[0];
    return EX_OK;
}
