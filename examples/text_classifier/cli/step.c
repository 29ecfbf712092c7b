/* textclf step: writes a page that steps through the tape of one text, forward and backward. */
#include "commands.h"

#include "../../support/failure.h"
#include "../../support/files.h"
#include "../model/analysis.h"
#include "../model/unfused.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LOSS, LOGITS, GRADIENTS, COMPARED };
/* float's 1e-7 grows over some hundred operators */
static const double max_difference = 1e-5;
/* the learning rate of the step that the page shows; small, so the gradients predict its effect */
static const double lr = 1e-3;

typedef struct stepping {
    tc_model *model;
    tc_batch *batch;
    int32_t label;
    tg_tape *fused;
    double loss; /* before the step */
} stepping;

/* The loss computed by the fused operators. `logits` may be NULL. */
static tg_tensor *fused_loss(stepping *s, tg_tensor **logits)
{
    tg_tape_reset(s->fused);
    tg_tensor *z = tc_model_forward(s->fused, s->model, s->batch, NULL);
    if (logits) *logits = z;
    return tg_cross_entropy(s->fused, z, tg_ints_1d(&s->label, 1));
}

static double loss_again(void *context) { return tg_item(fused_loss(context, NULL)); }

/* The largest difference so far (NaN if there was one), and the largest magnitude, to which it is
 * compared: over all gradients, because a single gradient may be small by cancellation. */
typedef struct gap {
    double difference, max;
} gap;

static void add_to_gap(gap *g, const tg_real *a, const tg_real *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const double difference = fabs((double)(a[i] - b[i]));
        if (!(difference <= g->difference) && !isnan(g->difference)) g->difference = difference;
        g->max = fmax(g->max, fabs((double)a[i]));
    }
}

/* Returns the gradients of all parameters, one after the other, and zeroes them. The caller frees
 * them; NULL after ex_fail. */
static tg_real *take_gradients(tg_params *params)
{
    tg_real *all = ex_allocate(NULL, (size_t)tg_params_size(params), sizeof *all), *next = all;
    for (int64_t i = 0; all && i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        for (int64_t k = 0; k < p->size; k++) *next++ = p->has_grad ? p->grad[k] : 0;
    }
    tg_params_zero_grad(params);
    return all;
}

/* Compares the results of both tapes; `fused` holds the gradients of the first. */
static bool compare(stepper *page, tg_tensor *const loss[2], tg_tensor *const logits[2],
                    const tg_real *fused, tg_params *params)
{
    static const char *const names[] = {"loss", "logits", "gradients"};
    gap gaps[COMPARED] = {{0, 0}};
    add_to_gap(&gaps[LOSS], loss[0]->data, loss[1]->data, 1);
    add_to_gap(&gaps[LOGITS], logits[0]->data, logits[1]->data, logits[0]->size);
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        if (p->has_grad) add_to_gap(&gaps[GRADIENTS], fused, p->grad, p->size);
        fused += p->size;
    }
    page->max_difference = max_difference;
    for (int i = 0; i < COMPARED; i++) {
        const double share = page->difference[i] = gaps[i].difference / fmax(gaps[i].max, 1e-30);
        if (!(share <= max_difference))
            return ex_fail("the %s of single and fused operators differ by %.2g, which is a bug; "
                           "please report it",
                           names[i], share);
    }
    return true;
}

/* Computes both tapes, forward and backward, compares them and writes the page. */
static bool walk(stepping *s, stepper *page, tg_tape *tape, FILE *stream)
{
    tg_params *params = s->model->params;
    tg_tensor *logits[2] = {NULL}, *loss[2] = {fused_loss(s, &logits[0])};
    if (!tg_backward(s->fused, loss[0])) return ex_fail("%s", tg_tape_error(s->fused));
    s->loss = tg_item(loss[0]);
    tg_real *fused = take_gradients(params);
    logits[1] = tc_unfused_forward(tape, s->model, s->batch, page);
    tg_scope_begin(tape, "loss");
    loss[1] = stepper_name(page, tg_cross_entropy(tape, logits[1], tg_ints_1d(&s->label, 1)), 0,
                           "L");
    tg_scope_end(tape);
    bool good = fused && (tg_backward(tape, loss[1]) || ex_fail("%s", tg_tape_error(tape)));
    good = good && compare(page, loss, logits, fused, params);
    ex_free(fused);
    if (!good) return false;
    if (stepper_write(page, stream, loss[1], params))
        return !tg_tape_error(s->fused) || ex_fail("%s", tg_tape_error(s->fused));
    if (page->failed_bytes)
        return ex_fail("out of memory: %zu bytes for a page of steps", page->failed_bytes);
    return ex_fail("%s", tg_params_error(params) ? tg_params_error(params)
                                                 : "out of memory: a page of steps");
}

/* Copies the words as strings. The caller frees them. Returns false after ex_fail. */
static bool copy_words(char **words, const tc_analysis *analysis)
{
    for (int32_t i = 0; i < analysis->count; i++) {
        const ex_token *token = &analysis->tokens.items[i];
        words[i] = ex_allocate(NULL, token->length + 1, 1);
        if (!words[i]) return false;
        memcpy(words[i], analysis->text + token->start, token->length);
        words[i][token->length] = 0;
    }
    return true;
}

static bool write_page(stepping *s, const tc_analysis *analysis, const char *path)
{
    char about[200], *words[STEPPER_MAX_WORDS] = {NULL};
    const tc_settings *settings = &s->model->settings;
    snprintf(about, sizeof about, "Encoder %s, attention %s%s%s",
             tc_encoder_names[settings->encoder], tc_attention_names[settings->attention],
             settings->max_pool ? ", max pool" : "", settings->ngrams ? ", bag of n-grams" : "");
    const ex_names *labels = &s->model->labels;
    stepper page = {.title = analysis->text,
                    .about = about,
                    .lr = lr,
                    .loss_again = loss_again,
                    .context = s,
                    .words = (const char *const *)words,
                    .word_count = analysis->count,
                    .ids = analysis->ids,
                    .labels = (const char *const *)labels->items,
                    .label_count = labels->count,
                    .label = s->label};
    ex_output output;
    bool good = ex_output_open(&output, path);
    good = good && copy_words(words, analysis);
    tg_tape *tape = tg_tape_new(0);
    tg_tape_set_training(tape, false);
    good = good && walk(s, &page, tape, output.stream);
    good = ex_output_close(&output, good);
    if (good) {
        printf("%s\nloss %.4f for the label %s\nthe fused operators agree: loss %.1g, logits %.1g, "
               "gradients %.1g\nwritten: %s\n",
               about, s->loss, labels->items[s->label], page.difference[LOSS],
               page.difference[LOGITS], page.difference[GRADIENTS], path);
    }
    tg_tape_free(tape);
    stepper_free(&page);
    for (int32_t i = 0; i < analysis->count; i++) ex_free(words[i]);
    return good;
}

static bool step(tc_model *model, tc_analysis *analysis, const tc_options *options)
{
    const char *path = options->output, *name = options->step_label;
    stepping s = {.model = model};
    if (!ex_has_suffix(path, ".html"))
        return ex_fail("%s: step writes a web page; give -o FILE.html", path);
    if (!ex_output_check(path)) return false;
    tg_params_set_inference(model->params, false); /* the page shows a step of them */
    s.label = name ? ex_names_find(&model->labels, name) : 0;
    if (s.label < 0)
        return ex_fail("--label %s: the model does not have this label; its first labels are "
                       "\"%s\" and \"%s\"",
                       name, model->labels.items[0], model->labels.items[1]);
    if (!tc_analysis_compute(analysis, model, options->arguments[1], false)) return false;
    if (!name) s.label = analysis->best;
    if (analysis->count > STEPPER_MAX_WORDS) {
        return ex_fail("TEXT: the text has %d words, but the page shows at most %d",
                       (int)analysis->count, STEPPER_MAX_WORDS);
    }
    s.batch = analysis->batch;
    s.fused = tg_tape_new(0);
    tg_tape_set_training(s.fused, false);
    const bool good = write_page(&s, analysis, path);
    tg_tape_free(s.fused);
    return good;
}

bool tc_step(tc_model *model, const tc_options *options)
{
    tc_analysis analysis = {0};
    const bool good = step(model, &analysis, options);
    tc_analysis_free(&analysis);
    return good;
}
