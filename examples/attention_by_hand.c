/* Attention by hand: the worked numbers of five articles on attention, step by step, forward and
 * backward. It prints every gradient three times: computed here by its formula, computed by the
 * tape, and as a finite difference. A line with a ! corrects what an article prints.
 *
 *     attention_by_hand                 prints it all
 *     attention_by_hand -o FILE.html    also writes a page to step through the third example
 *
 * It is built with the library in double, in which a finite difference is conclusive; in float
 * fewer digits agree. Returns non-zero if anything that it prints is wrong. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "stepper/stepper.h"
#include "support/failure.h"
#include "support/files.h"

enum { DOUBLE = sizeof(tg_real) == sizeof(double), MAX_SIZE = 9 /* numbers in a matrix */ };
static const double tolerance = DOUBLE ? 1e-8 : 5e-3, nudge = DOUBLE ? 1e-4 : 1e-2;
static bool all_hold = true;

/* Every claim is checked as it is printed. */
static void holds(bool true_here, const char *claim)
{
    if (!true_here) printf("   DOES NOT HOLD: %s\n", claim);
    all_hold = all_hold && true_here;
}

static bool near(double a, double b, double within) { return fabs(a - b) <= within; }

/* What an article prints, and the correction, which continues in `more` (or NULL). */
static void wrong(bool true_here, const char *printed, const char *truth, const char *more)
{
    printf(" ! %-38s%s\n", printed, truth);
    if (more) printf("   %-38s%s\n", "", more);
    holds(true_here, truth);
}

/* ---- attention in single operators: s = q k^T, a = softmax(s), z = a k, and with a residual z
 * + q ---- */

typedef struct attention {
    tg_params *params;
    tg_tape *tape;
    tg_tensor *q, *k; /* [queries, width], [keys, width]; the keys are the values, too */
    tg_tensor *s_nudge, *a_nudge; /* zeros added to s and a: their gradients are dL/ds and dL/da */
    bool residual;
    tg_tensor *s, *a, *z, *out;
} attention;

/* L, the sum of all results */
static tg_tensor *loss(tg_tape *tape, void *context)
{
    attention *m = context;
    m->s = tg_add(tape, tg_matmul_transposed(tape, m->q, m->k, TG_TRANSPOSE_B), m->s_nudge);
    m->a = tg_add(tape, tg_softmax(tape, m->s), m->a_nudge);
    m->z = tg_matmul(tape, m->a, m->k);
    m->out = m->residual ? tg_add(tape, m->z, m->q) : m->z;
    return tg_sum(tape, m->out, TG_ALL_AXES, false);
}

static _Noreturn void give_up(const char *error)
{
    fprintf(stderr, "attention_by_hand: %s\n", error);
    exit(1);
}

/* A parameter with these values; NULL: zeros. */
static tg_tensor *matrix(tg_params *params, const char *name, int64_t rows, int64_t columns,
                         const tg_real *numbers)
{
    tg_tensor *p = tg_param(params, NULL, name, TG_SHAPE(rows, columns), tg_init_constant(0));
    if (!p) give_up(tg_params_error(params));
    if (numbers) memcpy(p->data, numbers, (size_t)p->size * sizeof *numbers);
    return p;
}

static attention begin(int64_t queries, const tg_real *q, int64_t keys, const tg_real *k,
                       int64_t width, bool residual)
{
    attention m = {.params = tg_params_new(1), .tape = tg_tape_new(1), .residual = residual};
    m.q = matrix(m.params, "q", queries, width, q);
    m.k = matrix(m.params, "k", keys, width, k);
    m.s_nudge = matrix(m.params, "s", queries, keys, NULL);
    m.a_nudge = matrix(m.params, "a", queries, keys, NULL);
    tg_backward(m.tape, loss(m.tape, &m));
    if (tg_tape_error(m.tape)) give_up(tg_tape_error(m.tape));
    return m;
}

/* ---- the same in plain C, by the formulas ---- */

typedef struct by_hand {
    double s[MAX_SIZE], a[MAX_SIZE], z[MAX_SIZE], out[MAX_SIZE], da[MAX_SIZE], ds[MAX_SIZE],
        dq[MAX_SIZE], dk[MAX_SIZE];
} by_hand;

static by_hand work_out(const attention *m)
{
    by_hand r = {.s = {0}};
    const int queries = (int)m->q->shape[0], keys = (int)m->k->shape[0],
              width = (int)m->q->shape[1];
    const tg_real *q = m->q->data, *k = m->k->data;
    for (int i = 0; i < queries; i++) {
        double *s = r.s + i * keys, *a = r.a + i * keys, *z = r.z + i * width, sum = 0, mean = 0;
        for (int j = 0; j < keys; j++) {
            for (int d = 0; d < width; d++) s[j] += (double)(q[i * width + d] * k[j * width + d]);
            sum += exp(s[j]);
        }
        for (int j = 0; j < keys; j++) {
            a[j] = exp(s[j]) / sum;
            for (int d = 0; d < width; d++) {
                z[d] += a[j] * (double)k[j * width + d];
                r.da[i * keys + j] += (double)k[j * width + d]; /* dL/dz is 1 everywhere */
            }
            mean += a[j] * r.da[i * keys + j]; /* sum_j a_ij dL/da_ij */
        }
        for (int d = 0; d < width; d++) {
            r.out[i * width + d] = z[d] + (m->residual ? (double)q[i * width + d] : 0);
            r.dq[i * width + d] = m->residual ? 1 : 0;
        }
        for (int j = 0; j < keys; j++) {
            double ds = r.ds[i * keys + j] = a[j] * (r.da[i * keys + j] - mean);
            for (int d = 0; d < width; d++) {
                r.dq[i * width + d] += ds * (double)k[j * width + d];
                r.dk[j * width + d] += a[j] + ds * (double)q[i * width + d];
            }
        }
    }
    return r;
}

/* ---- printing both, and the finite differences ---- */

static void print_row(int count, const double *x)
{
    for (int i = 0; i < count; i++)
        printf("%8.4f", fabs(x[i]) < 0.00005 ? 0 : x[i]); /* never -0.0000 */
}

static void forward(const char *formula, const double *hand, const tg_tensor *tape)
{
    const int rows = (int)tape->shape[0], columns = (int)tape->shape[1];
    for (int i = 0; i < rows; i++) {
        printf("   %-34s", i ? "" : formula);
        print_row(columns, hand + i * columns);
        printf("\n");
    }
    for (int i = 0; i < rows * columns; i++)
        holds(near(hand[i], (double)tape->data[i], tolerance), formula);
}

static double loss_at(attention *m, tg_real *number, double at)
{
    *number = (tg_real)at;
    tg_tape_reset(m->tape);
    return tg_item(loss(m->tape, m));
}

/* (L(x + h) - L(x - h)) / 2h */
static double difference(attention *m, tg_real *number)
{
    const double x = (double)*number, above = loss_at(m, number, x + nudge),
                 below = loss_at(m, number, x - nudge);
    *number = (tg_real)x;
    return (above - below) / (2 * nudge);
}

static void backward(attention *m, const char *formula, const double *hand, const tg_tensor *x)
{
    const int rows = (int)x->shape[0], columns = (int)x->shape[1];
    printf("   %s\n", formula);
    for (int i = 0; i < rows; i++) {
        double tape[MAX_SIZE], nudged[MAX_SIZE];
        for (int j = 0; j < columns; j++) {
            const int at = i * columns + j;
            tape[j] = (double)x->grad[at];
            nudged[j] = difference(m, &x->data[at]);
            holds(near(hand[at], tape[j], tolerance) && near(hand[at], nudged[j], tolerance),
                  formula);
        }
        printf("     ");
        print_row(columns, hand + i * columns);
        printf(" |");
        print_row(columns, tape);
        printf(" |");
        print_row(columns, nudged);
        printf("\n");
    }
}

/* The fused operator, which never stores s or a, gives the same results. */
static void compare_tiled(attention *m, const by_hand *r)
{
    tg_tensor *q, *k, *z;
    tg_params_zero_grad(m->params);
    tg_tape_reset(m->tape);
    q = tg_reshape(m->tape, m->q, TG_SHAPE(1, m->q->shape[0], -1));
    k = tg_reshape(m->tape, m->k, TG_SHAPE(1, m->k->shape[0], -1));
    z = tg_dot_attention(m->tape, q, k, k, 1, 1, 0, NULL);
    if (m->residual) z = tg_add(m->tape, z, q);
    bool same = tg_backward(m->tape, tg_sum(m->tape, z, TG_ALL_AXES, false));
    for (int64_t i = 0; same && i < m->q->size; i++)
        same = near((double)z->data[i], r->out[i], tolerance) &&
               near((double)m->q->grad[i], r->dq[i], tolerance);
    for (int64_t i = 0; same && i < m->k->size; i++)
        same = near((double)m->k->grad[i], r->dk[i], tolerance);
    holds(same, "tg_dot_attention differs from its steps");
}

/* Prints and checks every step; runs the gradient check; then records the forward pass again. */
static void show(attention *m)
{
    const by_hand r = work_out(m);
    forward("scores   s_ij = q_i . k_j", r.s, m->s);
    forward("weights  a_i = softmax_j(s_ij)", r.a, m->a);
    forward("result   z_i = sum_j a_ij k_j", r.z, m->z);
    if (m->residual) forward("residual z_i + q_i", r.out, m->out);
    printf("   backward from L, the sum of the results:   by formula | by the tape | finite "
           "difference\n");
    backward(m, "dL/da_ij = dL/dz_i . k_j", r.da, m->a_nudge);
    backward(m, "dL/ds_ij = a_ij (dL/da_ij - sum_t a_it dL/da_it)", r.ds, m->s_nudge);
    backward(m,
             m->residual ? "dL/dq_i = sum_j dL/ds_ij k_j + dL/dz_i"
                         : "dL/dq_i = sum_j dL/ds_ij k_j",
             r.dq, m->q);
    backward(m, "dL/dk_j = sum_i (a_ij dL/dz_i + dL/ds_ij q_i)   k_j is a value and a key", r.dk,
             m->k);
    compare_tiled(m, &r);
    tg_gradcheck_report report;
    holds(tg_gradcheck(m->params, loss, m, &report), report.message);
    printf("   tg_gradcheck confirms all %lld gradients; the fused operator tg_dot_attention gives "
           "the same.\n",
           (long long)report.checked);
    tg_tape_reset(m->tape);
    loss(m->tape, m);
}

static void end(attention *m)
{
    tg_tape_free(m->tape);
    tg_params_free(m->params);
    printf("\n");
}

/* ---- the articles ---- */

static const tg_real X[] = {1, 2, 3}, H[] = {(tg_real)0.1, (tg_real)0.2, (tg_real)0.3};
static const tg_real FOUR[] = {1, 0, 0, 1, 1, 1, -1, (tg_real)0.5}, Y[] = {(tg_real)0.5, 1};

static void as_one_query(void)
{
    printf("1. X = [1, 2, 3], H = [0.1, 0.2, 0.3], as one query of width 3 and one key\n"
           "   (article \"scaled dot-product attention and a text classifier\")\n");
    attention m = begin(1, X, 1, H, 3, false);
    show(&m);
    const by_hand r = work_out(&m);
    const bool nothing = near(r.a[0], 1, 0) && near(r.dq[0], 0, tolerance) &&
                         near(r.dq[1], 0, tolerance);
    wrong(near(r.s[0], 1.4, 1e-6), "1.1 + 0.4 + 0.9 = 2.4", "1 x 0.1 is 0.1, so the sum is 1.4",
          NULL);
    wrong(nothing && m.a->size == 1, "softmax over 2.4, 1.2 and -0.6",
          "there is one score, scaled or not. Its weight is 1,",
          "the result is H, and X gets no gradient");
    wrong((double)H[2] < 0.7, "0.2 + 0.2 + 0.3 = 0.7",
          "a weighted mean of 0.1, 0.2, 0.3 cannot exceed 0.3", NULL);
    end(&m);
}

static void as_three_queries(void)
{
    printf("2. The same numbers as three queries of width 1 over three keys of width 1\n");
    attention m = begin(3, X, 3, H, 1, false);
    show(&m);
    const tg_real *z = m.z->data;
    holds(near((double)z[0], 0.2067, 5e-5) && near((double)z[1], 0.2132, 5e-5) &&
              near((double)z[2], 0.2197, 5e-5),
          "the results are 0.2067, 0.2132, 0.2197");
    printf("   dL/dq_i is the variance of the keys under the weights of query i. d_k is 1, so "
           "1/sqrt(d_k) changes nothing.\n");
    const tg_node *product = m.s->node->inputs[0]->node; /* n = 3, d = 1: 2 n^2 d operations */
    wrong(near(product->op->flops(product), 18, 0), "Q K^T costs O(n d_k^2)",
          "it made 9 products: n^2 d is 9, n d^2 is 3. So it is O(n^2 d)",
          "(article \"self-, cross- and multi-head attention\"; see attention_cost)");
    end(&m);
}

static void one_target(void)
{
    printf(
        "3. Four vectors x_i and one target y: a_i = softmax_i(x_i . y), z = sum_i a_i x_i, and "
        "z + y\n"
        "   (article \"attention, step by step\", with numbers of ours: q is y, k_1 .. k_4 are the "
        "x_i)\n");
    attention m = begin(1, Y, 4, FOUR, 2, true);
    show(&m);
    tg_params_zero_grad(m.params);
    tg_tape_reset(m.tape);
    loss(m.tape, &m);
    tg_tensor *total = tg_sum(m.tape, m.a, TG_AXES(1), true);
    tg_tensor *printed = tg_mul(m.tape, total, m.q); /* sum_i a_i y */
    tg_backward(m.tape, tg_sum(m.tape, printed, TG_ALL_AXES, false));
    bool is_y = near((double)printed->data[0], (double)Y[0], tolerance) &&
                near((double)printed->data[1], 1, tolerance);
    for (int i = 0; i < 8; i++) is_y = is_y && near((double)m.k->grad[i], 0, tolerance);
    wrong(is_y, "z = sum_i a_i y",
          "the weights sum to 1, so that is y itself, (0.5, 1): it ignores",
          "every x_i, and every dL/dx_i is 0. The sum should be of a_i x_i");
    end(&m);
}

/* One query over n keys: the attention weights, or the result, of a layer without parameters. */
static const tg_real *attend(tg_tape *tape, tg_attention layer, bool weights, int64_t width,
                             const tg_real *query, int64_t n, const tg_real *keys)
{
    static const tg_real none[MAX_SIZE];
    tg_tensor *attended;
    tg_tensor *k = tg_constant(tape, keys, TG_SHAPE(1, n, width));
    tg_tensor *y = tg_attention_forward(tape, &layer,
                                        tg_constant(tape, query, TG_SHAPE(1, 1, width)), k, k, NULL,
                                        &attended);
    tg_tensor *result = weights ? tg_attention_weights(tape, attended) : y;
    return result ? result->data : none;
}

static void scales(tg_tape *tape)
{
    char text[100], more[100];
    const tg_real *dot = attend(tape, (tg_attention){.score = TG_SCORE_DOT}, true, 2, Y, 4, FOUR);
    const tg_attention layer = {.score = TG_SCORE_SCALED_DOT};
    const tg_real *scaled = attend(tape, layer, true, 2, Y, 4, FOUR);
    snprintf(text, sizeof text, "is scaled dot-product attention. It gives example 3 the weights");
    snprintf(more, sizeof more, "%.4f %.4f %.4f %.4f", (double)scaled[0], (double)scaled[1],
             (double)scaled[2], (double)scaled[3]);
    wrong(dot[2] > scaled[2], "dot-product attention with sqrt(d_k)", text, more);
    const double weight = 1 / (1 + exp(-8.0)), steep = exp(-64.0),
                 gentle = weight * (1 - weight); /* a (1 - a), a near 1 */
    snprintf(text, sizeof text,
             "it keeps them alive: scores 64 and 0 (d_k = 64) give da/ds = %.0e;", steep);
    snprintf(more, sizeof more, "scaled, the scores are 8 and 0: da/ds = %.0e", gentle);
    wrong(steep < 1e-20 && gentle > 1e-4, "\"the scale makes gradients vanish\"", text, more);
}

static void similarities(tg_tape *tape)
{
    char text[200];
    const tg_real *a = attend(tape, (tg_attention){.score = TG_SCORE_EUCLIDEAN}, true, 1, X, 3, X);
    snprintf(text, sizeof text,
             "needs a minus: query 1 weighs 1, 2, 3 by %.2f %.2f %.2f, not %.2f %.2f %.2f",
             (double)a[0], (double)a[1], (double)a[2], (double)a[2], (double)a[1], (double)a[0]);
    wrong(a[0] > a[1] && a[1] > a[2], "softmax of a Euclidean distance", text, NULL);
    const double y = (double)*attend(tape,
                                     (tg_attention){.score = TG_SCORE_DOT, .times_score = true},
                                     false, 1, X, 3, X);
    snprintf(text, sizeof text,
             "a depends on i, too: sum_j a_ij s_ij x_j. X = [1, 2, 3]: y_1 = %.4f", y);
    wrong(near(y, (exp(1) + 4 * exp(2) + 9 * exp(3)) / (exp(1) + exp(2) + exp(3)), 1e-5),
          "y_i = sum_j a_j s_ij x_j", text, NULL);
}

static void shapes(tg_params *params, tg_tape *tape)
{
    tg_tensor *rows = tg_constant(tape, NULL, TG_SHAPE(3, 10)),
              *regions = tg_constant(tape, NULL, TG_SHAPE(3, 10, 2));
    tg_sequential_attention layer;
    tg_sequential_attention_init(&layer, params, "documents", 10, 20, 5);
    tg_tensor *y = tg_parallel_attention_forward(tape, &layer, regions, NULL);
    wrong(y && y->ndim == 2 && y->shape[0] == 3 && y->shape[1] == 5,
          "ParallelAttention of [3, 10, 2]",
          "Linear(10) gets a last axis of 2; as 3 x [10, 2 regions] it gives [3, 5]", NULL);
    const tg_tensor *one = tg_softmax(tape, tg_constant(tape, NULL, TG_SHAPE(3, 1)));
    bool ones = one && (double)one->data[0] == 1 && (double)one->data[2] == 1;
    tg_tensor *states = tg_constant(tape, NULL, TG_SHAPE(3, 2)); /* T = 3, two features */
    tg_tensor *features = tg_softmax(tape, states);
    tg_tensor *in_time = tg_sum(tape, features, TG_AXES(0), false);
    bool more = in_time && near((double)in_time->data[0], 1.5, 1e-6);
    tg_sequential_attention_forward(tape, &layer, rows, tg_full_length(), NULL);
    const char *error = tg_tape_take_error(tape);
    wrong(ones && error, "SequentialAttention of [3, 10]",
          "softmax over one element: all weights are 1. It needs [B, T, 10]; tapegrad says", error);
    printf("   (article \"self-, cross- and multi-head attention\")\n");
    wrong(more, "softmax over the LSTM's last axis",
          "is over features, not time: with two features, 3 words get weights that sum to 1.5",
          NULL);
}

static void other_formulas(void)
{
    printf(
        "4. Other formulas\n   (article \"scaled dot-product attention and a text classifier\")\n");
    tg_params *params = tg_params_new(1);
    tg_tape *tape = tg_tape_new(1);
    scales(tape);
    printf("   (article \"sequential and parallel attention\")\n");
    similarities(tape);
    shapes(params, tape);
    tg_tape_free(tape);
    tg_params_free(params);
}

/* ---- a page to step through ---- */

/* L, the sum of z + q, by the fused operator. */
static double fused_loss(void *context)
{
    attention *m = context;
    tg_tape_reset(m->tape);
    tg_tensor *q = tg_reshape(m->tape, m->q, TG_SHAPE(1, m->q->shape[0], -1));
    tg_tensor *k = tg_reshape(m->tape, m->k, TG_SHAPE(1, m->k->shape[0], -1));
    m->z = tg_add(m->tape, tg_dot_attention(m->tape, q, k, k, 1, 1, 0, NULL), m->q);
    m->out = tg_sum(m->tape, m->z, TG_ALL_AXES, false);
    return tg_item(m->out);
}

static tg_tensor *named_loss(attention *m, stepper *page)
{
    tg_tensor *s = tg_matmul_transposed(m->tape, m->q, m->k, TG_TRANSPOSE_B);
    stepper_name(page, s, STEPPER_COLUMNS_ARE_WORDS, "s");
    tg_tensor *a = stepper_name(page, tg_softmax(m->tape, s), STEPPER_COLUMNS_ARE_WORDS, "a");
    tg_tensor *z = stepper_name(page, tg_matmul(m->tape, a, m->k), 0, "z");
    tg_tensor *y = stepper_name(page, tg_add(m->tape, z, m->q), 0, "y");
    stepper_name(page, m->q, 0, "q");
    stepper_name(page, m->k, STEPPER_ROWS_ARE_WORDS, "k");
    return stepper_name(page, tg_sum(m->tape, y, TG_ALL_AXES, false), 0, "L");
}

/* Writes a page of the third example, without the zeros that are there to be nudged. False after
 * ex_fail. */
static bool write_page(const char *path)
{
    static const char *const vectors[] = {"k₁", "k₂", "k₃", "k₄"};
    attention m = begin(1, Y, 4, FOUR, 2, true), fused = begin(1, Y, 4, FOUR, 2, true);
    stepper page = {
        .title = "Attention by hand",
        .words = vectors,
        .word_count = 4,
        .lr = 0.1,
        .loss_again = fused_loss,
        .about = "One target q, four vectors k: s = q kᵀ, a = softmax(s), z = a k, y = z + q",
        .context = &m,
        .max_difference = 1e-5};
    tg_params_zero_grad(m.params);
    tg_params_zero_grad(fused.params);
    tg_tape_reset(m.tape);
    const double fused_sum = fused_loss(&fused);
    const tg_tensor *sum = named_loss(&m, &page);
    bool good = tg_backward(fused.tape, fused.out) && tg_backward(m.tape, (tg_tensor *)sum);
    page.difference[0] = fabs(tg_item(sum) / fused_sum - 1);
    for (int i = 0; good && i < 10; i++) {
        const tg_real a = i < 2 ? m.q->grad[i] : m.k->grad[i - 2],
                      b = i < 2 ? fused.q->grad[i] : fused.k->grad[i - 2];
        page.difference[2] = fmax(page.difference[2], fabs((double)(a - b)));
    }
    holds(good && page.difference[0] <= 1e-5 && page.difference[2] <= 1e-5,
          "the page agrees with tg_dot_attention");
    ex_output file = {0};
    good = good && ex_output_open(&file, path) && stepper_write(&page, file.stream, sum, m.params);
    good = ex_output_close(&file, good) || ex_fail("%s: cannot write the page", path);
    if (good) printf("written: %s\n", path);
    stepper_free(&page);
    end(&m);
    end(&fused);
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 1 && (argc != 3 || strcmp(argv[1], "-o"))) {
        fprintf(stderr, "usage: attention_by_hand [-o FILE.html]\n");
        return 2;
    }
    as_one_query();
    as_three_queries();
    one_target();
    other_formulas();
    if (argc == 3 && !write_page(argv[2])) return ex_end("attention_by_hand", 1, NULL);
    printf("\n%s\n", all_hold ? "Every number above holds." : "Something above does not hold.");
    return all_hold ? 0 : 1;
}
