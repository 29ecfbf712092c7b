#include "unfused.h"

#include "../../stepper/layers.h"
#include "../../support/failure.h"

/* Without attention *last becomes the final state of an LSTM. */
static tg_tensor *encode(const stepper_walk *w, const tc_model *model, const tc_batch *batch,
                         tg_tensor **last)
{
    tg_tape *tape = w->tape;
    const int kind = model->settings.encoder;
    const int64_t T = batch->time, E = model->settings.embedding;
    tg_tensor *x;
    tg_scope_begin(tape, "embedding");
    if (kind == TC_TRANSFORMER) {
        x = tg_add_sinusoids(tape, tg_embedding_forward(tape, &model->embedding,
                                                        tg_ints_2d(batch->tokens, 1, T)));
        x = tg_reshape(tape, x, TG_SHAPE(T, E));
    } else {
        x = tg_embedding_forward(tape, &model->embedding, tg_ints_1d(batch->tokens, T));
    }
    stepper_name(w->page, model->embedding.weight, 0, "E");
    stepper_name(w->page, x, STEPPER_ROWS_ARE_WORDS, "x");
    tg_scope_end(tape);
    if (kind == TC_NO_ENCODER) return x;
    if (kind != TC_LSTM && kind != TC_BILSTM && kind != TC_TRANSFORMER) {
        /* an encoder that was added to the model but not here */
        ex_fail("textclf step does not know the encoder %s; add it to model/unfused.c",
                tc_encoder_names[kind]);
        return NULL;
    }
    tg_scope_begin(tape, "encoder");
    tg_tensor **ends = model->settings.attention == TC_NO_ATTENTION ? last : NULL;
    tg_tensor *h = kind == TC_TRANSFORMER ? stepper_transformer(w, &model->transformer, x)
                                          : stepper_lstm(w, &model->lstm, x, ends);
    tg_scope_end(tape);
    return h;
}

tg_tensor *tc_unfused_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch,
                              stepper *page)
{
    const stepper_walk w = {tape, page, batch->time};
    tg_tensor *c = NULL, *h = encode(&w, model, batch, &c);
    tg_scope_begin(tape, model->settings.attention == TC_NO_ATTENTION ? "mean" : "attention");
    if (model->settings.attention == TC_MULTIHEAD) {
        c = stepper_multihead(&w, &model->multihead, stepper_name(page, model->query, 0, "query"),
                              h, 0);
    } else if (model->settings.attention == TC_NO_ATTENTION) {
        if (!c) c = stepper_name(page, tg_mean(tape, h, TG_AXES(0), true), 0, "c");
    } else {
        c = stepper_attention_pool(&w, &model->attention, h);
    }
    tg_scope_end(tape);
    tg_tensor *features[3] = {c};
    int count = 1;
    if (model->settings.max_pool) {
        tg_scope_begin(tape, "max pool");
        features[count++] = stepper_name(page, tg_max(tape, h, TG_AXES(0), true), 0, "max");
        tg_scope_end(tape);
    }
    if (model->settings.ngrams) {
        tg_scope_begin(tape, "bag");
        features[count++] = stepper_name(page, tc_bag_forward(tape, &model->bag, batch), 0, "bag");
        tg_scope_end(tape);
    }
    tg_scope_begin(tape, "classify");
    if (count > 1) c = stepper_name(page, tg_concat(tape, count, features, 1), 0, "features");
    stepper_name(page, model->classify.weight, 0, "W");
    stepper_name(page, model->classify.bias, 0, "b");
    tg_tensor *logits = tg_linear_forward(tape, &model->classify, c);
    tg_scope_end(tape);
    return stepper_name(page, logits, STEPPER_COLUMNS_ARE_LABELS, "logits");
}
