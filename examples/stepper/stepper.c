/* Writes the data of a page as JSON, in the middle of the page: tensors, operators, and which
 * numbers the page follows. */
#include "stepper.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char textclf_stepper[]; /* the page, made from the files of page/ */
extern const size_t textclf_stepper_size;

/* ---- the tensors ---- */

/* The index of a tensor among the items, or -1. */
static int64_t index_of(const stepper *page, const tg_tensor *tensor)
{
    int64_t i = page->count - 1;
    while (i >= 0 && page->items[i].tensor != tensor) i--; /* new tensors are read most often */
    return i;
}

/* The same; adds the tensor if it is missing. -1 if memory is short. */
static int64_t add_item(stepper *page, const tg_tensor *tensor)
{
    const int64_t known = index_of(page, tensor);
    if (known >= 0) return known;
    if (page->count == page->capacity) {
        const size_t bytes = (size_t)(2 * page->capacity + 64) * sizeof *page->items;
        stepper_item *items = tg_realloc(page->items, bytes);
        if (!items) {
            page->failed_bytes = bytes;
            return -1;
        }
        page->items = items;
        page->capacity = 2 * page->capacity + 64;
    }
    page->items[page->count] = (stepper_item){.tensor = tensor, .set = page->count, .row = -1};
    return page->count++;
}

tg_tensor *stepper_name(stepper *page, tg_tensor *tensor, int axes, const char *format, ...)
{
    const int64_t at = tensor ? add_item(page, tensor) : -1;
    if (at < 0) return tensor;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(page->items[at].name, sizeof page->items[at].name, format, arguments);
    va_end(arguments);
    page->items[at].axes = axes;
    return tensor;
}

static bool named(const tg_node *node, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(node->op->name, *names)) return true;
    return false;
}

/* Whether a tensor is a parameter, or a slice, reshaping or permutation of one. */
static bool is_parameter(const tg_tensor *x)
{
    static const char *const views[] = {"slice", "reshape", "permute", NULL};
    while (!x->params && x->node && named(x->node, views)) x = x->node->inputs[0];
    return x->params != NULL;
}

/* ---- the feature that the page follows ---- If an operator works feature by feature, feature k
 * of its result depends on feature k of its operands alone. So these tensors form a set with the
 * same features, for example all gates, cells and states of one direction of an LSTM. In each
 * set the page follows one feature, the one with the largest gradient. Sets are found as in
 * union-find. */

static int64_t width_of(const tg_tensor *x) { return x->ndim ? x->shape[x->ndim - 1] : 1; }

static int64_t find_set(const stepper *page, int64_t at)
{
    while (page->items[at].set != at) at = page->items[at].set;
    return at;
}

static void collect(stepper *page, const tg_node *node)
{
    static const char *const mixing[] = {"linear", "softmax",   "log_softmax", "permute", "reshape",
                                         "gather", "attention", "lstm",        NULL};
    static const char *const product[] = {"matmul", NULL};
    const tg_tensor *y = node->outputs[0];
    const bool mixes = named(node, mixing), multiplies = named(node, product);
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]) add_item(page, node->inputs[i]);
    for (int i = 0; i < node->n_outputs; i++) add_item(page, node->outputs[i]);
    for (int i = 0; !page->failed_bytes && i < node->n_inputs + node->n_outputs; i++) {
        const tg_tensor *x = i < node->n_inputs ? node->inputs[i]
                                                : node->outputs[i - node->n_inputs];
        if (!x) continue;
        if (mixes || (multiplies && i != 1) || width_of(x) != width_of(y) || is_parameter(x))
            continue;
        const int64_t set = find_set(page, index_of(page, y)),
                      other = find_set(page, index_of(page, x));
        page->items[other].set = set;
    }
}

/* Chooses the feature of a set with the largest sum of squared gradients over its tensors. */
static void choose_unit(stepper *page, int64_t set)
{
    const int64_t width = width_of(page->items[set].tensor);
    const size_t bytes = ((size_t)width + 1) * sizeof(double);
    double *sums = tg_realloc(NULL, bytes), largest = -1;
    if (sums) memset(sums, 0, bytes);
    else page->failed_bytes = bytes;
    for (int64_t i = 0; sums && i < page->count; i++) {
        const tg_tensor *x = page->items[i].tensor;
        if (find_set(page, i) != set || !x->has_grad) continue;
        for (int64_t k = 0; k < x->size; k++)
            sums[k % width] += (double)x->grad[k] * (double)x->grad[k];
    }
    for (int64_t k = 0; sums && k < width; k++) {
        if (sums[k] <= largest) continue;
        largest = sums[k];
        page->items[set].unit = k;
    }
    tg_free(sums);
}

/* Chooses the row and the column of a large parameter matrix that the page has: those of the
 * features that it follows, or else those of the largest gradient. */
static void choose_slices(const stepper *page, const tg_node *node, int input)
{
    const tg_tensor *w = node->inputs[input];
    stepper_item *item = &page->items[index_of(page, w)];
    if (!is_parameter(w) || w->size <= STEPPER_LARGE || w->ndim != 2 || w->shape[0] == 1 ||
        item->row >= 0)
        return;
    const int64_t width = width_of(w),
                  in = page->items[find_set(page, index_of(page, node->inputs[0]))].unit;
    const int64_t out = page->items[find_set(page, index_of(page, node->outputs[0]))].unit;
    int64_t best = 0;
    for (int64_t k = 0; w->has_grad && k < w->size; k++)
        if (fabs((double)w->grad[k]) > fabs((double)w->grad[best])) best = k;
    item->row = best / width;
    item->column = best % width;
    if (!strcmp(node->op->name, "gather")) item->column = out;
    const bool linear = !strcmp(node->op->name, "linear"),
               product = !strcmp(node->op->name, "matmul");
    const int64_t row = linear ? out : in, column = linear ? in : out;
    if ((linear || product) && row < w->shape[0] && column < width) {
        item->row = row;
        item->column = column;
    }
}

/* ---- JSON ---- */

static void put_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; text && *text; text++) { /* "<" would start markup */
        if ((unsigned char)*text < 0x20 || strchr("\"\\<", *text))
            fprintf(to, "\\u%04x", (unsigned)*text);
        else fputc(*text, to);
    }
    fputc('"', to);
}

static void put_pair(FILE *to, const char *key, const char *text)
{
    fprintf(to, "\"%s\":", key);
    put_text(to, text);
}

static void put_texts(FILE *to, const char *key, const char *const *texts, int count)
{
    fprintf(to, ",\n\"%s\":[", key);
    for (int i = 0; i < count; i++) {
        if (i) fputc(',', to);
        put_text(to, texts[i]);
    }
    fputc(']', to);
}

/* Writes a number with as few digits as give the same bits when read. */
static void put_number(FILE *to, tg_real x)
{
    char text[40] = "null"; /* if it is not finite */
    for (int digits = sizeof(tg_real) == sizeof(float) ? 6 : 15; isfinite(x); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if ((tg_real)strtod(text, NULL) == x || digits == 17) break;
    }
    fputs(text, to);
}

static void put_numbers(FILE *to, const char *key, const char *part, const tg_real *data,
                        int64_t count, int64_t stride)
{
    fprintf(to, ",\"%s%s\":[", key, part);
    for (int64_t i = 0; i < count; i++) {
        if (i) fputc(',', to);
        put_number(to, data[i * stride]);
    }
    fputc(']', to);
}

/* Writes all values, or one row, one column and the norm. */
static void put_data(FILE *to, const char *key, const stepper_item *item, const tg_real *data)
{
    const tg_tensor *x = item->tensor;
    const int64_t width = width_of(x);
    double squares = 0;
    if (item->row < 0) {
        put_numbers(to, key, "", data, x->size, 1);
        return;
    }
    for (int64_t i = 0; i < x->size; i++) squares += (double)data[i] * (double)data[i];
    put_numbers(to, key, "r", data + item->row * width, width, 1);
    if (x->size / width <= STEPPER_LARGE)
        put_numbers(to, key, "c", data + item->column, x->size / width, width);
    fprintf(to, ",\"%sn\":%.9g", key, sqrt(squares));
}

/* The index of one of the next tensors with the same gradient, as both operands of a sum have;
 * or -1. */
static int64_t same_gradient(const stepper *page, int64_t at)
{
    const tg_tensor *x = page->items[at].tensor;
    for (int64_t i = at + 1; i < page->count && i <= at + 3 && page->items[at].row < 0; i++) {
        const tg_tensor *y = page->items[i].tensor;
        if (!y->has_grad || y->size != x->size || page->items[i].row >= 0) continue;
        if (!memcmp(x->grad, y->grad, (size_t)x->size * sizeof *x->grad)) return i;
    }
    return -1;
}

static void put_tensor(const stepper *page, FILE *to, int64_t at)
{
    const stepper_item *item = &page->items[at];
    const tg_tensor *x = item->tensor;
    fprintf(to, "%s\n{\"shape\":[", at ? "," : "");
    for (int d = 0; d < x->ndim; d++) fprintf(to, "%s%lld", d ? "," : "", (long long)x->shape[d]);
    fputs("],", to);
    put_pair(to, "name", item->name[0] ? item->name : x->name);
    fputc(',', to);
    put_pair(to, "param", x->params ? x->name : "");
    fprintf(to, ",\"axes\":%d,\"unit\":%lld", item->axes,
            (long long)page->items[find_set(page, at)].unit);
    if (item->row >= 0)
        fprintf(to, ",\"row\":%lld,\"column\":%lld", (long long)item->row, (long long)item->column);
    put_data(to, "v", item, x->data);
    const int64_t same = x->has_grad ? same_gradient(page, at) : -1;
    if (same >= 0) fprintf(to, ",\"g\":%lld", (long long)same);
    else if (x->has_grad) put_data(to, "g", item, x->grad);
    fputc('}', to);
}

static void put_node(stepper *page, FILE *to, const tg_node *node)
{
    fputs(node->previous ? ",\n{" : "\n{", to);
    put_pair(to, "op", node->op->name);
    fputc(',', to);
    put_pair(to, "scope", node->scope);
    fputs(",\"in\":[", to);
    for (int i = 0; i < node->n_inputs; i++)
        fprintf(to, "%s%lld", i ? "," : "",
                node->inputs[i] ? (long long)index_of(page, node->inputs[i]) : -1);
    fputs("],\"out\":[", to);
    for (int i = 0; i < node->n_outputs; i++)
        fprintf(to, "%s%lld", i ? "," : "", (long long)index_of(page, node->outputs[i]));
    fputs("]}", to);
}

static void put_head(const stepper *page, FILE *to)
{
    fputc('{', to);
    put_pair(to, "title", page->title);
    fputs(",\n", to);
    put_pair(to, "about", page->about);
    put_texts(to, "words", page->words, page->word_count);
    put_texts(to, "labels", page->labels, page->label_count);
    fprintf(to, ",\n\"label\":%d,\n\"ids\":[", page->labels ? page->label : -1);
    for (int i = 0; page->ids && i < page->word_count; i++)
        fprintf(to, "%s%d", i ? "," : "", (int)page->ids[i]);
    const double *difference = page->difference;
    fprintf(to, "],\n\"agreement\":[%.3g,%.3g,%.3g,%.3g]", difference[0], difference[1],
            difference[2], page->max_difference);
}

/* ---- the page ---- */

/* The length of the page before the mark, which the data replace. */
static size_t length_of_head(const char *mark)
{
    size_t at = 0;
    while (at + strlen(mark) <= textclf_stepper_size &&
           memcmp(textclf_stepper + at, mark, strlen(mark)))
        at++;
    return at;
}

/* Takes a step of gradient descent, and writes the parameters after it. */
static bool put_step(stepper *page, FILE *to, double loss, tg_params *params)
{
    const tg_sgd descent = {.lr = page->lr};
    bool first = true;
    if (!tg_sgd_step(&descent, params)) return false;
    fprintf(to, "],\n\"rate\":%.9g,\"after\":[", page->lr);
    for (int64_t i = 0; i < page->count; i++) {
        if (!page->items[i].tensor->params) continue;
        fprintf(to, "%s\n{\"tensor\":%lld", first ? "" : ",", (long long)i);
        put_data(to, "v", &page->items[i], page->items[i].tensor->data);
        fputc('}', to);
        first = false;
    }
    fputs("],\n\"loss\":[", to);
    put_number(to, (tg_real)loss);
    fputc(',', to);
    put_number(to, page->loss_again ? (tg_real)page->loss_again(page->context) : (tg_real)NAN);
    fputs("]}\n", to);
    return true;
}

bool stepper_write(stepper *page, FILE *to, const tg_tensor *loss, tg_params *params)
{
    static const char mark[] = "@DATA@";
    const size_t head = length_of_head(mark), tail = head + strlen(mark);
    const tg_node *first = loss ? loss->node : NULL, *end = first ? first->next : NULL;
    if (!first) return false;
    while (first->previous) first = first->previous;
    for (const tg_node *node = first; node != end; node = node->next) collect(page, node);
    for (int64_t i = 0; !page->failed_bytes && i < page->count; i++)
        if (find_set(page, i) == i) choose_unit(page, i);
    for (const tg_node *node = loss->node; !page->failed_bytes && node; node = node->previous)
        for (int i = 0; i < node->n_inputs; i++)
            if (node->inputs[i]) choose_slices(page, node, i);
    if (page->failed_bytes) return false;

    fwrite(textclf_stepper, 1, head, to);
    put_head(page, to);
    fputs(",\n\"tensors\":[", to);
    for (int64_t i = 0; i < page->count; i++) put_tensor(page, to, i);
    fputs("],\n\"nodes\":[", to);
    for (const tg_node *node = first; node != end; node = node->next) put_node(page, to, node);
    if (!put_step(page, to, tg_item(loss), params)) return false;
    fwrite(textclf_stepper + tail, 1, textclf_stepper_size - tail, to);
    return !ferror(to);
}

void stepper_free(stepper *page)
{
    tg_free(page->items);
    page->items = NULL;
    page->count = 0;
    page->capacity = 0;
}
