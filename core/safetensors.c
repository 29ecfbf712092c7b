/* Parameters in files: safetensors (https://github.com/huggingface/safetensors, "Format"):
 *     8 bytes   length n of the header, little-endian
 *     n bytes   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {..}}
 *     the rest  the tensors' bytes, row-major, little-endian, without holes
 * The optimizers' state is saved as tensors called optimizer/exp_avg/NAME and so on, and the count of Adam's steps as
 * optimizer/steps/NAME. Nothing read from a file is trusted before it is checked. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static const char STATE_PREFIX[] = "optimizer/";
static const char STEPS[] = "steps";

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors are little-endian, and so must the machine be");

/* ---- number formats ---- */

typedef struct tg_number_format {
    const char *name;
    size_t bytes;
    double (*read)(const unsigned char *bytes);
} number_format;

static double read_f64(const unsigned char *bytes)
{
    double value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static double read_f32(const unsigned char *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return (double)value;
}

static double read_bf16(const unsigned char *bytes)
{
    unsigned char wide[4] = {0, 0, bytes[0], bytes[1]};
    return read_f32(wide);
}

static double read_f16(const unsigned char *bytes)
{
    int bits = bytes[0] | bytes[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
                   : exponent == 0 ? ldexp(fraction, -24)
                                   : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -value : value;
}

static const number_format formats[] = {
    {"F32", 4, read_f32}, {"F64", 8, read_f64}, {"F16", 2, read_f16}, {"BF16", 2, read_bf16}};

static const char *own_format(void) { return sizeof(tg_real) == 8 ? "F64" : "F32"; }

/* ---- writing ---- */

/* Tensors pass twice in the same order: into the header, then (header NULL) their numbers into the file. */
typedef struct writer {
    json_t *header;
    uint64_t offset;
    FILE *file;
} writer;

/* What belongs to a parameter: its values (state NULL), or of an optimizer's state the one of that name. */
static bool write_tensor(writer *w, const tg_param_entry *entry, const char *state, int ndim, const char *dtype,
                         const void *data, size_t bytes)
{
    if (!w->header) return fwrite(data, 1, bytes, w->file) == bytes;
    char name[TG_MAX_NAME + sizeof STATE_PREFIX + TG_STATE_NAME + 1];
    snprintf(name, sizeof name, "%s%s%s%s", state ? STATE_PREFIX : "", state ? state : "", state ? "/" : "", entry->name);
    json_t *sizes = json_array();
    bool whole = true;
    for (int d = 0; d < ndim; d++) whole = json_array_append_new(sizes, json_integer(entry->tensor.shape[d])) == 0 && whole;
    json_t *item = json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", sizes, "data_offsets",
                             (json_int_t)w->offset, (json_int_t)(w->offset + bytes));
    w->offset += bytes;
    return json_object_set_new(w->header, name, item) == 0 && whole;
}

static bool write_tensors(writer *w, const tg_params *params, tg_save_what what)
{
    bool good = true;
    for (int64_t i = 0; good && i < params->count; i++) {
        const tg_param_entry *entry = params->entries[i];
        const tg_tensor *tensor = &entry->tensor;
        const size_t bytes = (size_t)tensor->size * sizeof(tg_real);
        const double steps = (double)entry->steps;
        good = write_tensor(w, entry, NULL, tensor->ndim, own_format(), tensor->data, bytes);
        if (what != TG_SAVE_STATE) continue;
        for (int k = 0; good && k < TG_MAX_STATES && entry->states[k].data; k++)
            good = write_tensor(w, entry, entry->states[k].name, tensor->ndim, own_format(), entry->states[k].data, bytes);
        if (good && steps > 0) good = write_tensor(w, entry, STEPS, 0, "F64", &steps, sizeof steps);
    }
    return good;
}

/* NULL when there is no memory or a name or a value is no UTF-8. */
static json_t *make_header(const tg_params *params, tg_save_what what)
{
    writer w = {.header = json_object()};
    if (w.header && (!json_object_size(params->metadata) || !json_object_set(w.header, "__metadata__", params->metadata)) &&
        write_tensors(&w, params, what))
        return w.header;
    json_decref(w.header);
    return NULL;
}

/* The header is padded to a multiple of 8 bytes. */
static bool write_contents(const tg_params *params, tg_save_what what, const json_t *header, FILE *file)
{
    const size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    const uint64_t padded = (length + 7) / 8 * 8;
    return length && fwrite(&padded, sizeof padded, 1, file) == 1 && json_dumpf(header, file, JSON_COMPACT) == 0 &&
           fprintf(file, "%*s", (int)(padded - length), "") >= 0 &&
           write_tensors(&(writer){.file = file}, params, what) && fflush(file) == 0 && fsync(fileno(file)) == 0;
}

/* Makes the renaming itself durable; a file system that cannot sync a folder is no reason to fail. */
static void sync_folder(const char *path)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int file = open(folder, O_RDONLY);
    if (file < 0) return;
    fsync(file);
    close(file);
}

bool tg_params_save(tg_params *params, const char *path, tg_save_what what)
{
    if (!params || params->error.set) return false;
    tg_params_catch_up(params);
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return tg_fail(&params->error, "cannot save %s: it is there and no regular file", path);
    char partial[4096];
    int length = snprintf(partial, sizeof partial, "%s.%ld.partial", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof partial) return tg_fail(&params->error, "cannot save: the path is too long");
    json_t *header = make_header(params, what);
    if (!header)
        return tg_fail(&params->error, "cannot save %s: no memory for its header, or a name or text that is no UTF-8",
                       path);
    FILE *file = fopen(partial, "wbe");
    bool written = file && write_contents(params, what, header, file);
    int reason = errno;
    json_decref(header);
    if (file && fclose(file) != 0 && written) written = false, reason = errno;
    if (written && rename(partial, path) != 0) written = false, reason = errno;
    if (!written) {
        if (file) unlink(partial);
        return tg_fail(&params->error, "cannot save %s: %s", path, strerror(reason));
    }
    sync_folder(path);
    return true;
}

/* ---- reading ---- */

typedef struct reader {
    tg_params *params;
    const char *path;
    const unsigned char *data; /* of the tensors */
    uint64_t size;             /* bytes of it */
    tg_loaded_file found;
} reader;

static bool bad_file(const reader *r, const char *what, const char *name)
{
    return tg_fail(&r->params->error, "cannot load %s: %s%s%s", r->path, name ? name : "", name ? ": " : "", what);
}

static void *reader_alloc(reader *r, size_t bytes, const char *name)
{
    void *memory = tg_arena_alloc(&r->found.arena, bytes);
    return memory ? memory : tg_fail(&r->params->error, "out of memory: %zu bytes to load %s", bytes, name);
}

static bool read_shape(const reader *r, const json_t *sizes, tg_tensor *tensor)
{
    if (!json_is_array(sizes) || json_array_size(sizes) > TG_MAX_DIMS)
        return bad_file(r, "its shape is no list of at most 6 sizes", tensor->name);
    tensor->ndim = (int)json_array_size(sizes);
    for (int d = 0; d < tensor->ndim; d++) {
        const json_t *size = json_array_get(sizes, (size_t)d);
        tensor->shape[d] = json_integer_value(size);
        if (!json_is_integer(size) || tensor->shape[d] < 0) return bad_file(r, "its shape has a bad size", tensor->name);
    }
    tensor->size = tg_shape_size(tensor->ndim, tensor->shape);
    return tensor->size >= 0 || bad_file(r, "its shape is too large", tensor->name);
}

static bool read_tensor(reader *r, const char *name, json_t *entry)
{
    const char *dtype;
    json_t *shape;
    json_int_t from, to;
    if (json_unpack(entry, "{s:s, s:o, s:[I, I!]}", "dtype", &dtype, "shape", &shape, "data_offsets", &from, &to) != 0)
        return bad_file(r, "its entry is not a dtype, a shape and two data_offsets", name);
    const number_format *format = NULL;
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++)
        if (strcmp(formats[k].name, dtype) == 0) format = &formats[k];
    if (!format) return bad_file(r, "its dtype is none of F32, F64, F16, BF16", name);
    char *kept = reader_alloc(r, strlen(name) + 1, name);
    if (!kept) return false;
    tg_tensor tensor = {.name = strcpy(kept, name)};
    if (!read_shape(r, shape, &tensor)) return false;
    if (from < 0 || to < from || (uint64_t)to > r->size) return bad_file(r, "its data lie outside the file", name);
    if ((uint64_t)(to - from) != (uint64_t)tensor.size * format->bytes)
        return bad_file(r, "its data_offsets do not fit its shape", name);
    r->found.tensors[r->found.count++] = (tg_loaded){tensor, format, r->data + from, r->data + to, false};
    return true;
}

/* The whole file into memory, and its header. */
static bool read_file(reader *r, FILE *file, json_t **header)
{
    struct stat status;
    uint64_t length;
    if (fstat(fileno(file), &status) != 0) return bad_file(r, strerror(errno), NULL);
    if (!S_ISREG(status.st_mode)) return bad_file(r, "it is no regular file", NULL);
    const uint64_t size = (uint64_t)status.st_size;
    if (size < 8 || fread(&length, 8, 1, file) != 1 || length > size - 8 || length > 100u << 20)
        return bad_file(r, "it is no safetensors file (the length of its header is wrong)", NULL);
    char *text = reader_alloc(r, size - 8, r->path);
    if (!text) return false;
    if (fread(text, 1, size - 8, file) != size - 8) return bad_file(r, "it ends early", NULL);
    r->data = (const unsigned char *)text + length;
    r->size = size - 8 - length;
    *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    return json_is_object(*header) || bad_file(r, "it is no safetensors file (its header is no JSON object)", NULL);
}

static int by_place(const void *a, const void *b)
{
    const tg_loaded *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* All of them; they lie one after the other and fill the data: no hole, no overlap. */
static bool read_tensors(reader *r, json_t *header)
{
    const char *name;
    json_t *entry;
    r->found.tensors = reader_alloc(r, json_object_size(header) * sizeof *r->found.tensors, r->path);
    if (!r->found.tensors) return false;
    json_object_foreach(header, name, entry)
        if (strcmp(name, "__metadata__") != 0 && !read_tensor(r, name, entry)) return false;
    const unsigned char *end = r->data;
    qsort(r->found.tensors, r->found.count, sizeof *r->found.tensors, by_place);
    for (size_t i = 0; i < r->found.count; i++) {
        const tg_loaded *next = &r->found.tensors[i];
        if (next->begin != end) return bad_file(r, "its data overlap others or leave a hole", next->tensor.name);
        end = next->end;
    }
    return end == r->data + r->size || bad_file(r, "its tensors do not fill its data", NULL);
}

static bool check_metadata(const reader *r, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata)) return bad_file(r, "its metadata is no JSON object", NULL);
    json_object_foreach(metadata, key, value) /* text holds no zero byte: jansson refuses it */
        if (!json_is_string(value)) return bad_file(r, "its metadata holds something other than text", key);
    return true;
}

/* ---- giving ---- */

/* optimizer/exp_avg/encoder.weight: whether the name is of that form and ends in the entry's name; then its middle,
 * otherwise (the values themselves) "". False for what belongs to another parameter. */
static bool belongs_to(const tg_param_entry *entry, const char *name, char state[TG_STATE_NAME])
{
    state[0] = 0;
    if (strcmp(name, entry->name) == 0) return true;
    if (strncmp(name, STATE_PREFIX, sizeof STATE_PREFIX - 1) != 0) return false;
    const char *start = name + sizeof STATE_PREFIX - 1, *slash = strchr(start, '/');
    if (!slash || slash - start >= TG_STATE_NAME || slash == start || strcmp(slash + 1, entry->name) != 0) return false;
    snprintf(state, TG_STATE_NAME, "%.*s", (int)(slash - start), start);
    return true;
}

/* Whether the tensors of a file fit a parameter and its states: all have its shape, but the steps, one whole number. */
static bool check_entry(tg_params *params, const tg_param_entry *entry, const tg_loaded_file *file)
{
    const tg_tensor *wanted = &entry->tensor;
    char state[TG_STATE_NAME];
    bool found = false;
    for (const tg_loaded *loaded = file->tensors; loaded < file->tensors + file->count; loaded++) {
        const tg_tensor *tensor = &loaded->tensor;
        if (!belongs_to(entry, tensor->name, state)) continue;
        if (!state[0]) found = true;
        if (strcmp(state, STEPS) == 0) {
            const double steps = tensor->size == 1 ? loaded->format->read(loaded->begin) : -1;
            if (!(steps >= 0 && steps < 0x1p53 && steps == floor(steps)))
                return tg_fail(&params->error, "parameter %s: the file's count of steps is no whole number", entry->name);
        } else if (!tg_has_shape(wanted, tensor->ndim, tensor->shape)) {
            return tg_fail(&params->error, "parameter %s: the model wants the shape %s, the file holds %s", entry->name,
                           tg_text_of(wanted->ndim, wanted->shape).text, tg_text_of(tensor->ndim, tensor->shape).text);
        }
    }
    return found || tg_fail(&params->error, "the file holds no parameter %s", entry->name);
}

bool tg_param_claim(tg_params *params, tg_param_entry *entry)
{
    const size_t bytes = (size_t)entry->tensor.size * sizeof(tg_real);
    char state[TG_STATE_NAME];
    tg_real *to = entry->tensor.data;
    if (!check_entry(params, entry, &params->loaded)) return false;
    tg_param_drop_grad(entry);
    entry->steps = 0;
    for (int k = 0; k < TG_MAX_STATES; k++)
        if (entry->states[k].data) memset(entry->states[k].data, 0, bytes);
    for (size_t i = 0; to && i < params->loaded.count; i++) {
        tg_loaded *loaded = &params->loaded.tensors[i];
        if (!belongs_to(entry, loaded->tensor.name, state)) continue;
        loaded->claimed = true;
        if (strcmp(state, STEPS) == 0) {
            entry->steps = (int64_t)loaded->format->read(loaded->begin);
            continue;
        }
        to = state[0] ? tg_param_state(params, entry, state) : entry->tensor.data;
        for (int64_t k = 0; to && k < entry->tensor.size; k++)
            to[k] = (tg_real)loaded->format->read(loaded->begin + (size_t)k * loaded->format->bytes);
    }
    tg_deferred_restart(entry);
    return to != NULL;
}

/* Takes over what the file was found to hold: from here on only memory can fail. */
static bool take_over(reader *r, json_t *metadata)
{
    tg_params *params = r->params;
    if (!params->metadata) params->metadata = json_object();
    if (metadata && json_object_update(params->metadata, metadata) != 0)
        return tg_fail(&params->error, "out of memory: the metadata of %s", r->path);
    tg_arena_free(&params->loaded.arena);
    params->loaded = r->found;
    params->from_file = true;
    r->found = (tg_loaded_file){.count = 0};
    for (int64_t i = 0; i < params->count; i++)
        if (!tg_param_claim(params, params->entries[i])) return false;
    return true;
}

bool tg_params_load(tg_params *params, const char *path)
{
    if (!params || params->error.set) return false;
    if (params->held) return tg_fail(&params->error, "%s: the parameters are held; end that by tg_params_hold", path);
    reader r = {.params = params, .path = path};
    FILE *file = fopen(path, "rb");
    if (!file) return bad_file(&r, strerror(errno), NULL);
    json_t *header = NULL;
    bool good = read_file(&r, file, &header) && check_metadata(&r, json_object_get(header, "__metadata__")) &&
                read_tensors(&r, header);
    for (int64_t i = 0; good && i < params->count; i++) good = check_entry(params, params->entries[i], &r.found);
    good = good && take_over(&r, json_object_get(header, "__metadata__"));
    json_decref(header);
    tg_arena_free(&r.found.arena);
    fclose(file);
    return good;
}

bool tg_params_loaded(tg_params *params)
{
    if (!params || params->error.set) return false;
    for (size_t i = 0; i < params->loaded.count; i++)
        if (!params->loaded.tensors[i].claimed)
            return tg_fail(&params->error, "the file holds %s, for which the model has no place",
                           params->loaded.tensors[i].tensor.name);
    tg_arena_free(&params->loaded.arena);
    params->loaded.count = 0;
    params->from_file = false;
    return true;
}
