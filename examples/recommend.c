/* Recommendation: the user's history is the query over the features of items, and what it finds there adds up to a vector of
 * the user's interest (the documents' recommender):
 *
 *     q = tanh(Wq history),   k = tanh(Wk items),   v = tanh(Wv items),   interest = softmax(q k^T / sqrt(width)) v
 *
 * The history is what the user has just looked at, the items are all that the user ever bought, and the interest scores new
 * items. Beside it stands mean pooling: the same model, but interest is the mean of v, whatever the user looks at.
 *
 * The users are made up (tg_random), and made so that it matters: a user has several tastes, and in each of them a style of
 * their own: cheap, old jazz, but new and expensive chess sets. Who pools mixes the styles; attention can look up what was
 * bought of the taste in question. With one taste a user there is nothing to choose, and both should do equally well: the
 * table shows that too. Returns non-zero unless attention is clearly better where there is something to choose. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <tapegrad.h>

enum {
    TASTES = 12,
    SIGHT = 6 /* features that tell the taste */,
    STYLES = 4,
    FEATURES = SIGHT + STYLES
};
enum { SEEN = 2, BOUGHT = 12, OFFER = 16 }; /* items of a user: looked at, bought, on offer */
enum { WIDTH = 32, BATCH = 64, STEPS = 200, TESTS = 16 /* batches */, MAX_TASTES = 4 };
static const double BLUR = 0.6; /* how far items stray from their style */
static const char *const tastes[TASTES] = {"jazz",    "chess",   "sailing",  "baking",
                                           "poetry",  "physics", "football", "cinema",
                                           "gardens", "cycling", "painting", "history"};
static const char *const styles[STYLES][2] = {{"cheap", "dear"},
                                              {"old", "new"},
                                              {"small", "big"},
                                              {"plain", "fancy"}};

/* ---- the made-up world ---- */

static tg_real places[TASTES][SIGHT]; /* where the items of a taste lie */

typedef struct batch {
    int count;                                /* tastes of each user */
    int taste[BATCH][MAX_TASTES], now[BATCH]; /* hidden: the model sees none of these three */
    tg_real style[BATCH][MAX_TASTES][STYLES]; /* -1 or 1 */
    tg_real seen[BATCH][SEEN][FEATURES], bought[BATCH][BOUGHT][FEATURES],
        offer[BATCH][OFFER][FEATURES];
    tg_real liked[BATCH][OFFER];
} batch;

/* Features: where its taste lies, and its style, both blurred. */
static void make_item(int taste, const tg_real *style, tg_random *random, tg_real *features)
{
    for (int i = 0; i < SIGHT; i++)
        features[i] = places[taste][i] + (tg_real)(0.3 * tg_random_normal(random));
    for (int i = 0; i < STYLES; i++)
        features[SIGHT + i] = style[i] + (tg_real)(BLUR * tg_random_normal(random));
}

static void any_style(tg_random *random, tg_real *style)
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
        any_style(random, b->style[u][i]);
    }
    const int now = b->now[u] = (int)tg_random_below(random, (uint32_t)b->count);
    for (int i = 0; i < BOUGHT; i++)
        make_item(order[i % b->count], b->style[u][i % b->count], random, b->bought[u][i]);
    for (int i = 0; i < SEEN; i++) { /* looking is free: in any style */
        any_style(random, style);
        make_item(order[now], style, random, b->seen[u][i]);
    }
    for (int i = 0; i < OFFER;
         i++) { /* half of it in the user's style for the taste, half in any */
        b->liked[u][i] = i % 2 == 0;
        any_style(random, style);
        make_item(order[now], i % 2 ? style : b->style[u][now], random, b->offer[u][i]);
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
    bool attends; /* or pools */
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

/* logits [BATCH, OFFER] */
static tg_tensor *score(tg_tape *tape, const model *m, const batch *b, tg_tensor **attended)
{
    tg_tensor *query = project(tape, &m->query, b->seen[0][0], SEEN);
    tg_tensor *value = project(tape, &m->value, b->bought[0][0], BOUGHT);
    if (m->attends) {
        tg_tensor *key = project(tape, &m->key, b->bought[0][0], BOUGHT);
        value = tg_attention_forward(tape, &m->attention, query, key, value, NULL, attended);
    }
    tg_tensor *interest = tg_mean(tape, value, TG_AXES(1), true); /* [BATCH, 1, WIDTH] */
    interest = tg_add(tape, interest,
                      tg_mean(tape, query, TG_AXES(1), true)); /* both know what is looked at */
    tg_tensor *items = project(tape, &m->item, b->offer[0][0], OFFER);
    tg_tensor *logits = tg_matmul_transposed(tape, items, interest,
                                             TG_TRANSPOSE_B); /* [BATCH, OFFER, 1] */
    return tg_reshape(tape, tg_add(tape, logits, m->bias), TG_SHAPE(BATCH, OFFER));
}

static void train(model *m, int count, tg_tape *tape, batch *b)
{
    tg_random random = tg_random_new(1, "users to learn from");
    tg_adam adam = tg_adam_default(0);
    for (int step = 0; step < STEPS; step++) {
        make_users(b, count, &random);
        tg_tensor *liked = tg_constant(tape, b->liked[0], TG_SHAPE(BATCH, OFFER));
        tg_backward(tape,
                    tg_binary_cross_entropy_with_logits(tape, score(tape, m, b, NULL), liked));
        adam.lr = tg_lr_cosine(0.03, 0, step, 10, STEPS);
        tg_adam_step(&adam, m->params);
        tg_tape_reset(tape);
    }
}

/* ---- on users never seen ---- */

typedef struct scored {
    double score;
    bool liked;
} scored;

static int by_score(const void *a, const void *b)
{
    const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

/* The area under the ROC curve: how often a liked item has a higher score than one that is not, by their ranks. */
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

/* How sure one can be of liking who knows the hidden style: ln P(item | style) / P(item | any style), less a constant. */
static double insight(const tg_real *item, const tg_real *style)
{
    double sum = 0;
    for (int k = 0; k < STYLES; k++)
        sum -= log1p(exp(-2 * (double)(item[SIGHT + k] * style[k]) / (BLUR * BLUR)));
    return sum;
}

/* The model's area; *best is insight's, which nobody can beat but by luck. */
static double test(const model *m, int count, tg_tape *tape, batch *b, double *best)
{
    enum { ALL = TESTS * BATCH * OFFER };
    static scored by_model[ALL], by_insight[ALL];
    tg_random random = tg_random_new(1, "users never seen");
    int n = 0;
    for (int t = 0; t < TESTS; t++) {
        make_users(b, count, &random);
        const tg_tensor *logits = score(tape, m, b, NULL);
        for (int u = 0; logits && u < BATCH; u++) {
            for (int i = 0; i < OFFER; i++, n++) {
                by_model[n] = (scored){(double)logits->data[u * OFFER + i], b->liked[u][i] > 0};
                by_insight[n] = (scored){insight(b->offer[u][i], b->style[u][b->now[u]]),
                                         b->liked[u][i] > 0};
            }
        }
        tg_tape_reset(tape);
    }
    *best = area(by_insight, n);
    return area(by_model, n);
}

/* One user: what they bought, and where the attention goes. */
static void show(const model *m, tg_tape *tape, batch *b)
{
    tg_tensor *attended;
    tg_random random = tg_random_new(1, "users never seen");
    make_users(b, MAX_TASTES, &random);
    score(tape, m, b, &attended);
    const tg_tensor *weights = tg_attention_weights(tape, attended); /* [BATCH, 1, SEEN, BOUGHT] */
    if (!weights) return;
    printf("\nA user never seen, who is looking at %s:\n", tastes[b->taste[0][b->now[0]]]);
    printf("  bought                                 pooled  attention\n");
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
        for (int i = 0; i < SIGHT; i++) places[t][i] = (tg_real)tg_random_normal(&random);
    printf("%d users never seen: the area under the ROC curve (AUC)\n\n", TESTS * BATCH);
    printf("  tastes a user   mean pooling   attention   knowing the hidden style\n");
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
    printf("\n%s\n", good ? "With one taste there is nothing to choose; with several, attention "
                            "finds the right purchases."
                          : "That is not what should come out.");
    tg_tape_free(tape);
    return good ? 0 : 1;
}
