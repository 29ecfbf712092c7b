/* Which operators have had their derivative checked? A list of names could claim anything, so this looks at what happened:
 * after a passed tg_gradcheck the same function runs once more, ended by a probe from which the tape's nodes can be
 * reached, and an operator's input counts as checked when a gradient other than zero arrived in it, and arrived through
 * this operator alone. */
#include "support.h"

enum { MAX_OPERATORS = 256, MAX_INPUTS = 64 };

static struct {
    const tg_op *op;
    uint64_t seen, checked; /* one bit an input */
} records[MAX_OPERATORS];
static int n_records;

/* ---- the probe: y = x, and it remembers where on the tape it stands ---- */

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

TG_OP(test_probe, "test_probe", .shape = test_probe_shape, .forward = test_probe_forward,
      .backward = test_probe_backward);

/* ---- notes ---- */

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

static void note_node(const tg_node *node)
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

static void note_pass(tg_params *params, tg_gradcheck_function function, void *context)
{
    tg_tape *tape = tg_tape_new(1);
    tg_tensor *y = function(tape, context);
    probed = NULL;
    y = tg_apply(tape, &test_probe, NULL, 1, &y, NULL);
    tg_backward(tape, test_weighted_loss(tape, y, 99));
    test_assert_clean(tape);
    ck_assert_ptr_nonnull(probed);
    for (const tg_node *node = probed->previous; node; node = node->previous) note_node(node);
    probed = NULL;
    tg_params_zero_grad(params);
    tg_tape_free(tape);
}

/* ---- the same once more, with company ----
 *
 * An operator that writes its gradient where it should add is right as long as nobody else reads its inputs. So each
 * function is checked again with a second reader of every parameter, later on the tape: its gradients are there first. */

typedef struct company {
    tg_params *params;
    tg_gradcheck_function function;
    void *context;
} company;

static tg_tensor *in_company(tg_tape *tape, void *context)
{
    enum { MOST = 64 };
    const company *c = context;
    tg_tensor *parts[MOST];
    int count = 0;
    parts[count++] = tg_reshape(tape, c->function(tape, c->context), TG_SHAPE(-1));
    for (int64_t i = 0; i < tg_params_count(c->params) && count < MOST; i++) {
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
    bool empty = tg_params_size(params) == 0; /* then there is nothing to check, but it must run */
    ck_assert_msg((report.checked > 0 || empty) && report.error <= 1,
                  "%s: passed with the error %g", what, report.error);
}

void test_gradients(const char *what, tg_params *params, tg_gradcheck_function function,
                    void *context)
{
    company with = {params, function, context};
    char what_with[320];
    snprintf(what_with, sizeof what_with, "%s, in company", what);
    check(what, params, function, context);
    if (!alone) check(what_with, params, in_company, &with);
    note_pass(params, function, context);
}

int test_unchecked_operators(char *text, size_t size)
{
    int count = 0;
    size_t used = 0;
    if (size) text[0] = 0;
    for (const tg_op_entry *entry = tg_op_first(); entry; entry = entry->next) {
        const tg_op *op = entry->op;
        if (!op->backward || !strncmp(op->name, "test_", 5)) continue;
        int r = record_of(op);
        uint64_t missing = records[r].seen & ~records[r].checked;
        /* By definition: the targets are data, the mask is drawn, and neither takes a gradient. */
        if (!strcmp(op->name, "binary_cross_entropy_with_logits") || !strcmp(op->name, "dropout"))
            missing &= ~(uint64_t)2;
        if (records[r].checked && !missing) continue;
        count++;
        int wrote = used < size ? snprintf(text + used, size - used, " %s (inputs %#llx of %#llx)",
                                           op->name, (unsigned long long)records[r].checked,
                                           (unsigned long long)records[r].seen)
                                : 0;
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return count;
}

void test_forget_coverage(void)
{
    n_records = 0;
    memset(records, 0, sizeof records);
}
