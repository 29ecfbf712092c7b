/* Random graphs of operators with random shapes: broadcast, of size 1 and 0, transposed, masked,
 * with lengths. In double every gradient is compared with numerical differences (tg_gradcheck). In
 * float and in double a graph gives the same bits with one thread and with three. Every eighth
 * graph may have wrong arguments, which must be errors on the tape. */
#include "../../inspect/operators.h"
#include "graph.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum { MAX_STEPS = 8 };

/* ---- building ---- */

/* The weighted sum of all values that no operator reads. */
static tg_tensor *loss_of(graph *g)
{
    tg_tensor *ends[MAX_VALUES];
    int count = 0;
    for (int i = 0; i < g->count; i++) {
        if (!g->read[i]) ends[count++] = tg_reshape(g->tape, g->values[i].tensor, TG_SHAPE(-1));
    }
    return test_weighted_loss(g->tape, tg_concat(g->tape, count, ends, 0), 1);
}

/* A tg_gradcheck_function. */
static tg_tensor *build(tg_tape *tape, void *context)
{
    graph *g = context;
    g->input = g->bytes;
    g->tape = tape;
    g->next_fresh = g->next_layer = g->count = 0;
    memset(g->read, 0, sizeof g->read);
    g->wild = fuzz_choose(&g->input, 8) == 7;
    g->values[g->count++] = graph_fresh(g, graph_shape(g));
    const int steps = 1 + fuzz_choose(&g->input, MAX_STEPS);
    for (int i = 0; i < steps && !tg_tape_error(tape) && !tg_params_error(g->params); i++)
        graph_step(g);
    return loss_of(g);
}

/* ---- statistics ---- */

enum { MAX_OPERATORS = 100, ENOUGH = 300 };

static struct {
    long long graphs, checked, inconclusive;
    const tg_op *operators[MAX_OPERATORS]; /* those that were in a graph */
    int operator_count;
} done;

static void count_operators(const tg_node *node)
{
    for (; node; node = node->previous) {
        int i = 0;
        while (i < done.operator_count && done.operators[i] != node->op) i++;
        FUZZ_CHECK(i < MAX_OPERATORS, "%d operators", i);
        done.operators[i] = node->op;
        done.operator_count += i == done.operator_count;
    }
}

/* Enough random inputs must reach every operator of the table, and few of the gradient checks may
 * be inconclusive. */
static void at_end(void)
{
    fprintf(stderr,
            "graph: %lld graphs with %d operators; the gradients of %lld were checked, of which "
            "%lld were inconclusive\n",
            done.graphs, done.operator_count, done.checked, done.inconclusive);
    if (!fuzz_random || done.graphs < ENOUGH) return;
    FUZZ_CHECK(done.inconclusive <= done.checked / 20, "too many gradient checks are inconclusive");
    for (int k = 0; k < tg_operator_count; k++) {
        int i = 0;
        while (i < done.operator_count && done.operators[i] != tg_operators[k]) i++;
        FUZZ_CHECK(i < done.operator_count, "no graph has the operator %s", tg_operators[k]->name);
    }
}

/* ---- gradients ---- */

#ifdef TG_DOUBLE

/* dloss/dp[index] by a difference of fourth order, as in tg_gradcheck, with the given step. */
static double difference(graph *g, tg_tensor *p, int64_t index, double step)
{
    static const double steps[4] = {1, -1, 2, -2}, factors[4] = {8, -8, -1, 1};
    const tg_real original = p->data[index];
    double sum = 0;
    tg_tape *tape = tg_tape_new(1);
    for (int k = 0; k < 4; k++) {
        tg_tape_reset(tape);
        *tg_tape_random(tape) = tg_random_new(1, "tape");
        p->data[index] = (tg_real)((double)original + steps[k] * step);
        sum += factors[k] * tg_item(build(tape, g));
    }
    p->data[index] = original;
    tg_tape_free(tape);
    return sum / (12 * step);
}

/* A failed check may be due to a kink, or to a curvature too large for the step. Then the
 * difference with half the step is another number, and the check is inconclusive. */
static void check_gradients(graph *g)
{
    tg_gradcheck_report report;
    done.checked++;
    if (tg_gradcheck(g->params, build, g, &report)) return;
    tg_tensor *p = tg_params_find(g->params, report.parameter);
    FUZZ_CHECK(p && report.index >= 0, "%s", report.message);
    const double coarse = difference(g, p, report.index, 1e-3),
                 fine = difference(g, p, report.index, 0.5e-3);
    const bool conclusive = fabs(coarse - fine) <= 0.1 * fabs(report.analytic - fine);
    FUZZ_CHECK(!conclusive, "%s; with half the step the difference is %.9g", report.message, fine);
    done.inconclusive++;
}

#endif

/* ---- the same bits ---- */

static void use_threads(int count)
{
#ifdef _OPENMP
    omp_set_num_threads(count);
#else
    (void)count;
#endif
}

/* All gradients, then the loss; the caller frees the array. NULL if the graph ends in an error. */
static tg_real *compute(graph *g, int threads, size_t *count)
{
    tg_tape *tape = tg_tape_new(1);
    use_threads(threads);
    tg_tensor *loss = build(tape, g);
    const bool good = tg_backward(tape, loss);
    FUZZ_CHECK(good == !tg_tape_error(tape), "a backward pass failed without an error message");
    const char *error = tg_params_error(g->params) ? tg_params_error(g->params)
                                                   : tg_tape_error(tape);
    FUZZ_CHECK(!error || g->wild, "%s", error);
    FUZZ_CHECK(g->wild || isfinite(tg_item(loss)), "the loss is %g", tg_item(loss));
    if (loss) count_operators(loss->node);
    *count = 0;
    tg_real *numbers = good ? malloc(((size_t)tg_params_size(g->params) + 1) * sizeof *numbers)
                            : NULL;
    for (int64_t i = 0; numbers && i < tg_params_count(g->params); i++) {
        const tg_tensor *p = tg_params_at(g->params, i);
        for (int64_t k = 0; k < p->size; k++) numbers[(*count)++] = p->has_grad ? p->grad[k] : 0;
    }
    if (numbers) numbers[(*count)++] = loss->data[0];
    tg_params_zero_grad(g->params);
    tg_tape_free(tape);
    return numbers;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t count, again;
    graph g = {.bytes = {bytes, size}, .params = tg_params_new(1)};
    if (!done.graphs++) atexit(at_end);
    fuzz_memory_limit(1 << 20, 15);
    tg_real *one = compute(&g, 1, &count), *three = one ? compute(&g, 3, &again) : NULL;
    FUZZ_CHECK(!one || (count == again && !memcmp(one, three, count * sizeof *one)),
               "one thread and three give different bits");
    use_threads(1);
#ifdef TG_DOUBLE
    if (one && !g.wild) check_gradients(&g);
#endif
    free(one);
    free(three);
    tg_params_free(g.params);
    return 0;
}
