/* translate: translates dates as people write them into ISO dates, character by character, with
 * an encoder, a decoder and attention.
 *
 *     translate                        a BiLSTM reads, an LSTM writes, additive attention between
 *     translate --attention none       the decoder gets only the last state of the encoder
 *     translate --attention dot        another score
 *     translate --model transformer    encoder and decoder of "Attention Is All You Need"
 *     translate "Sat, 9 May 98"        trains, then translates and draws this text, too
 *
 * A thousand days of the calendar are held out: the model never sees them, in any format, and is
 * tested on them. translate.png shows where the decoder looked for each character of its answer.
 * The same seed prints the same numbers, except times. */
#include "../support/clock.h"
#include "../support/failure.h"
#include "../support/files.h"
#include "../support/option.h"
#include "model.h"
#include "picture.h"

#include <stdio.h>
#include <string.h>

enum { HELD_OUT = 1000, MAX_WRONG = 5 /* wrong answers to print */ };
enum { LSTM_STEPS = 1000, TRANSFORMER_STEPS = 1100, QUICK_STEPS = 400 };

typedef struct options {
    tr_settings settings;
    int attention, model; /* indices in the lists below */
    bool quick;
    int64_t steps, seed;
    double min_right; /* percent */
    const char *output;
    char **texts; /* to translate after training */
    int count;
} options;

/* The scores in the order of tg_score, then none. */
static const char *const attentions[] = {"dot",    "scaled-dot", "bilinear", "additive",
                                         "cosine", "euclidean",  "none",     NULL};
static const char *const models[] = {"lstm", "transformer", NULL};
enum { NO_ATTENTION = 6 };

typedef struct trainer {
    tr_model model;
    tg_params *params;
    tg_tape *tape;
    tr_days days;
    tr_batch batch;
    tr_row example; /* a held-out day to draw */
} trainer;

/* ---- learning ---- */

static bool check(const trainer *t)
{
    const char *error = tg_tape_error(t->tape);
    if (!error) error = tg_params_error(t->params);
    return !error || ex_fail("%s", error);
}

static bool train(trainer *t, int64_t steps)
{
    const double peak = t->model.settings.transformer ? 3e-3 : 5e-3, start = ex_seconds_now();
    const int64_t interval = steps < 10 ? 1 : steps / 10;
    tg_adam adam = tg_adam_default(peak);
    double sum = 0;
    for (int64_t step = 1; step <= steps; step++) {
        tr_days_next(&t->days, &t->batch);
        tr_encoded encoded = tr_encode(t->tape, &t->model, &t->batch);
        tg_tensor *logits = tr_decode(t->tape, &t->model, &t->batch, &encoded, NULL);
        tg_tensor *loss = tg_cross_entropy(t->tape, logits,
                                           tg_ints_2d(t->batch.iso, TR_ROWS, TR_ISO));
        tg_backward(t->tape, loss);
        tg_clip_grad_norm(t->params, 1);
        adam.lr = tg_lr_cosine(peak, 0, step - 1, 100, steps);
        tg_adam_step(&adam, t->params);
        if (!check(t)) return false;
        sum += tg_item(loss);
        tg_tape_reset(t->tape);
        if (step % interval == 0) {
            printf("step %5lld   loss %.4f\n", (long long)step, sum / (double)interval);
            fflush(stdout);
            sum = 0;
        }
    }
    printf("%.1f s\n\n", ex_seconds_now() - start);
    return true;
}

/* ---- the held-out days ---- */

/* Translates `count` held-out days from `first` on, and returns how many are right; -1 after
 * ex_fail. */
static int measure_batch(trainer *t, int32_t first, int32_t count, tg_random *formats, int *wrong)
{
    tr_row rows[TR_ROWS];
    char answer[TR_ISO + 1];
    int right = 0;
    for (int32_t b = 0; b < count; b++) tr_row_write(&rows[b], t->days.days[first + b], formats);
    tr_batch_set(&t->batch, rows, count, false);
    tr_translate(t->tape, &t->model, &t->batch, NULL);
    if (!check(t)) return -1;
    tg_tape_reset(t->tape);
    for (int32_t b = 0; b < count; b++) {
        tr_batch_answer(answer, &t->batch, b);
        bool same = !strcmp(answer, rows[b].iso);
        right += same;
        if (!same && (*wrong)++ < MAX_WRONG)
            printf("  wrong: %s -> %s, not %s\n", rows[b].text, answer, rows[b].iso);
        if (same && !t->example.text[0] && strlen(rows[b].text) > 40)
            t->example = rows[b]; /* long enough to show */
    }
    return right;
}

static bool measure(trainer *t, const options *o)
{
    tg_random formats = tg_random_new((uint64_t)o->seed, "held-out formats");
    int right = 0, wrong = 0;
    for (int32_t first = 0; first < HELD_OUT; first += TR_ROWS) {
        int32_t count = HELD_OUT - first < TR_ROWS ? HELD_OUT - first : TR_ROWS;
        int more = measure_batch(t, first, count, &formats, &wrong);
        if (more < 0) return false;
        right += more;
    }
    double percent = 100.0 * right / HELD_OUT;
    printf("held-out exact match: %.1f %% (%d of %d)\n\n", percent, right, HELD_OUT);
    if (!(percent >= o->min_right)) return ex_fail("fewer than %g %% are right", o->min_right);
    return true;
}

/* ---- one text ---- */

static bool draw(trainer *t, const tg_tensor *attended, const char *text, const char *answer,
                 const char *path)
{
    tg_tensor *weights = tg_attention_weights(t->tape, attended);      /* [1, heads, 10, T] */
    tg_tensor *mean = tg_mean(t->tape, weights, TG_AXES(0, 1), false); /* [10, T] */
    if (!check(t)) return false;
    const bool layers = t->model.settings.transformer;
    const char *caption =
        layers ? "where the decoder's last layer looked for each character (mean of its heads)"
               : "where the decoder looked for each character of its answer";
    if (!tr_picture_save(&(tr_alignment){text, answer, caption, mean->data}, path)) return false;
    printf("written: %s\n", path);
    return true;
}

/* Prints the translation of a text, and draws it if path is not NULL. */
static bool show(trainer *t, const char *text, const char *path)
{
    tr_row row = {"", ""};
    char answer[TR_ISO + 1];
    tg_tensor *attended;
    snprintf(row.text, sizeof row.text, "%s", text);
    tr_batch_set(&t->batch, &row, 1, false);
    tr_translate(t->tape, &t->model, &t->batch, &attended);
    if (!check(t)) return false;
    tr_batch_answer(answer, &t->batch, 0);
    printf("%s -> %s\n", text, answer);
    bool good = !path || draw(t, attended, text, answer, path);
    tg_tape_reset(t->tape);
    return good;
}

static bool learn_and_show(trainer *t, const options *o)
{
    const bool draws = o->settings.attend || o->settings.transformer;
    if (draws && !ex_output_check(o->output)) return false;
    t->params = tg_params_new((uint64_t)o->seed);
    t->tape = tg_tape_new((uint64_t)o->seed);
    tr_model_init(&t->model, t->params, o->settings);
    if (!check(t)) return false;
    tr_days_init(&t->days, HELD_OUT, (uint64_t)o->seed);
    printf("dates in %d formats to ISO dates; %lld parameters, %lld steps of %d dates\n",
           tr_formats(), (long long)tg_params_size(t->params), (long long)o->steps, TR_ROWS);
    if (!train(t, o->steps)) return false;
    tg_tape_set_training(t->tape, false);
    tg_tape_set_recording(t->tape, false);
    bool good = measure(t, o);
    for (int i = 0; i < o->count; i++) {
        if (!show(t, o->texts[i], i == 0 && draws ? o->output : NULL)) return false;
    }
    if (!o->count && t->example.text[0] && !show(t, t->example.text, draws ? o->output : NULL))
        return false;
    return good;
}

/* ---- the command line ---- */

#define FIELD(name) offsetof(options, name)

static const ex_option rules[] = {
    {"model", 0, 1, EX_CHOICE, FIELD(model), 0, 0, models, "KIND", "lstm or transformer (lstm)"},
    {"attention", 0, 1, EX_CHOICE, FIELD(attention), 0, 0, attentions, "KIND",
     "of the LSTM decoder: additive, dot, scaled-dot, bilinear, cosine, euclidean or none "
     "(additive)"},
    {"steps", 0, 1, EX_INTEGER, FIELD(steps), 1, 1e9, NULL, "N",
     "training steps (1000; transformer: 1100)"},
    {"quick", 0, 1, EX_FLAG, FIELD(quick), 0, 0, NULL, NULL, "trains for 400 steps only"},
    {"min-accuracy", 0, 1, EX_NUMBER, FIELD(min_right), 0, 100, NULL, "PERCENT",
     "fails if fewer of the held-out dates are right"},
    {"seed", 0, 1, EX_INTEGER, FIELD(seed), 0, 1e9, NULL, "N", "of the random numbers (1)"},
    {"output", 'o', 1, EX_TEXT, FIELD(output), 0, 0, NULL, "PNG", "the picture (translate.png)"},
    {.name = NULL},
};

static ex_parsed parse(options *o, int argc, char **argv)
{
    const ex_parsed parsed = ex_options_read(o, rules, 1, &argc, &argv);
    o->settings = (tr_settings){.transformer = o->model == 1,
                                .attend = o->attention < NO_ATTENTION};
    if (o->settings.attend) o->settings.score = (tg_score)o->attention;
    const int default_steps = o->settings.transformer ? TRANSFORMER_STEPS : LSTM_STEPS;
    if (!o->steps) o->steps = o->quick ? QUICK_STEPS : default_steps;
    o->texts = argv;
    o->count = argc;
    for (int i = 0; parsed == EX_OK && i < argc; i++) {
        if (tr_text_valid(argv[i])) continue;
        ex_fail("\"%s\": a text must have 1 to %d ASCII characters", argv[i], TR_MAX_TEXT - 1);
        return EX_WRONG;
    }
    return parsed;
}

int main(int argc, char **argv)
{
    ex_begin();
    static trainer t; /* too large for the stack */
    options o = {.attention = TG_SCORE_ADDITIVE, .seed = 1, .output = "translate.png"};
    const ex_parsed parsed = parse(&o, argc, argv);
    if (parsed == EX_WRONG) return ex_end("translate", 2, "; see translate --help");
    if (parsed == EX_HELP) {
        printf("translate [OPTION]... [TEXT]...: learns to translate dates, and then translates "
               "each TEXT\n\n");
        ex_options_show(rules, 1);
        return ex_end("translate", 0, NULL);
    }
    const bool good = learn_and_show(&t, &o);
    tg_tape_free(t.tape);
    tg_params_free(t.params);
    return ex_end("translate", good ? 0 : 1, NULL);
}
