#include "subjects.h"

const char *const score_names[SCORES] = {"dot",      "scaled dot", "bilinear",
                                         "additive", "cosine",     "euclidean"};

bool subject_is_pooled(int kind) { return kind >= POOL && kind <= SEQUENTIAL; }

bool subject_has_memory(int kind)
{
    return (kind >= CROSS && kind < POOL) || kind == MULTIHEAD_CROSS || kind == DECODER_POST ||
           kind == DECODER_PRE;
}

bool subject_can_be_causal(int kind)
{
    return kind < CROSS || kind == MULTIHEAD || kind >= ENCODER_POST;
}

static void build_transformer(subject *s)
{
    for (int layer = 0; layer < 2; layer++) {
        tg_transformer *block = &s->blocks[layer];
        tg_transformer_init(block, s->params, layer ? "1" : "0", s->E, 2, s->E + 3,
                            s->kind >= DECODER_POST);
        block->pre_norm = s->kind == ENCODER_PRE || s->kind == DECODER_PRE;
        block->gelu = layer;
    }
}

subject subject_new(int kind, int64_t E)
{
    static const char *const modes[MODES] = {"", ", raw", ", times the score",
                                             ", raw, times the score"};
    static const char *const layers[] = {"SequentialAttention", "multi-head",
                                         "multi-head, cross",   "encoder, post-norm",
                                         "encoder, pre-norm",   "decoder, post-norm",
                                         "decoder, pre-norm"};
    subject s = {.kind = kind, .E = E, .params = tg_params_new(3)};
    int score = kind - POOL, mode = 0;
    const char *use = "pool";
    if (kind < CROSS) {
        score = kind / MODES;
        mode = kind % MODES;
        use = "self";
    } else if (kind < POOL) {
        score = kind - CROSS;
        use = "cross";
    }
    if (kind >= SEQUENTIAL) snprintf(s.name, sizeof s.name, "%s", layers[kind - SEQUENTIAL]);
    else snprintf(s.name, sizeof s.name, "%s, %s%s", use, score_names[score], modes[mode]);
    if (kind < POOL)
        tg_attention_init(&s.attention, s.params, "attention", (tg_score)score, E, E, E + 1);
    else if (kind < SEQUENTIAL)
        tg_attention_pool_init(&s.pool, s.params, "pool", (tg_score)score, E, E + 1);
    else if (kind == SEQUENTIAL)
        tg_sequential_attention_init(&s.sequential, s.params, "sequential", E, E + 1, E - 1);
    else if (kind <= MULTIHEAD_CROSS) tg_multihead_init(&s.multihead, s.params, "multihead", E, 2);
    else build_transformer(&s);
    s.attention.raw = mode & 1;
    s.attention.times_score = mode & 2;
    test_assert_params_clean(s.params);
    /* No bias stays 0 and no norm 1. */
    for (int64_t i = 0; i < tg_params_count(s.params); i++) {
        tg_tensor *p = tg_params_at(s.params, i);
        for (int64_t e = 0; e < p->size; e++)
            p->data[e] += (tg_real)test_number((uint64_t)i, e, -0.1, 0.1);
    }
    return s;
}

void subject_set_dropout(subject *s, double dropout)
{
    s->attention.dropout = s->pool.attention.dropout = s->multihead.dropout = dropout;
    for (int layer = 0; layer < 2; layer++)
        s->blocks[layer].dropout = s->blocks[layer].self_attn.dropout =
            s->blocks[layer].multihead_attn.dropout = dropout;
}

tg_tensor *subject_forward(tg_tape *tape, const subject *s, const subject_call *call,
                           tg_tensor **attended)
{
    tg_attention_mask mask = {.lengths = call->lengths, .causal = call->causal},
                      memory_mask = {.lengths = call->memory_lengths};
    if (call->by_query) mask.query_lengths = memory_mask.query_lengths = call->lengths;
    tg_tensor *x = call->x;
    if (s->kind < CROSS) return tg_attention_forward(tape, &s->attention, x, x, x, &mask, attended);
    if (s->kind < POOL)
        return tg_attention_forward(tape, &s->attention, x, call->memory, call->memory,
                                    &memory_mask, attended);
    if (s->kind < SEQUENTIAL)
        return tg_attention_pool_forward(tape, &s->pool, x, call->lengths, attended);
    if (s->kind == SEQUENTIAL)
        return tg_sequential_attention_forward(tape, &s->sequential, x, call->lengths, attended);
    if (s->kind == MULTIHEAD)
        return tg_multihead_forward(tape, &s->multihead, x, x, &mask, attended);
    if (s->kind == MULTIHEAD_CROSS)
        return tg_multihead_forward(tape, &s->multihead, x, call->memory, &memory_mask, attended);
    for (int layer = 0; layer < 2; layer++) {
        const bool decoder = s->blocks[layer].decoder;
        x = tg_transformer_forward(tape, &s->blocks[layer], x, &mask, decoder ? call->memory : NULL,
                                   decoder ? &memory_mask : NULL, attended);
    }
    return x;
}
