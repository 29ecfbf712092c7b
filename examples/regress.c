/* Attention that learns where to look, trained by mean squared error and Adam:
 *
 *     query = dense(input),   key = value = input,   output = weights value
 *
 * with two kinds of weights: softmax(Q K^T), or the products Q K^T themselves. Both come from an
 * article on attention in TensorFlow, which leaves the target undefined. Here the task has a
 * right answer. A sequence is a shuffled set of cards. Each card has a name, some numbers, and
 * the name of a card that it wants, perhaps its own. Its target is the card that it wants. So
 * the dense layer has to learn to turn the wanted name into a query that matches that name.
 *
 * Returns non-zero unless the loss falls to nearly zero and attention looks at the right card. */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { BATCH = 32, CARDS = 6, NUMBERS = 4, STEPS = 600 };
enum { WIDTH = 2 * CARDS + NUMBERS }; /* of a card: name, wanted name (both one-hot), numbers */
static const double RATE = 0.1;

typedef struct batch {
    tg_real x[BATCH][CARDS][WIDTH], target[BATCH][CARDS][WIDTH];
    int32_t right[BATCH][CARDS]; /* the position of the wanted card */
} batch;

static void deal(batch *b, tg_random *random)
{
    memset(b, 0, sizeof *b);
    for (int i = 0; i < BATCH; i++) {
        int32_t name[CARDS], place[CARDS];
        for (int t = 0; t < CARDS; t++) name[t] = t;
        tg_random_shuffle(random, name, CARDS);
        for (int t = 0; t < CARDS; t++) place[name[t]] = t;
        for (int t = 0; t < CARDS; t++) {
            tg_real *card = b->x[i][t];
            uint32_t wanted = tg_random_below(random, CARDS);
            card[name[t]] = 1;
            card[CARDS + (int)wanted] = 1;
            for (int n = 0; n < NUMBERS; n++)
                card[2 * CARDS + n] = (tg_real)tg_random_normal(random);
            b->right[i][t] = place[wanted];
        }
        for (int t = 0; t < CARDS; t++)
            memcpy(b->target[i][t], b->x[i][b->right[i][t]], sizeof b->target[i][t]);
    }
}

typedef struct model {
    tg_params *params;
    tg_linear query;
    tg_attention attention;
} model;

static tg_tensor *forward(tg_tape *tape, const model *m, const batch *b, tg_tensor **attended)
{
    tg_tensor *x = tg_constant(tape, &b->x[0][0][0], TG_SHAPE(BATCH, CARDS, WIDTH));
    tg_tensor *y = tg_attention_forward(tape, &m->attention, tg_linear_forward(tape, &m->query, x),
                                        x, x, NULL, attended);
    return tg_mean_squared_error(tape, y,
                                 tg_constant(tape, &b->target[0][0][0],
                                             TG_SHAPE(BATCH, CARDS, WIDTH)));
}

/* Trains the model and prints losses, a row of the table; returns the last loss. */
static double train(model *m, tg_tape *tape)
{
    tg_random random = tg_random_new(1, "cards");
    tg_adam adam = tg_adam_default(RATE);
    double loss = 0;
    for (int step = 0; step <= STEPS; step++) {
        batch b;
        deal(&b, &random);
        tg_tensor *l = forward(tape, m, &b, NULL);
        loss = tg_item(l);
        if (step % (STEPS / 5) == 0) printf("  %9.6f", loss);
        tg_backward(tape, l);
        /* Adam divides by the size of the gradients. As they vanish, its learning rate has to
         * fall, or the loss stays noisy. */
        adam.lr = tg_lr_cosine(RATE, 0, step, 0, STEPS);
        tg_adam_step(&adam, m->params);
        tg_tape_reset(tape);
    }
    return loss;
}

/* On new cards: returns the loss; *right is the share of cards whose largest weight is on the
 * wanted card. */
static double test(const model *m, tg_tape *tape, double *right)
{
    tg_random random = tg_random_new(2, "cards");
    tg_tensor *attended;
    batch b;
    deal(&b, &random);
    double loss = tg_item(forward(tape, m, &b, &attended));
    const tg_tensor *weights = tg_attention_weights(tape, attended); /* [BATCH, 1, CARDS, CARDS] */
    int hits = 0;
    for (int i = 0; weights && i < BATCH * CARDS; i++) {
        const tg_real *row = weights->data + i * CARDS;
        int best = 0;
        for (int j = 1; j < CARDS; j++) best = row[j] > row[best] ? j : best;
        hits += best == b.right[i / CARDS][i % CARDS];
    }
    *right = (double)hits / (BATCH * CARDS);
    return loss;
}

/* Prints the attention weights of one set of cards. */
static void show(const model *m, tg_tape *tape)
{
    tg_random random = tg_random_new(3, "cards");
    tg_tensor *attended;
    batch b;
    deal(&b, &random);
    tg_tape_reset(tape);
    forward(tape, m, &b, &attended);
    const tg_tensor *weights = tg_attention_weights(tape, attended);
    int name[CARDS] = {0};
    printf("\nThe attention weights of six cards, with softmax:\n                  ");
    for (int t = 0; t < CARDS; t++) {
        for (int n = 0; n < CARDS; n++) name[t] = b.x[0][t][n] > 0 ? n : name[t];
        printf("     %c", 'A' + name[t]);
    }
    for (int t = 0; weights && t < CARDS; t++) {
        printf("\n  %c, which wants %c", 'A' + name[t], 'A' + name[b.right[0][t]]);
        for (int j = 0; j < CARDS; j++) printf("%6.2f", (double)weights->data[t * CARDS + j]);
    }
    printf("\n");
}

/* Trains and tests a model with one kind of weights, and prints its row. */
static bool try_weights(model *m, tg_tape *tape, bool raw)
{
    tg_linear_init(&m->query, m->params, "query", WIDTH, WIDTH);
    tg_attention_init(&m->attention, m->params, "attention", TG_SCORE_DOT, WIDTH, WIDTH, 0);
    m->attention.raw = raw;
    printf("%-13s", raw ? "raw products" : "softmax");
    double trained = train(m, tape), right, held_out = test(m, tape, &right);
    printf("  %9.6f  %5.1f %%\n", held_out, 100 * right);
    const char *error = tg_tape_error(tape) ? tg_tape_error(tape) : tg_params_error(m->params);
    if (error) fprintf(stderr, "regress: %s\n", error);
    return !error && trained < 0.001 && held_out < 0.001 && right > 0.99;
}

int main(void)
{
    model softmax = {.params = tg_params_new(1)}, raw = {.params = tg_params_new(1)};
    tg_tape *tape = tg_tape_new(1);
    printf("Each card has to find the card that it wants. Mean squared error after so many "
           "steps:\n\n%-13s",
           "step");
    for (int step = 0; step <= STEPS; step += STEPS / 5) printf("  %9d", step);
    printf("  %9s  %7s\n", "new cards", "found");
    bool good = try_weights(&softmax, tape, false);
    good = try_weights(&raw, tape, true) && good;
    show(&softmax, tape);
    puts(good ? "\nBoth losses fall to nearly zero, and both models look at the right card."
              : "\nThe loss does not fall to nearly zero.");
    tg_tape_free(tape);
    tg_params_free(softmax.params);
    tg_params_free(raw.params);
    return good ? 0 : 1;
}
