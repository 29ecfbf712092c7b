/* word_vectors: learns a vector for each word of a text, by skip-gram with negative sampling
 * (Mikolov et al., "Distributed Representations of Words and Phrases and their
 * Compositionality", 2013):
 *
 *     loss = - log sigma(u_c . v_w) - sum over K words n of log sigma(- u_n . v_w)
 *
 * for each word w and each word c near it. The words n are drawn with a probability proportional
 * to their count to the power of 3/4. The vectors v are the result. Words with the same
 * neighbours get similar vectors, and differences of vectors have a meaning: paris - france +
 * japan is near tokyo.
 *
 *     word_vectors                    learns from a made-up text, and measures the result
 *     word_vectors FILE [WORD]...     learns from FILE, a sentence a line; shows words near WORD
 *
 * Of a line with tabs, as in a labelled .tsv, it reads what comes before the last tab. It writes
 * the text format of word2vec: a line with the count and the width, then a line for each word,
 * with the word and its numbers. The same seed writes the same file. Words are split as textclf
 * splits them, so `textclf train --vectors` can start from this file. With the made-up text it
 * returns non-zero unless nine in ten of each word's nearest words are of the same kind. */
#include "support/failure.h"
#include "support/option.h"
#include "support/names.h"
#include "support/files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

enum { PAIRS = 512 /* in a step */, NEIGHBOURS = 5, SHOWN = 8 };
enum { MAX_NEGATIVES = 20, MAX_WIDTH = 1024, MAX_LINE = 256 };

typedef struct options {
    const char *input, *output;
    char **words; /* whose neighbours are shown */
    int count;
    int64_t width, window, negatives, epochs, min_count, seed;
    double rate, sample;
} options;

/* ---- a made-up text ---- */

enum { KIND = 12 };
static const struct {
    char letter; /* its sign in the sentences below */
    const char *words[KIND];
} kinds[] = {
    /* word i of each of the first three kinds belongs to one country */
    {'n',
     {"france", "japan", "italy", "spain", "germany", "russia", "china", "greece", "poland",
      "sweden", "norway", "hungary"}},
    {'c',
     {"paris", "tokyo", "rome", "madrid", "berlin", "moscow", "beijing", "athens", "warsaw",
      "stockholm", "oslo", "budapest"}},
    {'l',
     {"french", "japanese", "italian", "spanish", "german", "russian", "chinese", "greek", "polish",
      "swedish", "norwegian", "hungarian"}},
    {'a',
     {"cat", "dog", "horse", "cow", "sheep", "goat", "mouse", "fox", "hen", "duck", "pig",
      "rabbit"}},
    {'f',
     {"bread", "cheese", "rice", "soup", "apples", "carrots", "beans", "corn", "butter", "eggs",
      "nuts", "honey"}},
    {'i',
     {"violin", "piano", "flute", "guitar", "trumpet", "cello", "drum", "harp", "organ", "oboe",
      "banjo", "clarinet"}},
    {'k',
     {"red", "green", "blue", "yellow", "black", "white", "brown", "grey", "purple", "orange",
      "pink", "golden"}},
    {'w',
     {"coat", "shirt", "hat", "dress", "scarf", "jacket", "skirt", "sweater", "glove", "shoe",
      "sock", "belt"}},
};
enum { KINDS = sizeof kinds / sizeof *kinds, LINKED = 3, TEXT_LINES = 8000 };

static const char *const sentences[] = {
    "%c is the capital of %n",
    "in %n most people speak %l",
    "she learned %l when she lived in %c",
    "they flew to %c to see the rest of %n",
    "the king of %n is fluent in %l",
    "a train from %c crosses all of %n",
    "the %a ate some %f",
    "a %a and a %a slept in the barn",
    "the farmer feeds his %a with %f",
    "we cooked %f with %f for dinner",
    "mother puts %f on the table",
    "he plays the %i in a band",
    "the %i and the %i were out of tune",
    "her %i needs new strings",
    "she bought a %k %w",
    "his %w is %k and her %w is %k",
    "wash the %k %w by hand",
    "paint the wall %k or %k",
    "a %k %a ran across the field",
};
enum { SENTENCES = sizeof sentences / sizeof *sentences };

static void write_sentence(char *line, tg_random *random)
{
    const char *form = sentences[tg_random_below(random, SENTENCES)];
    const uint32_t country = tg_random_below(random, KIND); /* one for the whole sentence */
    size_t used = 0;
    for (; *form; form++) {
        if (*form != '%') {
            line[used++] = *form;
            continue;
        }
        int kind = 0;
        for (form++; kinds[kind].letter != *form; kind++) {}
        const char *word =
            kinds[kind].words[kind < LINKED ? country : tg_random_below(random, KIND)];
        used += (size_t)snprintf(line + used, MAX_LINE - used, "%s", word);
    }
    line[used] = 0;
}

/* ---- the text as numbers ---- */

typedef struct corpus {
    ex_tokens tokens;
    size_t *ends; /* the end of each sentence, among the tokens */
    int32_t lines;
    size_t capacity;
    ex_names words;
    int32_t *ids;       /* of the tokens; EX_PADDING: too rare */
    double *counts;     /* by id */
    double *cumulative; /* by id: the probability to draw this word or one before it */
    double total;       /* of the counts */
} corpus;

static void corpus_free(corpus *c)
{
    ex_tokens_free(&c->tokens);
    ex_names_free(&c->words);
    ex_free(c->ends);
    ex_free(c->ids);
    ex_free(c->counts);
    ex_free(c->cumulative);
}

static bool add_sentence(corpus *c, const char *line)
{
    size_t *ends = ex_grow(c->ends, (size_t)c->lines, 1, &c->capacity, sizeof *ends);
    if (!ends) return false;
    c->ends = ends;
    if (c->lines == INT32_MAX || !ex_tokens_add(&c->tokens, line))
        return ex_fail("the text is too long");
    c->ends[c->lines++] = c->tokens.count;
    return true;
}

static bool make_up(corpus *c, uint64_t seed)
{
    tg_random random = tg_random_new(seed, "text");
    char line[MAX_LINE];
    for (int i = 0; i < TEXT_LINES; i++) {
        write_sentence(line, &random);
        if (!add_sentence(c, line)) return false;
    }
    return true;
}

static bool read_lines(corpus *c, FILE *file, const char *path)
{
    char *line = NULL;
    size_t capacity = 0, bad;
    bool good = true;
    while (good) {
        const ssize_t length = getline(&line, &capacity, file);
        if (length < 0) break;
        if (!ex_text_valid(line, (size_t)length, &bad)) {
            good = ex_fail("%s:%d: not UTF-8 text", path, c->lines + 1);
        } else {
            char *tab = strrchr(line, '\t');
            if (tab) *tab = 0;
            good = add_sentence(c, line);
        }
    }
    if (good && !feof(file)) good = ex_fail("%s: %s", path, strerror(errno));
    free(line);
    return good;
}

static bool read_text(corpus *c, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) return ex_fail("%s: %s", path, strerror(errno));
    bool good = read_lines(c, file, path);
    fclose(file);
    return good;
}

static bool number_words(corpus *c, const options *o)
{
    int32_t unused;
    if (!ex_vocabulary_build(&c->words, &c->tokens, o->min_count, 0, &unused)) return false;
    const int32_t count = c->words.count;
    if (count < EX_FIRST_WORD + 2)
        return ex_fail("fewer than two words occur %lld times", (long long)o->min_count);
    c->ids = ex_allocate(NULL, c->tokens.count, sizeof *c->ids);
    c->counts = ex_allocate(NULL, (size_t)count, sizeof *c->counts);
    c->cumulative = ex_allocate(NULL, (size_t)count, sizeof *c->cumulative);
    if (!c->ids || !c->counts || !c->cumulative) return false;
    for (int32_t id = 0; id < count; id++) c->counts[id] = 0;
    for (size_t i = 0; i < c->tokens.count; i++) {
        int32_t id = ex_names_find(&c->words, ex_token_word(&c->tokens, i));
        c->ids[i] = id < 0 ? EX_PADDING : id;
        if (id < 0) continue;
        c->counts[id]++;
        c->total++;
    }
    double sum = 0;
    for (int32_t id = 0; id < count; id++) c->cumulative[id] = sum += pow(c->counts[id], 0.75);
    for (int32_t id = 0; id < count; id++) c->cumulative[id] /= sum;
    return true;
}

/* Draws a word: the first whose cumulative probability exceeds a random number. */
static int32_t draw_word(const corpus *c, tg_random *random)
{
    const double x = tg_random_uniform(random);
    int32_t low = EX_FIRST_WORD, high = c->words.count - 1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (c->cumulative[middle] > x) high = middle;
        else low = middle + 1;
    }
    return low;
}

/* ---- learning ---- */

typedef struct trainer {
    const corpus *text;
    const options *o;
    tg_params *params;
    tg_tape *tape;
    tg_tensor *in, *out; /* v and u: [V, E] */
    tg_adam adam;
    tg_random random;
    int32_t pairs, words[PAIRS];
    int32_t near[PAIRS * (1 + MAX_NEGATIVES)]; /* a row a pair: the near word, then drawn ones */
    double loss, steps;                        /* since the last report */
    bool learned;                              /* at least one step */
} trainer;

static bool step(trainer *t)
{
    const int64_t B = t->pairs, K = t->o->negatives, E = t->o->width;
    tg_real truth[1 + MAX_NEGATIVES] = {1};
    if (!B) return true;
    tg_tensor *v = tg_reshape(t->tape, tg_gather(t->tape, t->in, tg_ints_1d(t->words, B), -1),
                              TG_SHAPE(B, 1, E));
    /* u [B, 1 + K, E], logits [B, 1 + K] */
    tg_tensor *u = tg_gather(t->tape, t->out, tg_ints_2d(t->near, B, 1 + K), -1);
    tg_tensor *logits = tg_sum(t->tape, tg_mul(t->tape, u, v), TG_AXES(-1), false);
    tg_tensor *one = tg_constant(t->tape, truth, TG_SHAPE(1, 1 + K));
    tg_tensor *targets = tg_add(t->tape, one, tg_constant(t->tape, NULL, TG_SHAPE(B, 1)));
    tg_tensor *loss = tg_affine(t->tape,
                                tg_binary_cross_entropy_with_logits(t->tape, logits, targets),
                                1.0 + (double)K, 0);
    tg_backward(t->tape, loss);
    tg_adam_step(&t->adam, t->params);
    const char *error = tg_tape_error(t->tape);
    if (!error) error = tg_params_error(t->params);
    if (error) return ex_fail("%s", error);
    t->loss += tg_item(loss);
    t->steps++;
    t->learned = true;
    t->pairs = 0;
    tg_tape_reset(t->tape);
    return true;
}

static bool add_pair(trainer *t, int32_t word, int32_t near)
{
    const int32_t row = 1 + (int32_t)t->o->negatives;
    int32_t *ids = t->near + t->pairs * row;
    t->words[t->pairs++] = word;
    ids[0] = near;
    for (int32_t k = 1; k < row; k++) {
        do {
            ids[k] = draw_word(t->text, &t->random);
        } while (ids[k] == near);
    }
    return t->pairs < PAIRS || step(t);
}

/* Drops frequent words of a sentence at random: a word that is the share f of the text stays
 * with the probability sqrt(sample / f). Returns the number of words that stay. */
static size_t subsample(trainer *t, const int32_t *ids, size_t count, int32_t *sampled)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < EX_FIRST_WORD) continue;
        double share = t->text->counts[ids[i]] / t->text->total;
        if (tg_random_uniform(&t->random) < sqrt(t->o->sample / share)) sampled[left++] = ids[i];
    }
    return left;
}

/* Pairs each word with the words up to `reach` away. reach is drawn for each word, so near words
 * are paired more often. */
static bool learn_sentence(trainer *t, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t reach = 1 + tg_random_below(&t->random, (uint32_t)t->o->window);
        for (size_t j = i < reach ? 0 : i - reach; j < count && j <= i + reach; j++) {
            if (j != i && !add_pair(t, ids[i], ids[j])) return false;
        }
    }
    return true;
}

/* Work space: `order` has an element for each sentence, `sampled` for each word of the longest
 * one. */
static bool learn(trainer *t, int32_t *order, int32_t *sampled)
{
    const corpus *c = t->text;
    const int interval = t->o->epochs < 10 ? 1 : (int)t->o->epochs / 10;
    for (int32_t i = 0; i < c->lines; i++) order[i] = i;
    for (int epoch = 1; epoch <= t->o->epochs; epoch++) {
        tg_random_shuffle(&t->random, order, c->lines);
        for (int32_t i = 0; i < c->lines; i++) {
            size_t start = order[i] ? c->ends[order[i] - 1] : 0;
            size_t left = subsample(t, c->ids + start, c->ends[order[i]] - start, sampled);
            double done = ((epoch - 1) + (double)i / c->lines) / (double)t->o->epochs;
            t->adam.lr = t->o->rate * fmax(1 - done, 1e-3);
            if (!learn_sentence(t, sampled, left)) return false;
        }
        if (!step(t)) return false;
        if (epoch % interval == 0 && t->steps > 0) {
            printf("epoch %2d   loss %.4f\n", epoch, t->loss / t->steps);
            fflush(stdout);
            t->loss = 0;
            t->steps = 0;
        }
    }
    return t->learned ||
           ex_fail("no two words of a sentence are left: raise --sample for such a short text");
}

/* ---- neighbours ---- */

/* Scales all vectors to length 1, so that a dot product is a cosine. */
static void make_units(const tg_tensor *table, tg_real *units)
{
    const int64_t E = table->shape[1];
    for (int64_t i = 0; i < table->shape[0]; i++) {
        double square = 0;
        for (int64_t e = 0; e < E; e++)
            square += (double)table->data[i * E + e] * (double)table->data[i * E + e];
        for (int64_t e = 0; e < E; e++)
            units[i * E + e] = square > 0 ? (tg_real)((double)table->data[i * E + e] / sqrt(square))
                                          : 0;
    }
}

typedef struct space {
    const corpus *text;
    const ex_names *words;
    const tg_real *units; /* [V, E] */
    int64_t width;
} space;

typedef struct neighbour {
    int32_t id;
    double cosine;
} neighbour;

/* Finds the words nearest to a vector, the nearest first, leaving out those in `excluded`;
 * returns their number. */
static int find_nearest(const space *s, const double *vector, const int32_t *excluded,
                        int n_excluded, neighbour *found, int max)
{
    int count = 0;
    for (int32_t id = EX_FIRST_WORD; id < s->words->count; id++) {
        double cosine = 0;
        bool skip = false;
        for (int i = 0; i < n_excluded; i++) skip = skip || excluded[i] == id;
        if (skip) continue;
        for (int64_t e = 0; e < s->width; e++)
            cosine += vector[e] * (double)s->units[id * s->width + e];
        int at = count < max ? count++ : max;
        for (; at > 0 && found[at - 1].cosine < cosine; at--) {
            if (at < max) found[at] = found[at - 1];
        }
        if (at < max) found[at] = (neighbour){id, cosine};
    }
    return count;
}

static void show_neighbours(const space *s, const char *word)
{
    const int32_t id = ex_names_find(s->words, word);
    double vector[MAX_WIDTH];
    neighbour found[NEIGHBOURS];
    if (id < EX_FIRST_WORD) {
        printf("  %-12s is not in the vocabulary\n", word);
        return;
    }
    for (int64_t e = 0; e < s->width; e++) vector[e] = (double)s->units[id * s->width + e];
    int count = find_nearest(s, vector, &id, 1, found, NEIGHBOURS);
    printf("  %-12s", word);
    for (int i = 0; i < count; i++)
        printf("  %s %.2f", s->words->items[found[i].id], found[i].cosine);
    printf("\n");
}

/* Shows neighbours of the words on the command line, or else of some others: in the made-up text
 * one of each kind, in another text the most frequent words that are less frequent than words
 * such as "the". */
static void show_some(const space *s, const options *o)
{
    printf("\nnearest, by cosine:\n");
    for (int i = 0; i < o->count; i++) show_neighbours(s, o->words[i]);
    if (o->count) return;
    for (int kind = 0; !o->input && kind < KINDS; kind++)
        show_neighbours(s, kinds[kind].words[kind]);
    int shown = 0;
    for (int32_t id = EX_FIRST_WORD; o->input && id < s->words->count && shown < SHOWN; id++) {
        if (s->text->counts[id] > 0.005 * s->text->total) continue;
        show_neighbours(s, s->words->items[id]);
        shown++;
    }
}

/* ---- measuring on the made-up text ---- */

/* How many neighbours of word i of a kind are of that kind; adds the number of neighbours to
 * *asked. */
static int neighbours_right(const space *s, int kind, int i, int *asked)
{
    const int32_t id = ex_names_find(s->words, kinds[kind].words[i]);
    double vector[MAX_WIDTH];
    neighbour found[NEIGHBOURS];
    int right = 0;
    if (id < EX_FIRST_WORD) return 0;
    for (int64_t e = 0; e < s->width; e++) vector[e] = (double)s->units[id * s->width + e];
    int count = find_nearest(s, vector, &id, 1, found, NEIGHBOURS);
    for (int k = 0; k < count; k++)
        for (int j = 0; j < KIND; j++)
            right += !strcmp(s->words->items[found[k].id], kinds[kind].words[j]);
    *asked += count;
    return right;
}

/* Whether the word nearest to b - a + c is d. */
static bool analogy_right(const space *s, const char *a, const char *b, const char *c,
                          const char *d)
{
    const int32_t ids[3] = {ex_names_find(s->words, a), ex_names_find(s->words, b),
                            ex_names_find(s->words, c)};
    double vector[MAX_WIDTH];
    neighbour found = {0};
    for (int i = 0; i < 3; i++) {
        if (ids[i] < EX_FIRST_WORD) return false;
    }
    for (int64_t e = 0; e < s->width; e++)
        vector[e] = (double)s->units[ids[1] * s->width + e] -
                    (double)s->units[ids[0] * s->width + e] +
                    (double)s->units[ids[2] * s->width + e];
    return find_nearest(s, vector, ids, 3, &found, 1) && !strcmp(s->words->items[found.id], d);
}

static bool measure(const space *s)
{
    int right = 0, asked = 0, solved = 0, posed = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < KIND; i++) right += neighbours_right(s, kind, i, &asked);
    for (int kind = 1; kind < LINKED; kind++)
        for (int i = 0; i < KIND * KIND; i++) {
            const int a = i / KIND, b = i % KIND;
            if (a == b) continue;
            solved += analogy_right(s, kinds[0].words[a], kinds[kind].words[a], kinds[0].words[b],
                                    kinds[kind].words[b]);
            posed++;
        }
    printf("\nof the same kind among the %d nearest: %.1f %%\n", NEIGHBOURS,
           100.0 * right / (asked ? asked : 1));
    printf("analogies such as paris - france + japan = tokyo: %.1f %% of %d\n",
           100.0 * solved / posed, posed);
    return right >= 0.9 * asked ||
           ex_fail("less than 90 %% of the nearest words are of the same kind");
}

/* ---- the file ---- */

static bool write_vectors(const corpus *c, const tg_tensor *table, const char *path)
{
    const int64_t E = table->shape[1];
    ex_output output;
    FILE *file = ex_output_open(&output, path);
    if (!file) return false;
    int32_t count = 0; /* of words without a blank; folding makes blanks of a few signs */
    for (int32_t id = EX_FIRST_WORD; id < c->words.count; id++)
        count += !strchr(c->words.items[id], ' ');
    fprintf(file, "%d %lld\n", count, (long long)E);
    for (int32_t id = EX_FIRST_WORD; id < c->words.count; id++) {
        if (strchr(c->words.items[id], ' ')) continue;
        fputs(c->words.items[id], file);
        for (int64_t e = 0; e < E; e++) fprintf(file, " %.6g", (double)table->data[id * E + e]);
        fputc('\n', file);
    }
    return ex_output_close(&output, true) &&
           printf("\n%s: %d words, %lld numbers each\n", path, count, (long long)E) > 0;
}

static bool finish(const corpus *c, const options *o, const tg_tensor *table)
{
    tg_real *units = ex_allocate(NULL, (size_t)table->size, sizeof *units);
    if (!units) return false;
    make_units(table, units);
    const space s = {c, &c->words, units, table->shape[1]};
    show_some(&s, o);
    bool good = write_vectors(c, table, o->output) && (o->input || measure(&s));
    ex_free(units);
    return good;
}

static bool run(corpus *c, const options *o)
{
    const uint64_t seed = (uint64_t)o->seed;
    if (!ex_output_check(o->output) || !(o->input ? read_text(c, o->input) : make_up(c, seed)))
        return false;
    if (!number_words(c, o)) return false;
    const int64_t V = c->words.count, E = o->width;
    printf("%d sentences, %.0f words, %lld different\n", c->lines, c->total,
           (long long)V - EX_FIRST_WORD);
    trainer t = {.text = c,
                 .o = o,
                 .params = tg_params_new(seed),
                 .tape = tg_tape_new(seed),
                 .adam = tg_adam_default(o->rate),
                 .random = tg_random_new(seed, "skip-gram")};
    t.in = tg_param(t.params, NULL, "in", TG_SHAPE(V, E), tg_init_uniform(0.5 / (double)E));
    t.out = tg_param(t.params, NULL, "out", TG_SHAPE(V, E), tg_init_constant(0));
    int32_t *order = ex_allocate(NULL, (size_t)c->lines, sizeof *order);
    int32_t *sampled = ex_allocate(NULL, c->tokens.count, sizeof *sampled);
    const char *error = tg_params_error(t.params);
    bool good = order && sampled && (!error || ex_fail("%s", error)) && learn(&t, order, sampled) &&
                finish(c, o, t.in);
    ex_free(order);
    ex_free(sampled);
    tg_tape_free(t.tape);
    tg_params_free(t.params);
    return good;
}

/* ---- the command line ---- */

#define INTEGER(field, min, max) EX_INTEGER, offsetof(options, field), min, max, NULL, "N"
#define NUMBER(field, min, max) EX_NUMBER, offsetof(options, field), min, max, NULL, "X"

static const ex_option rules[] = {
    {"width", 0, 1, INTEGER(width, 1, MAX_WIDTH), "numbers in a vector (32)"},
    {"window", 0, 1, INTEGER(window, 1, 100), "the largest distance of near words (5)"},
    {"negatives", 0, 1, INTEGER(negatives, 1, MAX_NEGATIVES), "words drawn for each near word (5)"},
    {"epochs", 0, 1, INTEGER(epochs, 1, 1e6), "passes over the text (20)"},
    {"min-count", 0, 1, INTEGER(min_count, 1, 1e9), "how often a word must occur (2)"},
    {"sample", 0, 1, NUMBER(sample, 1e-9, 1),
     "words above this share of the text are thinned out (0.001)"},
    {"rate", 0, 1, NUMBER(rate, 1e-9, 1), "Adam's learning rate at the start (0.005)"},
    {"seed", 0, 1, INTEGER(seed, 0, 1e9), "of the random numbers (1)"},
    {"output", 'o', 1, EX_TEXT, offsetof(options, output), 0, 0, NULL, "FILE",
     "the file to write (vectors.txt)"},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    ex_begin();
    options o = {.output = "vectors.txt",
                 .width = 32,
                 .window = 5,
                 .negatives = 5,
                 .epochs = 20,
                 .min_count = 2,
                 .rate = 0.005,
                 .sample = 1e-3,
                 .seed = 1};
    corpus c = {0};
    const ex_parsed parsed = ex_options_read(&o, rules, 1, &argc, &argv);
    if (parsed == EX_WRONG) return ex_end("word_vectors", 2, "; see word_vectors --help");
    if (parsed == EX_HELP) {
        printf("word_vectors [OPTION]... [FILE [WORD]...]: learns word vectors from FILE, and "
               "shows the words nearest to each WORD\n\n");
        ex_options_show(rules, 1);
        return ex_end("word_vectors", 0, NULL);
    }
    if (argc > 0) o.input = argv[0];
    o.words = argv + (argc > 0);
    o.count = argc - (argc > 0);
    const bool good = run(&c, &o);
    corpus_free(&c);
    return ex_end("word_vectors", good ? 0 : 1, NULL);
}
