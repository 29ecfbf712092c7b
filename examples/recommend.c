/* Recommendation: which of these items will the user like? Attention over the user's purchases,
 * against their mean.
 *
 *     q = tanh(Wq history),   k = tanh(Wk items),   v = tanh(Wv items)
 *     interest = softmax(q k^T / sqrt(width)) v
 *
 * The history is what the user has just looked at, and the items are what the user has bought.
 * The vector of interest then scores new items. Mean pooling is the same model, but its interest
 * is the mean of v, whatever the user looks at.
 *
 * The users are made up. Each has several tastes, and in each taste a style: cheap, old jazz,
 * but new, expensive chess sets. Mean pooling mixes the styles; attention can find the purchases
 * of the taste that the user is looking at. If each user has one taste, both models should do
 * equally well. Returns non-zero unless attention is clearly better with several tastes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <tapegrad.h>

enum { TASTES = 12, TASTE_FEATURES = 6, STYLES = 4, FEATURES = TASTE_FEATURES + STYLES };
enum { SEEN = 2, BOUGHT = 12, OFFERED = 16 }; /* items of a user */
enum { WIDTH = 32, BATCH = 64, STEPS = 200, TEST_BATCHES = 16, MAX_TASTES = 4 };
static const double STYLE_NOISE = 0.6, TASTE_NOISE = 0.3; /* standard deviations */
static const char *const tastes[TASTES] = {"jazz",    "chess",   "sailing",  "baking",
                                           "poetry",  "physics", "football", "cinema",
                                           "gardens", "cycling", "painting", "history"};
static const char *const styles[STYLES][2] = {{"cheap", "dear"},
                                              {"old", "new"},
                                              {"small", "big"},
                                              {"plain", "fancy"}};

/* ---- made-up users and items ---- */

static tg_real centres[TASTES][TASTE_FEATURES]; /* the mean features of a taste's items */

typedef struct batch {
    int count; /* tastes of each user */
    /* Hidden from the model: tastes, which of them the user looks at, and styles, each -1 or 1. */
    int taste[BATCH][MAX_TASTES], current[BATCH];
    tg_real style[BATCH][MAX_TASTES][STYLES];
    /* What the model sees, and what it has to predict. */
    tg_real seen[BATCH][SEEN][FEATURES], bought[BATCH][BOUGHT][FEATURES];
    tg_real offered[BATCH][OFFERED][FEATURES], liked[BATCH][OFFERED];
} batch;

/* The features of an item: the centre of its taste, then its style, both with noise. */
static void make_item(int taste, const tg_real *style, tg_random *random, tg_real *features)
{
    for (int i = 0; i < TASTE_FEATURES; i++)
        features[i] = centres[taste][i] + (tg_real)(TASTE_NOISE * tg_random_normal(random));
    for (int i = 0; i < STYLES; i++)
        features[TASTE_FEATURES + i] = style[i] + (tg_real)(STYLE_NOISE * tg_random_normal(random));
}

static void draw_style(tg_random *random, tg_real *style)
{
    for (int i = 0; i < STYLES; i++) style[i] = tg_random_below(random, 2) ? 1 : -1;
}

static void make_user(batch *b, int u, tg_random *random)
{
    int32_t order[TASTES];
    tg_real style[STYLES];
    for (int i = 0; i < TASTES; i++) order[i] = i;
    tg_random_shuffle(random, order, TASTES);
    for (int i = 0; i < b->count; i++) {
        b->taste[u][i] = order[i];
        draw_style(random, b->style[u][i]);
    }
    const int current = (int)tg_random_below(random, (uint32_t)b->count);
    b->current[u] = current;
    for (int i = 0; i < BOUGHT; i++)
        make_item(order[i % b->count], b->style[u][i % b->count], random, b->bought[u][i]);
    for (int i = 0; i < SEEN; i++) { /* users look at items of any style */
        draw_style(random, style);
        make_item(order[current], style, random, b->seen[u][i]);
    }
    /* Half of the offered items have the user's style for this taste; the user likes those. */
    for (int i = 0; i < OFFERED; i++) {
        b->liked[u][i] = i % 2 == 0;
        draw_style(random, style);
        make_item(order[current], i % 2 ? style : b->style[u][current], random, b->offered[u][i]);
    }
}

static void make_users(batch *b, int count, tg_random *random)
{
    b->count = count;
    for (int u = 0; u < BATCH; u++) make_user(b, u, random);
}

/* ---- the model ---- */

typedef struct model {
    tg_params *params;
    tg_linear query, key, value, item;
    tg_tensor *bias;
    tg_attention attention;
    bool attends; /* or mean pooling */
} model;

static void make_model(model *m, bool attends)
{
    m->params = tg_params_new(1);
    m->attends = attends;
    tg_linear_init(&m->query, m->params, "query", FEATURES, WIDTH);
    tg_linear_init(&m->key, m->params, "key", FEATURES, WIDTH);
    tg_linear_init(&m->value, m->params, "value", FEATURES, WIDTH);
    tg_linear_init(&m->item, m->params, "item", FEATURES, WIDTH);
    tg_attention_init(&m->attention, m->params, "attention", TG_SCORE_SCALED_DOT, WIDTH, WIDTH, 0);
    m->bias = tg_param(m->params, NULL, "bias", TG_SHAPE(1), tg_init_constant(0));
}

static tg_tensor *project(tg_tape *tape, const tg_linear *layer, const tg_real *items,
                          int64_t count)
{
    return tg_tanh(tape,
                   tg_linear_forward(tape, layer,
                                     tg_constant(tape, items, TG_SHAPE(BATCH, count, FEATURES))));
}

/* logits [BATCH, OFFERED] */
static tg_tensor *score(tg_tape *tape, const model *m, const batch *b, tg_tensor **attended)
{
    tg_tensor *query = project(tape, &m->query, b->seen[0][0], SEEN);
    tg_tensor *value = project(tape, &m->value, b->bought[0][0], BOUGHT);
    if (m->attends) {
        tg_tensor *key = project(tape, &m->key, b->bought[0][0], BOUGHT);
        value = tg_attention_forward(tape, &m->attention, query, key, value, NULL, attended);
    }
    tg_tensor *interest = tg_mean(tape, value, TG_AXES(1), true); /* [BATCH, 1, WIDTH] */
    /* Both models get the history itself, too. */
    interest = tg_add(tape, interest, tg_mean(tape, query, TG_AXES(1), true));
    tg_tensor *items = project(tape, &m->item, b->offered[0][0], OFFERED);
    tg_tensor *logits = tg_matmul_transposed(tape, items, interest, TG_TRANSPOSE_B);
    return tg_reshape(tape, tg_add(tape, logits, m->bias), TG_SHAPE(BATCH, OFFERED));
}

static void train(model *m, int count, tg_tape *tape, batch *b)
{
    tg_random random = tg_random_new(1, "users to learn from");
    tg_adam adam = tg_adam_default(0);
    for (int step = 0; step < STEPS; step++) {
        make_users(b, count, &random);
        tg_tensor *liked = tg_constant(tape, b->liked[0], TG_SHAPE(BATCH, OFFERED));
        tg_backward(tape,
                    tg_binary_cross_entropy_with_logits(tape, score(tape, m, b, NULL), liked));
        adam.lr = tg_lr_cosine(0.03, 0, step, 10, STEPS);
        tg_adam_step(&adam, m->params);
        tg_tape_reset(tape);
    }
}

/* ---- testing on new users ---- */

typedef struct scored {
    double score;
    bool liked;
} scored;

static int by_score(const void *a, const void *b)
{
    const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

/* The area under the ROC curve, from ranks: the share of pairs in which the liked item has a
 * higher score than the other. */
static double area(scored *items, int n)
{
    double ranks = 0, liked = 0;
    qsort(items, (size_t)n, sizeof *items, by_score);
    for (int i = 0; i < n; i++) {
        if (!items[i].liked) continue;
        ranks += i + 1;
        liked++;
    }
    return (ranks - liked * (liked + 1) / 2) / (liked * (n - liked));
}

/* The best possible score, from the hidden style: log P(item | style) / P(item | any style), up
 * to a constant. */
static double best_score(const tg_real *item, const tg_real *style)
{
    double sum = 0;
    for (int k = 0; k < STYLES; k++) {
        const double agreement = (double)(item[TASTE_FEATURES + k] * style[k]);
        sum -= log1p(exp(-2 * agreement / (STYLE_NOISE * STYLE_NOISE)));
    }
    return sum;
}

/* Returns the area of the model; *best is that of the best possible score. */
static double test(const model *m, int count, tg_tape *tape, batch *b, double *best)
{
    enum { ALL = TEST_BATCHES * BATCH * OFFERED };
    static scored by_model[ALL], by_style[ALL];
    tg_random random = tg_random_new(1, "users never seen");
    int n = 0;
    for (int t = 0; t < TEST_BATCHES; t++) {
        make_users(b, count, &random);
        const tg_tensor *logits = score(tape, m, b, NULL);
        for (int u = 0; logits && u < BATCH; u++) {
            for (int i = 0; i < OFFERED; i++, n++) {
                by_model[n] = (scored){(double)logits->data[u * OFFERED + i], b->liked[u][i] > 0};
                const double ideal = best_score(b->offered[u][i], b->style[u][b->current[u]]);
                by_style[n] = (scored){ideal, b->liked[u][i] > 0};
            }
        }
        tg_tape_reset(tape);
    }
    *best = area(by_style, n);
    return area(by_model, n);
}

/* Prints what one new user bought, and the attention that it gets. */
static void show(const model *m, tg_tape *tape, batch *b)
{
    tg_tensor *attended;
    tg_random random = tg_random_new(1, "users never seen");
    make_users(b, MAX_TASTES, &random);
    score(tape, m, b, &attended);
    const tg_tensor *weights = tg_attention_weights(tape, attended); /* [BATCH, 1, SEEN, BOUGHT] */
    if (!weights) return;
    printf("\nA new user, who is looking at %s:\n", tastes[b->taste[0][b->current[0]]]);
    printf("  bought                                 mean    attention\n");
    for (int t = 0; t < b->count; t++) {
        double sum = 0;
        for (int i = 0; i < SEEN * BOUGHT; i++)
            sum += i % BOUGHT % b->count == t ? (double)weights->data[i] / SEEN : 0;
        printf("  %d x %-10s", BOUGHT / b->count, tastes[b->taste[0][t]]);
        for (int k = 0; k < STYLES; k++) printf(" %-5s", styles[k][b->style[0][t][k] > 0]);
        printf("%5.0f %%  %6.1f %%\n", 100.0 / b->count, 100 * sum);
    }
    tg_tape_reset(tape);
}

int main(void)
{
    static batch b;
    tg_tape *tape = tg_tape_new(1);
    tg_random random = tg_random_new(1, "places");
    for (int t = 0; t < TASTES; t++)
        for (int i = 0; i < TASTE_FEATURES; i++) centres[t][i] = (tg_real)tg_random_normal(&random);
    printf("Area under the ROC curve (AUC) on %d new users\n\n", TEST_BATCHES * BATCH);
    printf("  tastes a user   mean pooling   attention   best possible\n");
    bool good = true;
    for (int count = 1; count <= MAX_TASTES; count *= 2) {
        double auc[2], best;
        for (int attends = 0; attends < 2; attends++) {
            model m;
            make_model(&m, attends);
            train(&m, count, tape, &b);
            auc[attends] = test(&m, count, tape, &b, &best);
            if (attends)
                printf("  %8d        %8.3f     %8.3f     %8.3f\n", count, auc[0], auc[1], best);
            if (attends && count == MAX_TASTES) show(&m, tape, &b);
            good = good && !tg_params_error(m.params);
            tg_params_free(m.params);
        }
        const double gain = auc[1] - auc[0];
        good = good && (count == 1 ? fabs(gain) < 0.02 : gain > 0.05) && auc[1] < best + 0.01;
    }
    if (tg_tape_error(tape)) fprintf(stderr, "recommend: %s\n", tg_tape_error(tape));
    good = good && !tg_tape_error(tape);
    printf("\n%s\n", good ? "With one taste both do equally well; with several, attention "
                            "finds the right purchases."
                          : "These are not the expected results.");
    tg_tape_free(tape);
    return good ? 0 : 1;
}
