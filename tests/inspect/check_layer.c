/* Who checks the layer lint: layers of the library pass, and each planted fault fails the check that is there for it, and
 * no other. */
#define _GNU_SOURCE /* pipe2 */
#ifdef _OPENMP
#include <omp.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../support/support.h"

/* ---- a layer that can be wrong in every way: y = w mean over t < length (x_t), [B, T, I] -> [B, I] ---- */

typedef enum fault {
    RIGHT,
    SIGN,
    SCALE,
    ONE_ELEMENT,
    NO_DX,
    SET_DX,
    SET_DW,
    LATE_DX,
    MEAN_OVER_T,
    ONE_TOO_FAR,
    NEIGHBOUR,
    OPEN,
    THREADS,
    THREADS_BACK,
    COUNTER,
    COUNTER_BACK,
    CARRIED,
    GROWS,
    REGISTERS,
    ANY_WIDTH,
    ANY_AXES,
    ANY_LENGTH,
    SILENT,
    DEAF,
    WRONG_NAME,
    UNREAD,
    WRONG_SHAPE,
    NO_INIT,
    NOT_LOADED,
    NO_EMPTY,
    NOT_KEPT,
    NOT_FULL,
    OTHER_IN_FULL,
    NARROW_IN_FULL,
    NOT_ALL_FULL,
    NARROW_IF_LONG,
    FEW_ROWS,
    SHORT_ONLY,
    MUTE,
    PARAMS_FAIL,
    NOT_FROM_FILE,
    DX_AT_TIMES,
    SECOND_FAILS,
    REGISTERS_LATE,
    CRASH_DX,
    CRASH_DW,
    CRASH_NULL,
    CRASH_AXES,
    CRASH_INIT
} fault;

static fault planted;
static int64_t calls;  /* of one check: each has a process of its own */
static tg_params *own; /* of the layer that runs now */
static tg_real carried;

typedef struct mean_attributes {
    tg_ints lengths;
    tg_real *grown;
    bool unsaid;
} mean_attributes;

static bool test_mean_shape(tg_node *node)
{
    mean_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1];
    if (planted == CRASH_AXES && x->ndim < 3) abort();
    if (x->ndim != 3) {
        if (planted == ANY_AXES) return tg_output_like(node, x) != NULL;
        return tg_node_fail(node, "x has %d axes", x->ndim);
    }
    if (x->shape[2] != w->size && planted != ANY_WIDTH)
        return tg_node_fail(node, "x %s, weight %s", tg_tensor_text(node, x),
                            tg_tensor_text(node, w));
    if (planted == NO_EMPTY) {
        bool empty = true;
        for (int64_t b = 0; b < x->shape[0]; b++) empty = empty && op->lengths.data[b] == 0;
        if (empty) return tg_node_fail(node, "nothing to read");
    }
    if (planted == NOT_FULL && !op->lengths.data) return tg_node_fail(node, "no lengths");
    if (planted == NOT_ALL_FULL && op->lengths.data && x->shape[0] > 1) {
        int64_t full = 0;
        for (int64_t b = 0; b < x->shape[0]; b++) full += op->lengths.data[b] == x->shape[1];
        if (full == x->shape[0]) return tg_node_fail(node, "no padding");
    }
    if (planted == FEW_ROWS && x->shape[0] > 10) return tg_node_fail(node, "too many rows");
    if (planted == SHORT_ONLY && x->shape[1] > 200) return tg_node_fail(node, "too long");
    if (planted == SECOND_FAILS && ++calls == 2) return tg_node_fail(node, "the second call");
    op->unsaid = !op->lengths.data;
    tg_ints unused = op->lengths, *kept = planted == NOT_KEPT ? &unused : &op->lengths;
    const bool any = planted == ANY_LENGTH && kept->data;
    if (any ? !tg_copy_ints(node, kept) : !tg_copy_lengths(node, kept, x->shape[0], x->shape[1]))
        return false;
    return tg_output(node, TG_SHAPE(x->shape[0], w->size)) != NULL;
}

static tg_real chunked_sum(const tg_real *x, int64_t count, int64_t stride, bool by_threads)
{
    int64_t chunks = 1;
#ifdef _OPENMP
    if (by_threads) chunks = omp_get_max_threads();
#endif
    (void)by_threads;
    tg_real sum = 0;
    for (int64_t c = 0; c < chunks; c++) {
        tg_real part = 0;
        for (int64_t i = count * c / chunks; i < count * (c + 1) / chunks; i++)
            part += x[i * stride];
        sum += part;
    }
    return sum;
}

static int64_t read_length(const tg_node *node, int64_t b)
{
    const mean_attributes *op = node->attributes;
    const int64_t length = op->lengths.data[b], T = node->inputs[0]->shape[1];
    return planted == ONE_TOO_FAR && length && length < T ? length + 1
           : length > T || length < 0                     ? T
                                                          : length;
}

static void test_mean_forward(tg_node *node)
{
    mean_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1];
    if (x->ndim != 3) return;
    if (planted == GROWS) op->grown = tg_save(node, 64 * ++calls);
    const int64_t T = x->shape[1], I = w->size;
    for (int64_t b = 0; b < x->shape[0]; b++)
        for (int64_t i = 0; i < I; i++) {
            const int64_t length = read_length(node, b), n = planted == MEAN_OVER_T ? T : length;
            tg_real y = chunked_sum(x->data + b * T * I + i, length, I, planted == THREADS) /
                        (tg_real)(n ? n : 1);
            if (planted == NEIGHBOUR && x->shape[0] > 1 && length)
                y += x->data[(b ? 0 : x->shape[0] - 1) * T * I];
            node->outputs[0]->data[b * I + i] = w->data[i] * y;
        }
    if (planted == OTHER_IN_FULL && op->unsaid) node->outputs[0]->data[0] += 1;
    if (planted == COUNTER) node->outputs[0]->data[0] += (tg_real)++calls;
    if (planted == CARRIED) node->outputs[0]->data[0] += carried, carried = x->data[0];
}

static void test_mean_backward(tg_node *node)
{
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1];
    const tg_real *dy = node->outputs[0]->grad;
    const bool no_dx = planted == NO_DX || (planted == DX_AT_TIMES && ++calls > 2);
    tg_real *dx = no_dx ? NULL : tg_input_grad(node, 0), *dw = tg_input_grad(node, 1);
    const int64_t T = x->shape[1], I = x->shape[2];
    if ((planted == CRASH_DX && !dx) || (planted == CRASH_DW && !dw))
        abort(); /* as who writes without a look */
    for (int64_t b = 0; b < x->shape[0]; b++)
        for (int64_t i = 0; i < I; i++) {
            const int64_t length = read_length(node, b), n = planted == MEAN_OVER_T ? T : length;
            const tg_real share = 1 / (tg_real)(n ? n : 1);
            tg_real g = dy[b * I + i] *
                        chunked_sum(x->data + b * T * I + i, length, I, planted == THREADS_BACK) *
                        share;
            if (planted == SIGN) g = -g;
            if (planted == SCALE) g *= (tg_real)1.00001;
            if (planted == ONE_ELEMENT && i == 1) g *= 2;
            if (planted == COUNTER_BACK && b == 0) g += (tg_real)++calls;
            if (dw) dw[i] = planted == SET_DW && b == 0 ? g : dw[i] + g;
            if (planted == NEIGHBOUR && dw && length && x->shape[0] > 1)
                dw[i] += dy[b * I + i] * x->data[(b ? 0 : x->shape[0] - 1) * T * I];
            if (planted == NEIGHBOUR && dx && length && x->shape[0] > 1)
                dx[(b ? 0 : x->shape[0] - 1) * T * I] += dy[b * I + i] * w->data[i];
            for (int64_t t = 0; dx && t < length; t++) {
                tg_real *to = dx + (b * T + (planted == LATE_DX && t ? t - 1 : t)) * I + i;
                const tg_real part = dy[b * I + i] * w->data[i] * share;
                *to = planted == SET_DX ? part : *to + part;
            }
        }
}

TG_OP(test_mean, "test_mean", .attribute_size = sizeof(mean_attributes), .shape = test_mean_shape,
      .forward = test_mean_forward, .backward = test_mean_backward);

typedef struct mean_layer {
    tg_tensor *weight;
} mean_layer;

static bool mean_init(void *self, tg_params *params, const char *name)
{
    mean_layer *layer = self;
    own = params;
    if (planted == NO_INIT) return false;
    if (planted == CRASH_INIT) abort();
    if (planted == NOT_FROM_FILE && tg_params_is_loading(params)) return false;
    layer->weight = tg_param(params, planted == WRONG_NAME ? "mean" : name, "weight", TG_SHAPE(3),
                             tg_init_uniform(1));
    if (planted == UNREAD) tg_param(params, name, "bias", TG_SHAPE(3), tg_init_uniform(1));
    if (planted == RIGHT && layer->weight && !tg_params_is_loading(params))
        layer->weight->data[2] = 1;
    if (planted == NOT_LOADED && layer->weight)
        layer->weight->data[2] = 1; /* whatever the file says */
    return layer->weight != NULL;
}

static tg_tensor *mean_forward(tg_tape *tape, const void *self, tg_tensor *x, tg_ints lengths)
{
    const mean_layer *layer = self;
    if (planted == CRASH_NULL && !x) abort();
    if (planted == DEAF && !x) return layer->weight;
    if (planted == SILENT && x && x->shape[x->ndim - 1] != 3) return NULL;
    if (planted == MUTE) return NULL;
    if (planted == PARAMS_FAIL) tg_param(own, "layer", "", TG_SHAPE(1), tg_init_constant(0));
    if (planted == REGISTERS_LATE) calls++;
    if ((planted == REGISTERS && calls < 100) ||
        (planted == REGISTERS_LATE && calls > 1 && tg_params_count(own) < 9)) {
        char name[32];
        snprintf(name, sizeof name, "extra%d", (int)++calls);
        tg_param(own, "layer", name, TG_SHAPE(1), tg_init_constant(0));
    }
    if (planted == OPEN) { /* every position by itself, with a bias that reaches the padding */
        tg_tensor *y = tg_mul(tape, tg_add(tape, tg_zero_padding(tape, x, lengths), layer->weight),
                              layer->weight);
        return y;
    }
    mean_attributes op = {.lengths = lengths};
    tg_tensor *y = tg_apply(tape, &test_mean, &op, 2, (tg_tensor *[]){x, layer->weight}, NULL);
    if (y && ((planted == NARROW_IN_FULL && !lengths.data) ||
              (planted == NARROW_IF_LONG && x->shape[1] > 7)))
        return tg_slice(tape, y, 1, 0, 2);
    return planted == WRONG_SHAPE && y ? tg_permute(tape, y, TG_AXES(1, 0)) : y;
}

static const struct {
    const char *what;
    fault fault;
    tg_layer_check check;
    const char *texts[3];
    bool in_double, with_threads;
} faults[] = {
    {"a flipped sign",
     SIGN,
     TG_LAYER_GRADIENTS,
     {"layer.weight, element", "read by test_mean"},
     true,
     false},
    {"a wrong scale",
     SCALE,
     TG_LAYER_GRADIENTS,
     {"layer.weight, element", "read by test_mean"},
     true,
     false},
    {"one element",
     ONE_ELEMENT,
     TG_LAYER_GRADIENTS,
     {"layer.weight, element 1", "read by test_mean"},
     true,
     false},
    {"no gradient of x",
     NO_DX,
     TG_LAYER_GRADIENTS,
     {"x, element", "read by test_mean"},
     true,
     false},
    {"dx set, not added to",
     SET_DX,
     TG_LAYER_GRADIENTS,
     {"others read the same input", "x, element"},
     true,
     false},
    {"dw set, not added to",
     SET_DW,
     TG_LAYER_GRADIENTS,
     {"others read the same input", "layer.weight, element"},
     true,
     false},
    {"dx a place too early", LATE_DX, TG_LAYER_GRADIENTS, {"x, element"}, true, false},
    {"a mean over T",
     MEAN_OVER_T,
     TG_LAYER_PADDING,
     {"with more padding: the result of sequence 0 (length 5)"},
     false,
     false},
    {"one position too far",
     ONE_TOO_FAR,
     TG_LAYER_PADDING,
     {"with NaN past the lengths: the result of sequence 0"},
     false,
     false},
    {"a neighbour",
     NEIGHBOUR,
     TG_LAYER_PADDING,
     {"without the sequences beside it: the result of sequence 0"},
     false,
     false},
    {"results in the padding",
     OPEN,
     TG_LAYER_PADDING,
     {"the result of sequence 0 (length 5), position 5, is", "not 0"},
     false,
     false},
    {"no empty batch",
     NO_EMPTY,
     TG_LAYER_PADDING,
     {"without the sequences beside it", "nothing to read"},
     false,
     false},
    {"lengths that are not kept",
     NOT_KEPT,
     TG_LAYER_REPEATS,
     {"with lengths that change after forward"},
     false,
     false},
    {"no lengths, no result",
     NOT_FULL,
     TG_LAYER_PADDING,
     {"with tg_full_length(): ", "no lengths"},
     false,
     false},
    {"other results without lengths",
     OTHER_IN_FULL,
     TG_LAYER_PADDING,
     {"with tg_full_length(): result 0 is"},
     false,
     false},
    {"fewer results without lengths",
     NARROW_IN_FULL,
     TG_LAYER_PADDING,
     {"with tg_full_length(): the result is [4, 2], and [4, 3] where lengths say so"},
     false,
     false},
    {"no sequences without padding",
     NOT_ALL_FULL,
     TG_LAYER_PADDING,
     {"at full length: ", "no padding"},
     false,
     false},
    {"fewer results after more padding",
     NARROW_IF_LONG,
     TG_LAYER_PADDING,
     {"with more padding: the result is [4, 2], not [4, 3]"},
     false,
     false},
    {"few rows only", FEW_ROWS, TG_LAYER_THREADS, {"x [", "too many rows"}, false, true},
    {"no result, no error",
     MUTE,
     TG_LAYER_RUNS,
     {"forward returned NULL and set no error"},
     false,
     false},
    {"an error of the parameters",
     PARAMS_FAIL,
     TG_LAYER_RUNS,
     {"a parameter needs a name"},
     false,
     false},
    {"a file is refused",
     NOT_FROM_FILE,
     TG_LAYER_FILES,
     {"loading: the file contains layer.weight, which is not"},
     false,
     false},
    {"dL/dx at times",
     DX_AT_TIMES,
     TG_LAYER_REPEATS,
     {"dL/dx is there once, and once not"},
     false,
     false},
    {"a sum by threads",
     THREADS,
     TG_LAYER_THREADS,
     {" threads, not one: the result of sequence"},
     false,
     true},
    {"a sum by threads, backward",
     THREADS_BACK,
     TG_LAYER_THREADS,
     {"threads, not one: the gradient of layer.weight"},
     false,
     true},
    {"another each time",
     COUNTER,
     TG_LAYER_REPEATS,
     {"once more: the result of sequence 0"},
     false,
     false},
    {"another each time, backward",
     COUNTER_BACK,
     TG_LAYER_REPEATS,
     {"once more: the gradient of layer.weight, element 0"},
     false,
     false},
    {"a state that stays", CARRIED, TG_LAYER_REPEATS, {"the result of sequence 0"}, false, false},
    {"memory that grows", GROWS, TG_LAYER_MEMORY, {"pass 3 takes", "pass 2 took"}, false, false},
    {"a parameter a pass",
     REGISTERS,
     TG_LAYER_RUNS,
     {"layer.extra1 is read by no operator"},
     false,
     false},
    {"a wrong width is taken",
     ANY_WIDTH,
     TG_LAYER_ERRORS,
     {"a wrong width, x [4, 7, 4], is accepted"},
     false,
     false},
    {"a wrong rank is taken",
     ANY_AXES,
     TG_LAYER_ERRORS,
     {"a wrong number of axes, x [4, 3], is accepted"},
     false,
     false},
    {"a wrong length is taken",
     ANY_LENGTH,
     TG_LAYER_ERRORS,
     {"a length above T", "is accepted"},
     false,
     false},
    {"no word of an error",
     SILENT,
     TG_LAYER_ERRORS,
     {"a wrong width", "no error on the tape"},
     false,
     false},
    {"a result in spite of an error",
     DEAF,
     TG_LAYER_ERRORS,
     {"after an error, x NULL gives a result"},
     false,
     false},
    {"dx that nobody wants",
     CRASH_DX,
     TG_LAYER_REPEATS,
     {"with x a constant: crashed"},
     false,
     false},
    {"dw that nobody wants",
     CRASH_DW,
     TG_LAYER_REPEATS,
     {"with frozen parameters: crashed"},
     false,
     false},
    {"no look at NULL",
     CRASH_NULL,
     TG_LAYER_ERRORS,
     {"after an error, x NULL: crashed"},
     false,
     false},
    {"a wrong rank crashes",
     CRASH_AXES,
     TG_LAYER_ERRORS,
     {"a wrong number of axes: crashed"},
     false,
     false},
    {"init crashes", CRASH_INIT, TG_LAYER_RUNS, {"init: crashed"}, false, false},
    {"a name of its own", WRONG_NAME, TG_LAYER_RUNS, {"\"mean.weight\"", "layer.*"}, false, false},
    {"a parameter for nothing",
     UNREAD,
     TG_LAYER_RUNS,
     {"layer.bias is read by no operator"},
     false,
     false},
    {"a strange result", WRONG_SHAPE, TG_LAYER_RUNS, {"x [4, 7, 3] gave [3, 4]"}, false, false},
    {"init fails", NO_INIT, TG_LAYER_RUNS, {"init returned false"}, false, false},
    {"a file is not heard",
     NOT_LOADED,
     TG_LAYER_FILES,
     {"saved and loaded: the result of sequence 0"},
     false,
     false},
};

static char *written(const tg_layer_report *report)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ck_assert(tg_layer_report_write(report, stream));
    fclose(stream);
    return text;
}

static const tg_checked_layer mean_checked = {.layer = &(mean_layer){NULL},
                                              .init = mean_init,
                                              .forward = mean_forward,
                                              .input = 3};

START_TEST(each_fault_fails_its_check)
    {
#ifndef TG_DOUBLE
        if (faults[_i].in_double) return;
#endif
#ifndef _OPENMP
        if (faults[_i].with_threads) return;
#endif
        planted = faults[_i].fault, calls = 0, carried = 0;
        tg_layer_report report;
        ck_assert_msg(!tg_check_layer(&mean_checked, &report) && !report.passed, "%s passed",
                      faults[_i].what);
        char *text = written(&report);
        for (int k = 0; k < TG_LAYER_CHECKS; k++)
            ck_assert_msg((report.lines[k].verdict == TG_LAYER_FAILED) ==
                              (k == (int)faults[_i].check),
                          "%s:\n%s", faults[_i].what, text);
        for (int k = 0; k < 3 && faults[_i].texts[k]; k++)
            ck_assert_msg(strstr(report.lines[faults[_i].check].text, faults[_i].texts[k]) != NULL,
                          "no \"%s\" in:\n%s", faults[_i].texts[k], text);
        ck_assert_msg(strstr(text, "\n1 of 8 checks failed\n") != NULL, "%s", text);
        free(text);
    }
END_TEST

/* What every line has to say of a layer that is right. */
static void assert_right(const char *what, const tg_checked_layer *layer)
{
    tg_layer_report report;
    bool right = tg_check_layer(layer, &report);
    char *text = written(&report);
    ck_assert_msg(right && report.passed, "%s:\n%s", what, text);
    for (int k = 0; k < TG_LAYER_CHECKS; k++) {
        bool optional = (k == TG_LAYER_GRADIENTS && sizeof(tg_real) == 4);
#ifndef _OPENMP
        optional = optional || k == TG_LAYER_THREADS;
#endif
        ck_assert_msg(report.lines[k].verdict == (optional ? TG_LAYER_LEFT_OUT : TG_LAYER_PASSED),
                      "%s:\n%s", what, text);
        ck_assert_msg(report.lines[k].text[0] && !strchr(report.lines[k].text, '\n') &&
                          strstr(text, report.lines[k].text) &&
                          strstr(text, tg_layer_check_name((tg_layer_check)k)),
                      "%s:\n%s", what, text);
    }
    free(text);
}

/* Takes the place of the C library's in this program. */
static bool no_pipes;
int pipe(int ends[2])
{
    if (!no_pipes) return pipe2(ends, 0);
    errno = EMFILE;
    return -1;
}

/* tg_check_layer where no process can be forked off, for want of a pipe to it. */
static bool check_in_this_process(const tg_checked_layer *layer, tg_layer_report *report)
{
    no_pipes = true;
    const bool passed = tg_check_layer(layer, report);
    no_pipes = false;
    return passed;
}

/* What counts calls then fails other checks as well. */
START_TEST(each_fault_is_found_in_this_process)
    {
#ifndef TG_DOUBLE
        if (faults[_i].in_double) return;
#endif
#ifndef _OPENMP
        if (faults[_i].with_threads) return;
#endif
        if (faults[_i].fault >= CRASH_DX) return;
        planted = faults[_i].fault, calls = 0, carried = 0;
        tg_layer_report report;
        ck_assert_msg(!check_in_this_process(&mean_checked, &report), "%s passed", faults[_i].what);
        const struct tg_layer_line *line = &report.lines[faults[_i].check];
        ck_assert_msg(line->verdict == TG_LAYER_FAILED, "%s: %s", faults[_i].what, line->text);
        for (int k = 0; k < 3 && faults[_i].texts[k]; k++)
            ck_assert_msg(strstr(line->text, faults[_i].texts[k]) != NULL, "no \"%s\" in: %s",
                          faults[_i].texts[k], line->text);
        planted = RIGHT;
        ck_assert_msg(check_in_this_process(&mean_checked, &report), "%s",
                      report.lines[TG_LAYER_RUNS].text);
    }
END_TEST

/* In one process, as no check begins with the layer's second call otherwise. */
START_TEST(a_first_pass_that_fails)
    {
        planted = SECOND_FAILS, calls = 0;
        tg_layer_report report;
        ck_assert(!check_in_this_process(&mean_checked, &report));
        const struct tg_layer_line *line = &report.lines[TG_LAYER_REPEATS];
        ck_assert_msg(line->verdict == TG_LAYER_FAILED &&
                          strstr(line->text, "at first: test_mean: the second call"),
                      "%s", line->text);
    }
END_TEST

/* What forward registers at its second call, the check of files has no place for either. */
START_TEST(parameters_that_come_late)
    {
        tg_layer_report report;
        for (int forks = 0; forks < 2; forks++) {
            planted = REGISTERS_LATE, calls = 0;
            ck_assert(!(forks ? tg_check_layer(&mean_checked, &report)
                              : check_in_this_process(&mean_checked, &report)));
            const struct tg_layer_line *line = &report.lines[TG_LAYER_MEMORY];
            ck_assert_msg(line->verdict == TG_LAYER_FAILED &&
                              strstr(line->text, "forward registers parameters"),
                          "%s", line->text);
        }
    }
END_TEST

START_TEST(no_folder_for_files)
    {
        const char *const before = getenv("TMPDIR");
        char longest[400], kept[4096] = "";
        if (before) snprintf(kept, sizeof kept, "%s", before);
        memset(longest, 'x', sizeof longest);
        longest[0] = '/', longest[sizeof longest - 1] = 0;
        const char *const folders[] = {"/not/there", longest};
        for (int k = 0; k < 2; k++) {
            planted = RIGHT;
            setenv("TMPDIR", folders[k], 1);
            tg_layer_report report;
            const bool passed = check_in_this_process(&mean_checked, &report);
            if (before) setenv("TMPDIR", kept, 1);
            else unsetenv("TMPDIR");
            const struct tg_layer_line *line = &report.lines[TG_LAYER_FILES];
            ck_assert_msg(!passed && line->verdict == TG_LAYER_FAILED &&
                              strstr(line->text, "saving: cannot save"),
                          "%s", line->text);
        }
    }
END_TEST

/* A limit on T is a layer's own affair. */
START_TEST(a_layer_for_short_sequences_passes)
    {
        planted = SHORT_ONLY;
        tg_layer_report report;
        ck_assert_msg(check_in_this_process(&mean_checked, &report), "%s",
                      report.lines[TG_LAYER_MEMORY].text);
        ck_assert(strstr(report.lines[TG_LAYER_MEMORY].text, "T = 256 is refused") != NULL);
    }
END_TEST

START_TEST(what_is_right_passes)
    {
        planted = RIGHT;
        assert_right("mean", &mean_checked);
        ck_assert(tg_check_layer(&mean_checked, NULL));
        planted = SCALE;
        ck_assert(tg_check_layer(&mean_checked, NULL) == (sizeof(tg_real) == 4));
        planted = RIGHT;
#ifdef _OPENMP
        omp_set_num_threads(3);
        ck_assert(tg_check_layer(&mean_checked, NULL));
        ck_assert_int_eq(omp_get_max_threads(), 3); /* put back */
#endif
        tg_layer_report report;
        tg_check_layer(&mean_checked, &report);
        FILE *full = fopen("/dev/full", "w");
        if (full) {
            setvbuf(full, NULL, _IONBF, 0);
            ck_assert(!tg_layer_report_write(&report, full));
            fclose(full);
        }
    }
END_TEST

/* ---- the layers of the library ---- */

enum { I = 4, H = 3 };

static bool linear_init(void *l, tg_params *p, const char *name)
{
    return tg_linear_init(l, p, name, I, H);
}
static tg_tensor *linear_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    (void)lengths;
    return tg_linear_forward(tape, l, x);
}

static bool norm_init(void *l, tg_params *p, const char *name)
{
    return tg_layer_norm_init(l, p, name, I);
}
static tg_tensor *norm_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    (void)lengths;
    return tg_layer_norm_forward(tape, l, x);
}

static bool lstm_init(void *l, tg_params *p, const char *name)
{
    return tg_lstm_init(l, p, name, I, H, 1, false);
}
static bool bilstm_init(void *l, tg_params *p, const char *name)
{
    return tg_lstm_init(l, p, name, I, H, 2, true);
}
static tg_tensor *lstm_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_lstm_forward(tape, l, x, lengths);
}

static bool additive_init(void *l, tg_params *p, const char *name)
{
    return tg_additive_attention_init(l, p, name, I, H);
}
static tg_tensor *additive_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_additive_attention_forward(tape, l, x, lengths, NULL);
}

static tg_score pool_score;
static bool pool_init(void *l, tg_params *p, const char *name)
{
    return tg_attention_pool_init(l, p, name, pool_score, I, H);
}
static tg_tensor *pool_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_attention_pool_forward(tape, l, x, lengths, NULL);
}

static bool sequential_init(void *l, tg_params *p, const char *name)
{
    return tg_sequential_attention_init(l, p, name, I, H, 2);
}
static tg_tensor *sequential_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_sequential_attention_forward(tape, l, x, lengths, NULL);
}

static bool multihead_init(void *l, tg_params *p, const char *name)
{
    return tg_multihead_init(l, p, name, I, 2);
}
static tg_tensor *multihead_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    const tg_attention_mask mask = {.lengths = lengths, .query_lengths = lengths};
    return tg_multihead_forward(tape, l, x, x, &mask, NULL);
}

static bool transformer_init(void *l, tg_params *p, const char *name)
{
    bool made = tg_transformer_init(l, p, name, I, 2, 6, false);
    ((tg_transformer *)l)->pre_norm = true;
    return made;
}
static tg_tensor *transformer_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    const tg_attention_mask mask = {.lengths = lengths, .query_lengths = lengths};
    return tg_transformer_forward(tape, l, x, &mask, NULL, NULL, NULL);
}

/* Composed, without an operator of its own: a Linear, kept from the padding. */
static tg_tensor *composed_forward(tg_tape *tape, const void *l, tg_tensor *x, tg_ints lengths)
{
    return tg_zero_padding(tape,
                           tg_tanh(tape,
                                   tg_linear_forward(tape, l, tg_zero_padding(tape, x, lengths))),
                           lengths);
}

static union {
    tg_linear linear;
    tg_layer_norm_layer norm;
    tg_lstm lstm;
    tg_additive_attention additive;
    tg_attention_pool pool;
    tg_sequential_attention sequential;
    tg_multihead multihead;
    tg_transformer transformer;
} room;

static const tg_checked_layer library[] = {
    {&room, linear_init, linear_forward, I, .pointwise = true},
    {&room, norm_init, norm_forward, I, .pointwise = true},
    {&room, linear_init, composed_forward, I, .pointwise = false},
    {&room, lstm_init, lstm_forward, I, .pointwise = false},
    {&room, bilstm_init, lstm_forward, I, .pointwise = false},
    {&room, additive_init, additive_forward, I, .pointwise = false},
    {&room, sequential_init, sequential_forward, I, .pointwise = false},
    {&room, multihead_init, multihead_forward, I, .open_padding = true},
    {&room, transformer_init, transformer_forward, I, .open_padding = true},
};

START_TEST(the_librarys_layers)
    {
        char what[32];
        snprintf(what, sizeof what, "layer %d", _i);
        assert_right(what, &library[_i]);
    }
END_TEST

START_TEST(pooling_by_every_score)
    {
        pool_score = (tg_score)_i;
        const tg_checked_layer layer = {&room, pool_init, pool_forward, I, .pointwise = false};
        char what[32];
        snprintf(what, sizeof what, "score %d", _i);
        assert_right(what, &layer);
    }
END_TEST

/* A Linear reads NaN in the padding, and says so in its gradient: called a layer of sequences, it is none. */
START_TEST(a_linear_is_pointwise)
    {
        tg_checked_layer layer = library[0];
        layer.pointwise = false;
        tg_layer_report report;
        ck_assert(!tg_check_layer(&layer, &report));
        ck_assert_int_eq(report.lines[TG_LAYER_PADDING].verdict, TG_LAYER_FAILED);
        ck_assert_int_eq(report.lines[TG_LAYER_ERRORS].verdict, TG_LAYER_FAILED);
    }
END_TEST

START_TEST(zero_padding)
    {
        const int32_t lengths[] = {2, 0}, wrong[] = {4, 0};
        const tg_real numbers[] = {1, 2, (tg_real)NAN, 4, 5, 6};
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, numbers, TG_SHAPE(2, 3, 1)),
                  *y = tg_zero_padding(tape, x, tg_ints_1d(lengths, 2));
        TEST_TENSOR(y, TG_SHAPE(2, 3, 1), 1, 2, 0, 0, 0, 0);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        test_assert_reals_near("dx", x->grad, (const tg_real[]){1, 1, 0, 0, 0, 0}, 6, 0);
        tg_tape_reset(tape);
        x = tg_constant(tape, numbers, TG_SHAPE(2, 3));
        ck_assert_ptr_eq(tg_zero_padding(tape, x, tg_full_length()), x);
        TEST_TENSOR(tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2, 3)),
                                    tg_ints_1d(lengths, 2)),
                    TG_SHAPE(2, 3), 0, 0, 0, 0, 0, 0);
        ck_assert_ptr_null(tg_zero_padding(tape, x, tg_ints_1d(wrong, 2)));
        test_expect_error(tape, "zero_padding", "4", NULL);
        ck_assert_ptr_null(
            tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2, 3)), tg_ints_1d(NULL, 2)));
        test_expect_error(tape, "zero_padding", "no data", NULL);
        ck_assert_ptr_null(
            tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2, 3)), tg_ints_1d(lengths, 1)));
        test_expect_error(tape, "zero_padding", NULL);
        ck_assert_ptr_null(
            tg_zero_padding(tape, tg_constant(tape, NULL, TG_SHAPE(2)), tg_ints_1d(lengths, 2)));
        test_expect_error(tape, "zero_padding", NULL);
        test_end(tape, NULL);
    }
END_TEST

Suite *check_layer_suite(void);
Suite *check_layer_suite(void)
{
    Suite *suite = suite_create("check_layer");
    TCase *tc = tcase_create("check_layer");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, each_fault_fails_its_check, 0, (int)COUNT(faults));
    tcase_add_loop_test(tc, each_fault_is_found_in_this_process, 0, (int)COUNT(faults));
    tcase_add_test(tc, a_first_pass_that_fails);
    tcase_add_test(tc, parameters_that_come_late);
    tcase_add_test(tc, no_folder_for_files);
    tcase_add_test(tc, a_layer_for_short_sequences_passes);
    tcase_add_test(tc, what_is_right_passes);
    tcase_add_loop_test(tc, the_librarys_layers, 0, (int)COUNT(library));
    tcase_add_loop_test(tc, pooling_by_every_score, 0, TG_SCORE_EUCLIDEAN + 1);
    tcase_add_test(tc, a_linear_is_pointwise);
    tcase_add_test(tc, zero_padding);
    suite_add_tcase(suite, tc);
    return suite;
}
