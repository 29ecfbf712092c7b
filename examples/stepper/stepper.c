/* The data of a page: tensors, operators and what is looked at, as JSON, in the middle of the page. */
#include "stepper.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char textclf_stepper[]; /* the page that page/ is put together to */
extern const size_t textclf_stepper_size;

/* ---- the tensors ---- */

/* The place of a tensor among the items; -1: it is not there. */
static int64_t place_of(const stepper *page, const tg_tensor *tensor)
{
    int64_t i = page->count - 1;
    while (i >= 0 && page->items[i].tensor != tensor) i--; /* what was made last is read next */
    return i;
}

/* The same, of one that is put there unless it is; -1 without memory. */
static int64_t put(stepper *page, const tg_tensor *tensor)
{
    const int64_t known = place_of(page, tensor);
    if (known >= 0) return known;
    if (page->count == page->room) {
        const size_t bytes = (size_t)(2 * page->room + 64) * sizeof *page->items;
        stepper_item *items = tg_realloc(page->items, bytes);
        if (!items) {
            page->refused = bytes;
            return -1;
        }
        page->items = items;
        page->room = 2 * page->room + 64;
    }
    page->items[page->count] = (stepper_item){.tensor = tensor, .alike = page->count, .row = -1};
    return page->count++;
}

tg_tensor *stepper_name(stepper *page, tg_tensor *tensor, int axes, const char *format, ...)
{
    const int64_t at = tensor ? put(page, tensor) : -1;
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

/* A parameter, or a part of one: the same numbers in another shape. */
static bool of_parameter(const tg_tensor *x)
{
    static const char *const views[] = {"slice", "reshape", "permute", NULL};
    while (!x->params && x->node && named(x->node, views)) x = x->node->inputs[0];
    return x->params != NULL;
}

/* ---- the unit that is looked at ----
 * Where an operator works feature by feature, feature k of its result is feature k of its operands, and so on along the
 * tape: all gates, cells and states of an LSTM's direction share theirs. Of each such set one feature is looked at wherever
 * it comes by: that with the largest gradient. */

static int64_t width_of(const tg_tensor *x) { return x->ndim ? x->shape[x->ndim - 1] : 1; }

static int64_t features(const stepper *page, int64_t at)
{
    while (page->items[at].alike != at) at = page->items[at].alike;
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
        if (node->inputs[i]) put(page, node->inputs[i]);
    for (int i = 0; i < node->n_outputs; i++) put(page, node->outputs[i]);
    for (int i = 0; !page->refused && i < node->n_inputs + node->n_outputs; i++) {
        const tg_tensor *x = i < node->n_inputs ? node->inputs[i]
                                                : node->outputs[i - node->n_inputs];
        if (!x) continue;
        if (mixes || (multiplies && i != 1) || width_of(x) != width_of(y) || of_parameter(x))
            continue;
        const int64_t set = features(page, place_of(page, y)),
                      other = features(page, place_of(page, x));
        page->items[other].alike = set;
    }
}

/* The largest of the sums of squares of the gradient over all tensors of a set. */
static void choose_unit(stepper *page, int64_t set)
{
    const int64_t width = width_of(page->items[set].tensor);
    const size_t bytes = ((size_t)width + 1) * sizeof(double);
    double *sums = tg_realloc(NULL, bytes), most = -1;
    if (sums) memset(sums, 0, bytes);
    else page->refused = bytes;
    for (int64_t i = 0; sums && i < page->count; i++) {
        const tg_tensor *x = page->items[i].tensor;
        if (features(page, i) != set || !x->has_grad) continue;
        for (int64_t k = 0; k < x->size; k++)
            sums[k % width] += (double)x->grad[k] * (double)x->grad[k];
    }
    for (int64_t k = 0; sums && k < width; k++)
        if (sums[k] > most) most = sums[k], page->items[set].unit = k;
    tg_free(sums);
}

/* Of a large matrix of parameters: the row and the column that the units looked at read, or else those of the largest
 * gradient. */
static void choose_slices(const stepper *page, const tg_node *node, int input)
{
    const tg_tensor *w = node->inputs[input];
    stepper_item *item = &page->items[place_of(page, w)];
    if (!of_parameter(w) || w->size <= STEPPER_LARGE || w->ndim != 2 || w->shape[0] == 1 ||
        item->row >= 0)
        return;
    const int64_t width = width_of(w),
                  in = page->items[features(page, place_of(page, node->inputs[0]))].unit;
    const int64_t out = page->items[features(page, place_of(page, node->outputs[0]))].unit;
    int64_t best = 0;
    for (int64_t k = 0; w->has_grad && k < w->size; k++)
        if (fabs((double)w->grad[k]) > fabs((double)w->grad[best])) best = k;
    item->row = best / width, item->column = best % width;
    if (!strcmp(node->op->name, "gather")) item->column = out;
    const bool linear = !strcmp(node->op->name, "linear"),
               product = !strcmp(node->op->name, "matmul");
    const int64_t row = linear ? out : in, column = linear ? in : out;
    if ((linear || product) && row < w->shape[0] && column < width)
        item->row = row, item->column = column;
}

/* ---- JSON ---- */

static void put_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; text && *text; text++) { /* no < : the page would take it for markup */
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

/* With as many digits as it takes to read the same bits again. */
static void put_number(FILE *to, tg_real x)
{
    char text[40] = "null"; /* no number */
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

/* All of it, or its row and column and its norm. */
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

/* One of the next tensors that has the same gradient, as both sides of a sum have that of the sum; or -1. */
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
            (long long)page->items[features(page, at)].unit);
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
                node->inputs[i] ? (long long)place_of(page, node->inputs[i]) : -1);
    fputs("],\"out\":[", to);
    for (int i = 0; i < node->n_outputs; i++)
        fprintf(to, "%s%lld", i ? "," : "", (long long)place_of(page, node->outputs[i]));
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
    const double *agreement = page->agreement;
    fprintf(to, "],\n\"agreement\":[%.3g,%.3g,%.3g,%.3g]", agreement[0], agreement[1], agreement[2],
            page->agreed);
}

/* ---- the page ---- */

/* Where the data go. */
static size_t length_of_head(const char *mark)
{
    size_t at = 0;
    while (at + strlen(mark) <= textclf_stepper_size &&
           memcmp(textclf_stepper + at, mark, strlen(mark)))
        at++;
    return at;
}

/* Takes the step and writes what the parameters are after it. */
static bool put_step(stepper *page, FILE *to, double loss, tg_params *params)
{
    const tg_sgd descent = {.lr = page->rate};
    bool first = true;
    if (!tg_sgd_step(&descent, params)) return false;
    fprintf(to, "],\n\"rate\":%.9g,\"after\":[", page->rate);
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
    put_number(to, page->again ? (tg_real)page->again(page->context) : (tg_real)NAN);
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
    for (int64_t i = 0; !page->refused && i < page->count; i++)
        if (features(page, i) == i) choose_unit(page, i);
    for (const tg_node *node = loss->node; !page->refused && node; node = node->previous)
        for (int i = 0; i < node->n_inputs; i++)
            if (node->inputs[i]) choose_slices(page, node, i);
    if (page->refused) return false;

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
    page->count = page->room = 0;
}
