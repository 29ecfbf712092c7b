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
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static const char STATE_PREFIX[] = "optimizer/";
static const char STEPS[] = "steps";

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "safetensors are little-endian, and so must the machine be");

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

static const number_format formats[] = {{"F32", 4, read_f32},
                                        {"F64", 8, read_f64},
                                        {"F16", 2, read_f16},
                                        {"BF16", 2, read_bf16}};

static const char *own_format(void) { return sizeof(tg_real) == 8 ? "F64" : "F32"; }

/* Reads or writes all of `size` bytes, in as many goes as it takes. False with errno set, which is 0 where a file ends early. */
static bool transfer(int file, void *bytes, size_t size, bool out)
{
    for (size_t done = 0; done < size;) {
        void *at = (char *)bytes + done;
        const ssize_t count = out ? write(file, at, size - done) : read(file, at, size - done);
        if (count == 0) errno = out ? EIO : 0;
        if (count == 0 || (count < 0 && errno != EINTR)) return false;
        if (count > 0) done += (size_t)count;
    }
    return true;
}

/* ---- writing ---- */

/* Tensors pass twice in the same order: into the header, then (header NULL) their numbers into the file. */
typedef struct writer {
    json_t *header;
    uint64_t offset;
    int file;
} writer;

/* What belongs to a parameter: its values (state NULL), or of an optimizer's state the one of that name. */
static bool write_tensor(writer *w, const tg_param_entry *entry, const char *state, int ndim,
                         const char *dtype, void *data, size_t bytes)
{
    if (!w->header) return transfer(w->file, data, bytes, true);
    char name[TG_MAX_NAME + sizeof STATE_PREFIX + TG_STATE_NAME + 1];
    snprintf(name, sizeof name, "%s%s%s%s", state ? STATE_PREFIX : "", state ? state : "",
             state ? "/" : "", entry->name);
    json_t *sizes = json_array();
    bool whole = true;
    for (int d = 0; d < ndim; d++)
        whole = json_array_append_new(sizes, json_integer(entry->tensor.shape[d])) == 0 && whole;
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
        double steps = (double)entry->steps;
        good = write_tensor(w, entry, NULL, tensor->ndim, own_format(), tensor->data, bytes);
        if (what != TG_SAVE_STATE) continue;
        for (int k = 0; good && k < TG_MAX_STATES && entry->states[k].data; k++)
            good = write_tensor(w, entry, entry->states[k].name, tensor->ndim, own_format(),
                                entry->states[k].data, bytes);
        if (good && steps > 0) good = write_tensor(w, entry, STEPS, 0, "F64", &steps, sizeof steps);
    }
    return good;
}

/* The length of the header, and the header, padded to a multiple of 8 bytes; the caller frees it. NULL with the error set. */
static char *make_header(tg_params *params, tg_save_what what, size_t *size)
{
    tg_refused = 0;
    writer w = {.header = json_object()};
    bool good = w.header &&
                (!json_object_size(params->metadata) ||
                 !json_object_set(w.header, "__metadata__", params->metadata)) &&
                write_tensors(&w, params, what);
    const size_t length = good ? json_dumpb(w.header, NULL, 0, JSON_COMPACT) : 0;
    const uint64_t padded = (length + 7) / 8 * 8;
    *size = (size_t)padded + 8;
    char *header = length ? tg_realloc(NULL, *size) : NULL;
    if (header) {
        memset(header, ' ', *size);
        memcpy(header, &padded, 8);
        good = json_dumpb(w.header, header + 8, length, JSON_COMPACT) == length;
    }
    json_decref(w.header);
    if (header && good) return header;
    tg_free(header);
    if (tg_refused)
        return tg_fail(&params->error, "out of memory: %zu bytes for a header", tg_refused);
    return tg_fail(
        &params->error,
        "a parameter's name is no UTF-8, or there is no memory for the header of a file");
}

/* `path` holds the old file or the new one at any time: the new one is written beside it, synced, renamed, and the folder synced,
 * which makes the renaming itself durable. The folder is locked meanwhile, so that what stands there under that name was left by
 * a process that was killed. A folder that cannot be opened, locked or synced is no reason to fail. Returns 0 or errno's value. */
static int write_file(const char *path, char *header, size_t size, const tg_params *params,
                      tg_save_what what)
{
    char partial[4096], folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    if ((size_t)snprintf(partial, sizeof partial, "%s.partial", path) >= sizeof partial)
        return ENAMETOOLONG;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    const int place = open(folder, O_RDONLY | O_CLOEXEC);
    flock(place, LOCK_EX);
    const int file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    const bool written = file >= 0 && transfer(file, header, size, true) &&
                         write_tensors(&(writer){.file = file}, params, what) && fsync(file) == 0 &&
                         rename(partial, path) == 0;
    const int reason = written ? 0 : errno;
    if (file >= 0) close(file); /* synced already: it is whole, whatever this says */
    if (written) fsync(place);
    else if (file >= 0) unlink(partial);
    if (place >= 0) close(place);
    return reason;
}

bool tg_params_save(tg_params *params, const char *path, tg_save_what what)
{
    if (!params || params->error.set) return false;
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return tg_fail(&params->error, "cannot save %s: it is there and no regular file", path);
    size_t size;
    char *header = make_header(params, what, &size);
    if (!header) return false;
    const int reason = write_file(path, header, size, params, what);
    tg_free(header);
    if (reason == ENAMETOOLONG) return tg_fail(&params->error, "cannot save: the path is too long");
    return !reason || tg_fail(&params->error, "cannot save %s: %s", path, strerror(reason));
}

/* ---- reading ---- */

typedef struct reader {
    tg_params *params;
    const char *path;
    const unsigned char *data; /* of the tensors */
    uint64_t size;             /* bytes of it */
    tg_loaded_file found;
} reader;

/* All that fails in between, jansson among it: for want of memory, if some was refused. */
static bool bad_file(const reader *r, const char *what, const char *name)
{
    if (tg_refused)
        return tg_fail(&r->params->error, "out of memory: %zu bytes to load %s", tg_refused,
                       r->path);
    return tg_fail(&r->params->error, "cannot load %s: %s%s%s", r->path, name ? name : "",
                   name ? ": " : "", what);
}

static void *reader_alloc(reader *r, size_t bytes)
{
    void *memory = tg_arena_alloc(&r->found.arena, bytes);
    return memory
               ? memory
               : tg_fail(&r->params->error, "out of memory: %zu bytes to load %s", bytes, r->path);
}

static bool read_shape(const reader *r, const json_t *sizes, tg_tensor *tensor)
{
    if (!json_is_array(sizes) || json_array_size(sizes) > TG_MAX_DIMS)
        return bad_file(r, "its shape is no list of at most 6 sizes", tensor->name);
    tensor->ndim = (int)json_array_size(sizes);
    for (int d = 0; d < tensor->ndim; d++) {
        const json_t *size = json_array_get(sizes, (size_t)d);
        tensor->shape[d] = json_integer_value(size);
        if (!json_is_integer(size) || tensor->shape[d] < 0)
            return bad_file(r, "its shape has a bad size", tensor->name);
    }
    tensor->size = tg_shape_size(tensor->ndim, tensor->shape);
    return tensor->size >= 0 || bad_file(r, "its shape is too large", tensor->name);
}

static bool read_tensor(reader *r, const char *name, const json_t *entry)
{
    const json_t *shape = json_object_get(entry, "shape"),
                 *place = json_object_get(entry, "data_offsets");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *begin = json_array_get(place, 0), *end = json_array_get(place, 1);
    const json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (!dtype || !shape || json_array_size(place) != 2 || !json_is_integer(begin) ||
        !json_is_integer(end))
        return bad_file(r, "its entry is not a dtype, a shape and two data_offsets", name);
    const number_format *format = NULL;
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++)
        if (strcmp(formats[k].name, dtype) == 0) format = &formats[k];
    if (!format) return bad_file(r, "its dtype is none of F32, F64, F16, BF16", name);
    char *kept = reader_alloc(r, strlen(name) + 1);
    if (!kept) return false;
    tg_tensor tensor = {.name = strcpy(kept, name)};
    if (!read_shape(r, shape, &tensor)) return false;
    if (from < 0 || to < from || (uint64_t)to > r->size)
        return bad_file(r, "its data lie outside the file", name);
    if ((uint64_t)(to - from) != (uint64_t)tensor.size * format->bytes)
        return bad_file(r, "its data_offsets do not fit its shape", name);
    r->found.tensors[r->found.count++] = (tg_loaded){tensor, format, r->data + from, r->data + to,
                                                     false};
    return true;
}

/* The header's JSON. jansson's lexer keeps a token in a buffer, does not notice when that cannot grow (its issue 362), and then
 * reads past it. So it is made to grow at once, by a string before the header of which no byte matters, into memory that was there
 * a moment ago. */
static json_t *read_header(reader *r, int file, size_t length)
{
    static const char before[] = {'[', '"'}, between[] = {'"', ','};
    size_t pad = 16;
    while (pad < length) pad *= 2; /* so that the buffer does not grow at the closing quote */
    const size_t start = pad + 4;
    char *text = reader_alloc(r, start + length + 1),
         *room = text ? tg_realloc(NULL, 5 * pad) : NULL;
    tg_free(room);
    if (!room)
        return tg_fail(&r->params->error, "out of memory: %zu bytes to load %s", 5 * pad, r->path);
    memcpy(memset(text, 'x', start), before, sizeof before);
    memcpy(text + start - sizeof between, between, sizeof between);
    text[start + length] = ']';
    if (!transfer(file, text + start, length, false))
        return bad_file(r, errno ? strerror(errno) : "it ends early", NULL), NULL;
    json_t *both = json_loadb(text, start + length + 1, JSON_REJECT_DUPLICATES, NULL);
    json_t *header = json_array_size(both) == 2 ? json_incref(json_array_get(both, 1)) : NULL;
    json_decref(both);
    if (!json_is_object(header) || tg_refused)
        bad_file(r, "it is no safetensors file (its header is no JSON object)", NULL);
    return header;
}

/* The whole file into memory, and its header. */
static bool read_file(reader *r, int file, json_t **header)
{
    struct stat status;
    uint64_t length;
    if (fstat(file, &status) != 0) return bad_file(r, strerror(errno), NULL);
    if (!S_ISREG(status.st_mode)) return bad_file(r, "it is no regular file", NULL);
    const uint64_t size = (uint64_t)status.st_size;
    if (size < 8 || size > PTRDIFF_MAX || !transfer(file, &length, 8, false) || length > size - 8 ||
        length > 100u << 20)
        return bad_file(r, "it is no safetensors file (the length of its header is wrong)", NULL);
    r->size = size - 8 - length;
    *header = read_header(r, file, (size_t)length);
    unsigned char *data = r->params->error.set ? NULL : reader_alloc(r, (size_t)r->size);
    r->data = data;
    if (!data) return false;
    return transfer(file, data, (size_t)r->size, false) ||
           bad_file(r, errno ? strerror(errno) : "it ends early", NULL);
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
    r->found.tensors = reader_alloc(r, json_object_size(header) * sizeof *r->found.tensors);
    if (!r->found.tensors) return false;
    json_object_foreach(header, name, entry) if (strcmp(name, "__metadata__") != 0 &&
                                                 !read_tensor(r, name, entry)) return false;
    const unsigned char *end = r->data;
    qsort(r->found.tensors, r->found.count, sizeof *r->found.tensors, by_place);
    for (size_t i = 0; i < r->found.count; i++) {
        const tg_loaded *next = &r->found.tensors[i];
        if (next->begin != end)
            return bad_file(r, "its data overlap others or leave a hole", next->tensor.name);
        end = next->end;
    }
    return end == r->data + r->size || bad_file(r, "its tensors do not fill its data", NULL);
}

static bool check_metadata(const reader *r, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata))
        return bad_file(r, "its metadata is no JSON object", NULL);
    json_object_foreach(metadata, key, value) /* text holds no zero byte: jansson refuses it */
        if (!json_is_string(
                value)) return bad_file(r, "its metadata holds something other than text", key);
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
    if (!slash || slash - start >= TG_STATE_NAME || slash == start ||
        strcmp(slash + 1, entry->name) != 0)
        return false;
    snprintf(state, TG_STATE_NAME, "%.*s", (int)(slash - start), start);
    return true;
}

bool tg_param_fits(tg_params *params, const tg_param_entry *entry, const tg_loaded_file *file)
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
                return tg_fail(&params->error,
                               "parameter %s: the file's count of steps is no whole number",
                               entry->name);
        } else if (!tg_has_shape(wanted, tensor->ndim, tensor->shape)) {
            return tg_fail(&params->error,
                           "parameter %s: the model wants the shape %s, the file holds %s",
                           entry->name, tg_shape_str(wanted->ndim, wanted->shape).text,
                           tg_shape_str(tensor->ndim, tensor->shape).text);
        }
    }
    return found || tg_fail(&params->error, "the file holds no parameter %s", entry->name);
}

bool tg_param_claim(tg_params *params, tg_param_entry *entry)
{
    const size_t bytes = (size_t)entry->tensor.size * sizeof(tg_real);
    char state[TG_STATE_NAME];
    tg_real *to = entry->tensor.data;
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
            to[k] = (tg_real)loaded->format->read(loaded->begin +
                                                  (size_t)k * loaded->format->bytes);
    }
    return to != NULL;
}

/* Takes over what the file was found to hold: from here on only memory can fail. */
static bool take_over(reader *r, json_t *metadata)
{
    tg_params *params = r->params;
    if (!params->metadata) params->metadata = json_object();
    if (metadata && json_object_update(params->metadata, metadata) != 0)
        return bad_file(r, "no memory for its metadata", NULL);
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
    if (params->held)
        return tg_fail(&params->error,
                       "%s: the parameters are held; end that by tg_params_set_inference", path);
    reader r = {.params = params, .path = path};
    tg_refused = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return bad_file(&r, strerror(errno), NULL);
    json_t *header = NULL;
    bool good = read_file(&r, file, &header) &&
                check_metadata(&r, json_object_get(header, "__metadata__")) &&
                read_tensors(&r, header);
    for (int64_t i = 0; good && i < params->count; i++)
        good = tg_param_fits(params, params->entries[i], &r.found);
    good = good && take_over(&r, json_object_get(header, "__metadata__"));
    json_decref(header);
    tg_arena_free(&r.found.arena);
    close(file);
    return good;
}

bool tg_params_finish_load(tg_params *params)
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
