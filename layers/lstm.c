/* The LSTM as a layer: parameters under PyTorch's names, and layers one upon another. The operator is in lstm_op.c. */
#include "lstm.h"

#include "../core/internal.h"
#include "lstm_op.h"

static tg_tensor *weight(tg_params *params, const char *scope, const char *kind, int l, int direction, int ndim,
                         const int64_t *shape, tg_init init)
{
    char name[48];
    snprintf(name, sizeof name, "%s_l%d%s", kind, l, direction ? "_reverse" : "");
    return tg_param(params, scope, name, ndim, shape, init);
}

bool tg_lstm_init(tg_lstm *layer, tg_params *params, const char *name, int64_t input, int64_t hidden, int layers,
                  bool bidirectional)
{
    *layer = (tg_lstm){.layers = layers, .directions = bidirectional ? 2 : 1, .input = input, .hidden = hidden};
    if (!params) return false;
    if (layers < 1 || layers > TG_LSTM_MAX_LAYERS || input < 0 || hidden < 1)
        return tg_fail(&params->error, "lstm %s: %d layers of %lld over %lld are outside 1 .. %d layers of 1 or more", name,
                       layers, (long long)hidden, (long long)input, TG_LSTM_MAX_LAYERS);
    tg_init uniform = tg_init_by_width(hidden);
    for (int l = 0; l < layers; l++)
        for (int d = 0; d < layer->directions; d++) {
            tg_lstm_weights *w = &layer->weights[l][d];
            int64_t in = l ? layer->directions * hidden : input;
            w->weight_ih = weight(params, name, "weight_ih", l, d, TG_SHAPE(4 * hidden, in), uniform);
            w->weight_hh = weight(params, name, "weight_hh", l, d, TG_SHAPE(4 * hidden, hidden), uniform);
            w->bias_ih = weight(params, name, "bias_ih", l, d, TG_SHAPE(4 * hidden), uniform);
            w->bias_hh = weight(params, name, "bias_hh", l, d, TG_SHAPE(4 * hidden), uniform);
            if (!w->bias_hh) return false;
            for (int64_t j = hidden; !params->from_file && j < 2 * hidden; j++) /* a new model's forget gates start open */
                w->bias_ih->data[j] = 1, w->bias_hh->data[j] = 0;
        }
    return true;
}

tg_tensor *tg_lstm_forward(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, tg_ints lengths)
{
    return tg_lstm_forward_state(tape, layer, x, lengths, NULL, NULL);
}

/* The part of a state that belongs to one layer. */
static tg_tensor *state_of(tg_tape *tape, tg_tensor *state, const tg_lstm *layer, int l)
{
    if (!state || layer->layers == 1) return state;
    const int all = layer->layers * layer->directions;
    if (tape && (state->ndim != 3 || state->shape[0] != all))
        return tg_fail(&tape->error, "lstm: the initial state is %s, wanted is [%d, B, H]",
                       tg_text_of(state->ndim, state->shape).text, all);
    return tg_slice(tape, state, 0, (int64_t)l * layer->directions, (int64_t)(l + 1) * layer->directions);
}

tg_tensor *tg_lstm_forward_state(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, tg_ints lengths,
                                 const tg_lstm_state *initial, tg_lstm_state *final)
{
    tg_tensor *h[TG_LSTM_MAX_LAYERS], *c[TG_LSTM_MAX_LAYERS];
    if (final) *final = (tg_lstm_state){NULL, NULL};
    for (int l = 0; l < layer->layers; l++) {
        tg_lstm_state before = initial ? *initial : (tg_lstm_state){NULL, NULL}, after;
        before.h = state_of(tape, before.h, layer, l);
        before.c = state_of(tape, before.c, layer, l);
        x = tg_lstm_layer(tape, layer->weights[l], layer->directions, x, lengths, &before, &after);
        h[l] = after.h, c[l] = after.c;
    }
    if (final && x) {
        bool one = layer->layers == 1;
        final->h = one ? h[0] : tg_concat(tape, layer->layers, h, 0);
        final->c = one ? c[0] : tg_concat(tape, layer->layers, c, 0);
    }
    return x;
}
