/* Random graphs of operators with random shapes: broadcast, of size 1 and 0, transposed, masked, with lengths. In double
 * every gradient is compared with differences (tg_gradcheck); in float and in double a graph gives the same bits with one
 * thread and with three. Of every eighth graph the arguments may be wrong, and it has to end in an error on the tape, if at
 * all. */
#include "../../inspect/operators.h"
#include "graph.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum { MAX_STEPS = 8 };

/* ---- building ---- */

/* Everything that nobody has read, weighed and added up. */
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
    g->input = g->whole;
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

/* ---- what has been done ---- */

enum { MAX_OPERATORS = 100, ENOUGH = 300 };

static struct {
    long long graphs, checked, unclear;
    const tg_op *operators[MAX_OPERATORS]; /* that were in a graph */
    int operator_count;
} done;

static void note_operators(const tg_node *node)
{
    for (; node; node = node->previous) {
        int i = 0;
        while (i < done.operator_count && done.operators[i] != node->op) i++;
        FUZZ_CHECK(i < MAX_OPERATORS, "%d operators", i);
        done.operators[i] = node->op;
        done.operator_count += i == done.operator_count;
    }
}

/* Enough random inputs have every operator of the registry in them, and few whose gradients differences say nothing about.
 * */
static void at_end(void)
{
    fprintf(stderr,
            "graph: %lld graphs of %d operators, %lld with gradients checked, %lld of them at a "
            "kink or too steep\n",
            done.graphs, done.operator_count, done.checked, done.unclear);
    if (!fuzz_random || done.graphs < ENOUGH) return;
    FUZZ_CHECK(done.unclear <= done.checked / 20, "too much is left unchecked");
    for (int k = 0; k < tg_operator_count; k++) {
        int i = 0;
        while (i < done.operator_count && done.operators[i] != tg_operators[k]) i++;
        FUZZ_CHECK(i < done.operator_count, "%s is in no graph", tg_operators[k]->name);
    }
}

/* ---- gradients ---- */

#ifdef TG_DOUBLE

/* dloss/d(number) by a difference of fourth order, as tg_gradcheck's, with another step. */
static double difference(graph *g, tg_tensor *p, int64_t index, double step)
{
    static const double steps[4] = {1, -1, 2, -2}, factors[4] = {8, -8, -1, 1};
    const tg_real kept = p->data[index];
    double sum = 0;
    tg_tape *tape = tg_tape_new(1);
    for (int k = 0; k < 4; k++) {
        tg_tape_reset(tape);
        *tg_tape_random(tape) = tg_random_new(1, "tape");
        p->data[index] = (tg_real)((double)kept + steps[k] * step);
        sum += factors[k] * tg_item(build(tape, g));
    }
    p->data[index] = kept;
    tg_tape_free(tape);
    return sum / (12 * step);
}

/* What tg_gradcheck finds wrong may be a kink, or a place so steep that differences are too coarse: then differences with
 * half the step say something else again, and prove nothing. */
static void check_gradients(graph *g)
{
    tg_gradcheck_report report;
    done.checked++;
    if (tg_gradcheck(g->params, build, g, &report)) return;
    tg_tensor *p = tg_params_find(g->params, report.parameter);
    FUZZ_CHECK(p && report.index >= 0, "%s", report.message);
    const double coarse = difference(g, p, report.index, 1e-3),
                 fine = difference(g, p, report.index, 0.5e-3);
    const bool clear = fabs(coarse - fine) <= 0.1 * fabs(report.analytic - fine);
    FUZZ_CHECK(!clear, "%s; with half the step the difference is %.9g", report.message, fine);
    done.unclear++;
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

/* Every gradient and the loss, one behind the other; freed by the caller. NULL where the graph ends in an error. */
static tg_real *run(graph *g, int threads, size_t *count)
{
    tg_tape *tape = tg_tape_new(1);
    use_threads(threads);
    tg_tensor *loss = build(tape, g);
    const bool good = tg_backward(tape, loss);
    FUZZ_CHECK(good == !tg_tape_error(tape), "a backward pass fails and does not say why");
    const char *error = tg_params_error(g->params) ? tg_params_error(g->params)
                                                   : tg_tape_error(tape);
    FUZZ_CHECK(!error || g->wild, "%s", error);
    FUZZ_CHECK(g->wild || isfinite(tg_item(loss)), "the loss is %g", tg_item(loss));
    if (loss) note_operators(loss->node);
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
    graph g = {.whole = {bytes, size}, .params = tg_params_new(1)};
    if (!done.graphs++) atexit(at_end);
    fuzz_memory_limit(1 << 20, 15);
    tg_real *one = run(&g, 1, &count), *three = one ? run(&g, 3, &again) : NULL;
    FUZZ_CHECK(!one || (count == again && !memcmp(one, three, count * sizeof *one)),
               "three threads give other bits than one");
    use_threads(1);
#ifdef TG_DOUBLE
    if (one && !g.wild) check_gradients(&g);
#endif
    free(one);
    free(three);
    tg_params_free(g.params);
    return 0;
}
