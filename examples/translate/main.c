/* translate: dates as people write them into ISO dates, character by character, by an encoder and a decoder with attention.
 *
 *     translate                        a BiLSTM reads, an LSTM writes, additive attention between them
 *     translate --attention none       the same, but all that the decoder learns of the text is the encoder's last state
 *     translate --attention dot        or another score
 *     translate --model transformer    the transformer of "Attention Is All You Need"
 *
 * Some days of the calendar are held out: the model sees them in no form, and is measured on them. translate.png shows where
 * each character of an answer came from. */
#include "../text_classifier/failure.h"
#include "model.h"


#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HELD_OUT = 2000, DEFAULT_STEPS = 2000, QUICK_STEPS = 300 };

typedef struct options {
    const char *model, *attention, *output;
    int64_t steps, seed;
    char **texts; /* to translate in the end */
    int count;
} options;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the days, shuffled: first those held out, then those to learn from ---- */

typedef struct calendar {
    int32_t days[TR_DAYS];
    tg_random random; /* draws days and formats to learn from */
} calendar;

static void shuffle_days(calendar *all, uint64_t seed)
{
    tg_random order = tg_random_new(seed, "held-out days");
    for (int32_t i = 0; i < TR_DAYS; i++) all->days[i] = i;
    tg_random_shuffle(&order, all->days, TR_DAYS);
    all->random = tg_random_new(seed, "training");
}

/* A day in some format, now and then all in small or capital letters. */
static void write_day(int32_t day, tg_random *random, char *text, char *iso)
{
    tr_date date = tr_date_after(day);
    tr_date_write(text, date, (int)tg_random_below(random, (uint32_t)tr_formats()));
    tr_date_iso(iso, date);
    uint32_t letters = tg_random_below(random, 8);
    for (char *c = text; letters < 2 && *c; c++) {
        if (letters == 0 && *c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
        if (letters == 1 && *c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
    }
}

static void draw_batch(tr_batch *batch, calendar *all)
{
    char texts[TR_BATCH][TR_MOST_TEXT], iso[TR_BATCH][TR_MOST_TEXT];
    for (int b = 0; b < TR_BATCH; b++) {
        uint32_t day = HELD_OUT + tg_random_below(&all->random, TR_DAYS - HELD_OUT);
        write_day(all->days[day], &all->random, texts[b], iso[b]);
    }
    tr_batch_set(batch, TR_BATCH, texts, iso);
}

/* ---- training ---- */

typedef struct trainer {
    tr_model model;
    tg_params *params;
    tg_tape *tape;
    calendar all;
    tr_batch batch;
} trainer;

static bool train(trainer *t, int64_t steps)
{
    const bool transformer = t->model.settings.transformer;
    tg_adam adam = tg_adam_default(0);
    double sum = 0, start = seconds_now();
    for (int64_t step = 1; step <= steps; step++) {
        draw_batch(&t->batch, &t->all);
        tr_encoded encoded = tr_encode(t->tape, &t->model, &t->batch);
        tg_tensor *logits = tr_decode(t->tape, &t->model, &t->batch, &encoded, NULL);
        tg_tensor *loss = tg_cross_entropy(t->tape, logits, tg_ints_2d(t->batch.iso, TR_BATCH, TR_ISO));
        tg_backward(t->tape, loss);
        tg_clip_grad_norm(t->params, 1);
        adam.rate = tg_rate_cosine(transformer ? 2e-3 : 5e-3, 1e-5, step - 1, 100, steps);
        tg_adam_step(&adam, t->params);
        if (tg_tape_error(t->tape)) return tc_fail("%s", tg_tape_error(t->tape));
        if (tg_params_error(t->params)) return tc_fail("%s", tg_params_error(t->params));
        sum += tg_item(loss);
        tg_tape_reset(t->tape);
        int64_t often = steps < 10 ? 1 : steps / 10;
        if (step % often == 0) {
            printf("step %5lld: loss %.4f\n", (long long)step, sum / (double)often);
            fflush(stdout);
            sum = 0;
        }
    }
    printf("trained in %.1f s\n", seconds_now() - start);
    return true;
}

/* ---- the held-out days ---- */

static bool measure(trainer *t, uint64_t seed)
{
    char texts[TR_BATCH][TR_MOST_TEXT], iso[TR_BATCH][TR_MOST_TEXT], answer[TR_MOST_TEXT];
    tg_random random = tg_random_new(seed, "held-out formats");
    int right = 0, shown = 0;
    double start = seconds_now();
    for (int32_t first = 0; first < HELD_OUT; first += TR_BATCH) {
        int32_t rows = HELD_OUT - first < TR_BATCH ? HELD_OUT - first : TR_BATCH;
        for (int32_t b = 0; b < rows; b++) write_day(t->all.days[first + b], &random, texts[b], iso[b]);
        tr_batch_set(&t->batch, rows, texts, NULL);
        if (!tr_translate(t->tape, &t->model, &t->batch, NULL)) return tc_fail("%s", tg_tape_error(t->tape));
        tg_tape_reset(t->tape);
        for (int32_t b = 0; b < rows; b++) {
            tr_batch_iso(answer, &t->batch, b);
            bool same = !strcmp(answer, iso[b]);
            right += same;
            if (!same && shown++ < 5) printf("  wrong: %s -> %s, not %s\n", texts[b], answer, iso[b]);
        }
    }
    printf("exact match on %d held-out dates: %.2f %% (%.1f s)\n", HELD_OUT, 100.0 * right / HELD_OUT, seconds_now() - start);
    return true;
}

int main(int argc, char **argv)
{
    static trainer t;
    tr_settings s = {.transformer = argc > 1 && !strcmp(argv[1], "t"), .attend = argc > 1 && !strcmp(argv[1], "a"), .score = TG_SCORE_ADDITIVE};
    int64_t steps = argc > 2 ? atoi(argv[2]) : 1000;
    uint64_t seed = argc > 3 ? (uint64_t)atoi(argv[3]) : 1;
    t.params = tg_params_new(seed);
    t.tape = tg_tape_new(seed);
    tr_model_init(&t.model, t.params, s);
    shuffle_days(&t.all, seed);
    printf("%lld params\n", (long long)tg_params_size(t.params));
    train(&t, steps);
    tg_tape_set_training(t.tape, false);
    tg_tape_set_recording(t.tape, false);
    measure(&t, seed);
    if (tc_failure()) printf("%s\n", tc_failure());
    tg_tape_free(t.tape);
    tg_params_free(t.params);
}
