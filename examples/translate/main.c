/* translate: dates as people write them into ISO dates, character by character, by an encoder and a decoder with attention.
 *
 *     translate                        a BiLSTM reads, an LSTM writes, additive attention between them
 *     translate --attention none       the same, but all that the decoder has of the text is what the encoder ended with
 *     translate --attention dot        or another score
 *     translate --model transformer    encoder and decoder of "Attention Is All You Need"
 *     translate "Sat, 9 May 98"        learns, then translates this too, and draws it
 *
 * The decoder of the documents' translator never meets the encoder; here it does. A thousand days of the calendar are held
 * out: the model sees them in no form, and is measured on them. translate.png shows where each character of an answer came
 * from. The same seed prints the same numbers, times aside. */
#include "../support/failure.h"
#include "../support/files.h"
#include "model.h"
#include "picture.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HELD_OUT = 1000, LSTM_STEPS = 1000, TRANSFORMER_STEPS = 1100, QUICK_STEPS = 400, MOST_WRONG = 5 };

typedef struct options {
    tr_settings settings;
    int64_t steps, seed;
    double least; /* percent that have to be right */
    const char *output;
    char **texts; /* to translate in the end */
    int count;
} options;

static const struct {
    const char *name;
    tg_score score;
} scores[] = {
    {"additive", TG_SCORE_ADDITIVE}, {"dot", TG_SCORE_DOT}, {"scaled-dot", TG_SCORE_SCALED_DOT},
    {"bilinear", TG_SCORE_BILINEAR}, {"cosine", TG_SCORE_COSINE}, {"euclidean", TG_SCORE_EUCLIDEAN},
};
enum { SCORES = sizeof scores / sizeof *scores };

typedef struct trainer {
    tr_model model;
    tg_params *params;
    tg_tape *tape;
    tr_days days;
    tr_batch batch;
    tr_row example; /* of the held-out days, to draw */
} trainer;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- learning ---- */

static bool check(const trainer *t)
{
    const char *error = tg_tape_error(t->tape);
    if (!error) error = tg_params_error(t->params);
    return !error || tc_fail("%s", error);
}

static bool train(trainer *t, int64_t steps)
{
    const double peak = t->model.settings.transformer ? 3e-3 : 5e-3, start = seconds_now();
    const int64_t often = steps < 10 ? 1 : steps / 10;
    tg_adam adam = tg_adam_default(peak);
    double sum = 0;
    for (int64_t step = 1; step <= steps; step++) {
        tr_days_next(&t->days, &t->batch);
        tr_encoded encoded = tr_encode(t->tape, &t->model, &t->batch);
        tg_tensor *logits = tr_decode(t->tape, &t->model, &t->batch, &encoded, NULL);
        tg_tensor *loss = tg_cross_entropy(t->tape, logits, tg_ints_2d(t->batch.iso, TR_ROWS, TR_ISO));
        tg_backward(t->tape, loss);
        tg_clip_grad_norm(t->params, 1);
        adam.rate = tg_rate_cosine(peak, 0, step - 1, 100, steps);
        tg_adam_step(&adam, t->params);
        if (!check(t)) return false;
        sum += tg_item(loss);
        tg_tape_reset(t->tape);
        if (step % often == 0) {
            printf("step %5lld   loss %.4f\n", (long long)step, sum / (double)often);
            fflush(stdout);
            sum = 0;
        }
    }
    printf("%.1f s\n\n", seconds_now() - start);
    return true;
}

/* ---- the held-out days ---- */

/* Translates the first `count` of them from `first` on, and returns how many are right; -1 after tc_fail. */
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
        if (!same && (*wrong)++ < MOST_WRONG)
            printf("  wrong: %s -> %s, not %s\n", rows[b].text, answer, rows[b].iso);
        if (same && !t->example.text[0] && strlen(rows[b].text) > 40) t->example = rows[b]; /* long enough to show */
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
    if (!(percent >= o->least)) return tc_fail("that is below %g %%", o->least);
    return true;
}

/* ---- one text ---- */

static bool draw(trainer *t, const tg_attention_detail *detail, const char *text, const char *answer, const char *path)
{
    tg_tensor *weights = tg_attention_look(t->tape, detail, TG_LOOK_WEIGHTS); /* [1, heads, 10, T] */
    tg_tensor *mean = tg_mean(t->tape, weights, TG_AXES(0, 1), false);        /* [10, T] */
    if (!check(t)) return false;
    const bool layers = t->model.settings.transformer;
    const char *caption = layers ? "where the decoder's last layer looked for each character, the mean of its heads"
                                 : "where the decoder looked for each character of its answer";
    if (!tr_picture_save(&(tr_alignment){text, answer, caption, mean->data}, path)) return false;
    printf("%s shows where each character came from\n", path);
    return true;
}

/* Prints the translation, and draws it where there is a path. */
static bool show(trainer *t, const char *text, const char *path)
{
    tr_row row = {"", ""};
    char answer[TR_ISO + 1];
    tg_attention_detail detail;
    snprintf(row.text, sizeof row.text, "%s", text);
    tr_batch_set(&t->batch, &row, 1, false);
    tr_translate(t->tape, &t->model, &t->batch, &detail);
    if (!check(t)) return false;
    tr_batch_answer(answer, &t->batch, 0);
    printf("%s -> %s\n", text, answer);
    bool good = !path || draw(t, &detail, text, answer, path);
    tg_tape_reset(t->tape);
    return good;
}

static bool run(trainer *t, const options *o)
{
    const bool draws = o->settings.attend || o->settings.transformer;
    if (draws && !tc_output_check(o->output)) return false;
    t->params = tg_params_new((uint64_t)o->seed);
    t->tape = tg_tape_new((uint64_t)o->seed);
    tr_model_init(&t->model, t->params, o->settings);
    if (!check(t)) return false;
    tr_days_init(&t->days, HELD_OUT, (uint64_t)o->seed);
    printf("dates in %d formats to ISO dates; %lld parameters, %lld steps of %d dates\n", tr_formats(),
           (long long)tg_params_size(t->params), (long long)o->steps, TR_ROWS);
    if (!train(t, o->steps)) return false;
    tg_tape_set_training(t->tape, false);
    tg_tape_set_recording(t->tape, false);
    bool good = measure(t, o);
    for (int i = 0; i < o->count; i++) {
        if (!show(t, o->texts[i], i == 0 && draws ? o->output : NULL)) return false;
    }
    if (!o->count && t->example.text[0] && !show(t, t->example.text, draws ? o->output : NULL)) return false;
    return good;
}

/* ---- the command line ---- */

static const char help[] =
    "translate [OPTION]... [TEXT]...: learns to translate dates, and translates each TEXT\n\n"
    "  --model KIND      lstm, or transformer (lstm)\n"
    "  --attention KIND  of the LSTMs: additive, dot, scaled-dot, bilinear, cosine, euclidean or none (additive)\n"
    "  --steps N         of learning (1000, of a transformer 1100)\n"
    "  --quick           400 steps\n"
    "  --least PERCENT   fails if fewer held-out dates are right\n"
    "  --seed N          of all that is random (1)\n"
    "  -o, --output PNG  the picture (translate.png)\n";

static bool set_attention(tr_settings *settings, const char *name)
{
    settings->attend = strcmp(name, "none") != 0;
    if (!settings->attend) return true;
    for (int i = 0; i < SCORES; i++) {
        if (strcmp(name, scores[i].name)) continue;
        settings->score = scores[i].score;
        return true;
    }
    return tc_fail("--attention %s: no such attention; see --help", name);
}

static bool set_number(double *number, const char *text, double least, double most)
{
    char *end;
    *number = strtod(text, &end);
    return (end != text && !*end && *number >= least && *number <= most) ||
           tc_fail("%s: this has to be a number from %g to %g", text, least, most);
}

static bool set_option(options *o, int letter, const char *value, const char *typed)
{
    double number = 0;
    switch (letter) {
    case 'a': return set_attention(&o->settings, value);
    case 'o': o->output = value; return true;
    case 'q': o->steps = QUICK_STEPS; return true;
    case 'l': return set_number(&o->least, value, 0, 100);
    case 's':
    case 'r':
        if (!set_number(&number, value, letter == 's', 1e9)) return false;
        *(letter == 's' ? &o->steps : &o->seed) = (int64_t)number;
        return true;
    case 'm':
        o->settings.transformer = !strcmp(value, "transformer");
        return o->settings.transformer || !strcmp(value, "lstm") || tc_fail("--model %s: no such model; see --help", value);
    case ':': return tc_fail("%s needs a value; see --help", typed);
    default: return tc_fail("%s: no such option; see --help", typed);
    }
}

static bool parse(options *o, int argc, char **argv)
{
    static const struct option known[] = {
        {"model", required_argument, NULL, 'm'}, {"attention", required_argument, NULL, 'a'},
        {"steps", required_argument, NULL, 's'}, {"quick", no_argument, NULL, 'q'},
        {"least", required_argument, NULL, 'l'}, {"seed", required_argument, NULL, 'r'},
        {"output", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":o:", known, NULL)) != -1;) {
        if (!set_option(o, letter, optarg, argv[optind - 1])) return false;
    }
    if (!o->steps) o->steps = o->settings.transformer ? TRANSFORMER_STEPS : LSTM_STEPS;
    o->texts = argv + optind;
    o->count = argc - optind;
    for (int i = 0; i < o->count; i++) {
        if (!tr_text_valid(o->texts[i]))
            return tc_fail("\"%s\": a text has 1 to %d ASCII characters", o->texts[i], TR_MOST_TEXT - 1);
    }
    return true;
}

int main(int argc, char **argv)
{
    static trainer t; /* larger than a stack likes */
    options o = {.settings = {.attend = true, .score = TG_SCORE_ADDITIVE}, .seed = 1, .output = "translate.png"};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return fputs(help, stdout) < 0;
    }
    bool usage = !parse(&o, argc, argv), good = !usage && run(&t, &o);
    tg_tape_free(t.tape);
    tg_params_free(t.params);
    if (good && (fflush(stdout) || ferror(stdout))) good = tc_fail("standard output: %s", strerror(errno));
    if (tc_failure()) fprintf(stderr, "translate: %s\n", tc_failure());
    return usage ? 2 : good ? 0 : 1;
}
