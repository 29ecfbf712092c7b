/* The operators whose derivatives have been checked. They are not listed by name but found on the
 * tape: after tg_gradcheck has passed, the same function is called once more, with a probe as the
 * last operator, from which the other nodes can be reached. An input of an operator counts as
 * checked if it received a gradient other than zero from this operator alone. */
#include "support.h"

enum { MAX_OPERATORS = 256, MAX_INPUTS = 64 };

static struct {
    const tg_op *op;
    uint64_t seen, checked; /* bit i: input i */
} records[MAX_OPERATORS];
static int n_records;

/* ---- the probe: y = x; it stores its node ---- */

static tg_node *probed;

static bool test_probe_shape(tg_node *node)
{
    return tg_output_like(node, node->inputs[0]) != NULL;
}

static void test_probe_forward(tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    if (x->size) memcpy(node->outputs[0]->data, x->data, (size_t)x->size * sizeof(tg_real));
    probed = node;
}

static void test_probe_backward(tg_node *node)
{
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t i = 0; dx && i < node->inputs[0]->size; i++) dx[i] += node->outputs[0]->grad[i];
}

static const tg_op test_probe = {.name = "test_probe",
                                 .shape = test_probe_shape,
                                 .forward = test_probe_forward,
                                 .backward = test_probe_backward};

/* ---- records ---- */

static int record_of(const tg_op *op)
{
    for (int r = 0; r < n_records; r++)
        if (records[r].op == op) return r;
    ck_assert_int_lt(n_records, MAX_OPERATORS);
    records[n_records].op = op;
    return n_records++;
}

static bool has_gradient(const tg_tensor *tensor)
{
    for (int64_t i = 0; tensor->has_grad && i < tensor->size; i++)
        if (tensor->grad[i] != 0) return true;
    return false;
}

static int readers(const tg_tensor *tensor)
{
    int count = 0;
    for (const tg_node *node = probed; node; node = node->previous)
        for (int i = 0; i < node->n_inputs; i++) {
            if (node->inputs[i] != tensor) continue;
            count++;
            break; /* mul(x, x) is one reader */
        }
    return count;
}

static void record_node(const tg_node *node)
{
    if (!node->op->backward) return;
    int r = record_of(node->op);
    for (int i = 0; i < node->n_inputs && i < MAX_INPUTS; i++) {
        const tg_tensor *input = node->inputs[i];
        if (!input) continue;
        records[r].seen |= (uint64_t)1 << i;
        if (has_gradient(input) && readers(input) == 1) records[r].checked |= (uint64_t)1 << i;
    }
}

static void record_pass(tg_params *params, tg_gradcheck_function function, void *context)
{
    tg_tape *tape = tg_tape_new(1);
    tg_tensor *y = function(tape, context);
    probed = NULL;
    y = tg_apply(tape, &test_probe, NULL, 1, &y, NULL);
    tg_backward(tape, test_weighted_loss(tape, y, 99));
    test_assert_clean(tape);
    ck_assert_ptr_nonnull(probed);
    for (const tg_node *node = probed->previous; node; node = node->previous) record_node(node);
    probed = NULL;
    tg_params_zero_grad(params);
    tg_tape_free(tape);
}

/* ---- the same with a second reader ----
 *
 * An operator that overwrites a gradient instead of adding to it is right if no other operator
 * reads its inputs. So each function is checked again with a second reader of every parameter,
 * later on the tape: its gradients come first. */

typedef struct shared_function {
    tg_params *params;
    tg_gradcheck_function function;
    void *context;
} shared_function;

static tg_tensor *with_second_reader(tg_tape *tape, void *context)
{
    enum { MAX_PARTS = 64 };
    const shared_function *c = context;
    tg_tensor *parts[MAX_PARTS];
    int count = 0;
    parts[count++] = tg_reshape(tape, c->function(tape, c->context), TG_SHAPE(-1));
    for (int64_t i = 0; i < tg_params_count(c->params) && count < MAX_PARTS; i++) {
        tg_tensor *p = tg_params_at(c->params, i);
        if (p->requires_grad)
            parts[count++] = tg_reshape(tape, tg_affine(tape, p, 0.75, 0), TG_SHAPE(-1));
    }
    return tg_concat(tape, count, parts, 0);
}

static bool alone;

void test_gradients_alone(bool yes) { alone = yes; }

static void check(const char *what, tg_params *params, tg_gradcheck_function function,
                  void *context)
{
    tg_gradcheck_report report;
    bool passed = tg_gradcheck(params, function, context, &report);
    ck_assert_msg(passed && report.passed, "%s: %s", what, report.message);
    const bool empty = tg_params_size(params) == 0; /* no derivatives, but the function must work */
    ck_assert_msg((report.checked > 0 || empty) && report.error <= 1,
                  "%s: passed with the error %g", what, report.error);
}

void test_gradients(const char *what, tg_params *params, tg_gradcheck_function function,
                    void *context)
{
    shared_function shared = {params, function, context};
    char what_shared[320];
    snprintf(what_shared, sizeof what_shared, "%s, with a second reader", what);
    check(what, params, function, context);
    if (!alone) check(what_shared, params, with_second_reader, &shared);
    record_pass(params, function, context);
}

static const tg_op *extra_operator;

void test_extra_operator(const tg_op *op) { extra_operator = op; }

int test_unchecked_operators(char *text, size_t size)
{
    int count = 0;
    size_t used = 0;
    if (size) text[0] = 0;
    for (int i = 0; i < tg_operator_count + (extra_operator != NULL); i++) {
        const tg_op *op = i < tg_operator_count ? tg_operators[i] : extra_operator;
        if (!op->backward || !strncmp(op->name, "test_", 5)) continue;
        int r = record_of(op);
        uint64_t missing = records[r].seen & ~records[r].checked;
        /* Targets and dropout masks never require a gradient. */
        if (!strcmp(op->name, "binary_cross_entropy_with_logits") || !strcmp(op->name, "dropout"))
            missing &= ~(uint64_t)2;
        if (records[r].checked && !missing) continue;
        count++;
        if (used >= size) continue;
        used += (size_t)snprintf(text + used, size - used, " %s (inputs %#llx of %#llx)", op->name,
                                 (unsigned long long)records[r].checked,
                                 (unsigned long long)records[r].seen);
    }
    return count;
}

void test_forget_coverage(void)
{
    n_records = 0;
    memset(records, 0, sizeof records);
}
