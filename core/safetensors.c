/* Parameters in files: safetensors (https://github.com/huggingface/safetensors, "Format"):
 *
 *     8 bytes   length n of the header, little-endian
 *     n bytes   the header, JSON: each tensor's dtype, shape and place, and metadata (header.c)
 *     the rest  the tensors' data, row-major and little-endian, one after the other without gaps
 *
 * Optimizer state is saved in the same way, under reserved names: optimizer/exp_avg/NAME and so on
 * are tensors of the parameter's shape, and optimizer/steps/NAME is the number of Adam's steps.
 * Nothing that is read from a file is used before it is checked. */
#include <math.h>
#include <string.h>
#include <stdio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "header.h"
#include "params_private.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "safetensors files are little-endian: this code needs a machine that is");

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
    const int bits = bytes[0] | bytes[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = ldexp(1024 + fraction, exponent - 25);
    if (exponent == 0) value = ldexp(fraction, -24);
    if (exponent == 31) value = fraction ? (double)NAN : (double)INFINITY;
    return bits >> 15 ? -value : value;
}

static const number_format formats[] = {{"F32", 4, read_f32},
                                        {"F64", 8, read_f64},
                                        {"F16", 2, read_f16},
                                        {"BF16", 2, read_bf16}};

static const char *own_format(void) { return sizeof(tg_real) == 8 ? "F64" : "F32"; }

/* Reads or writes exactly `size` bytes, in several calls if need be. False with errno set; errno
 * is 0 if a file that is read ends early. */
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

/* The tensors are written three times in the same order: to measure the header, to write it, and
 * (header NULL) to write their data. */
typedef struct writer {
    tg_json_writer *header;
    int64_t offset; /* of the next tensor's data */
    int file;
} writer;

/* A parameter's values, or, if `state` is not NULL, its optimizer state of that name. */
static bool write_tensor(writer *w, const tg_param_entry *entry, const char *state, int ndim,
                         const char *dtype, void *data, size_t bytes)
{
    if (!w->header) return transfer(w->file, data, bytes, true);
    char name[sizeof TG_STATE_PREFIX + TG_STATE_NAME + TG_MAX_NAME];
    if (state) snprintf(name, sizeof name, TG_STATE_PREFIX "%s/%s", state, entry->name);
    else snprintf(name, sizeof name, "%s", entry->name);
    tg_header_tensor tensor = {name, dtype, ndim, {0}, w->offset, w->offset + (int64_t)bytes};
    memcpy(tensor.shape, entry->tensor.shape, (size_t)ndim * sizeof *tensor.shape);
    tg_header_put_tensor(w->header, &tensor);
    w->offset = tensor.end;
    return true;
}

static bool write_param(writer *w, const tg_param_entry *entry, tg_save_what what)
{
    const int ndim = entry->tensor.ndim;
    const size_t bytes = (size_t)entry->tensor.size * sizeof(tg_real);
    double steps = (double)entry->steps;
    if (!write_tensor(w, entry, NULL, ndim, own_format(), entry->tensor.data, bytes)) return false;
    if (what != TG_SAVE_STATE) return true;
    for (int k = 0; k < TG_MAX_STATES; k++) {
        if (!entry->states[k].data) break;
        if (!write_tensor(w, entry, entry->states[k].name, ndim, own_format(),
                          entry->states[k].data, bytes))
            return false;
    }
    return steps == 0 || write_tensor(w, entry, TG_STEPS, 0, "F64", &steps, sizeof steps);
}

static bool write_tensors(writer *w, const tg_params *params, tg_save_what what)
{
    for (int64_t i = 0; i < params->count; i++)
        if (!write_param(w, params->entries[i], what)) return false;
    return true;
}

static void write_header(tg_json_writer *header, const tg_params *params, tg_save_what what)
{
    tg_header_put_metadata(header, params->metadata);
    write_tensors(&(writer){.header = header}, params, what);
    tg_header_put_end(header);
}

/* The start of the file: the header, and its length before it. The caller frees it. NULL with the
 * error set. */
static char *make_header(tg_params *params, tg_save_what what, const char *path, size_t *size)
{
    tg_json_writer measured = {NULL, 0};
    write_header(&measured, params, what);
    const uint64_t length = measured.size;
    *size = measured.size + sizeof length;
    if (length > TG_MAX_HEADER)
        return tg_fail(&params->error,
                       "cannot save %s: its header of names and metadata would have %zu bytes, and "
                       "safetensors allows %d",
                       path, measured.size, TG_MAX_HEADER);
    char *start = tg_realloc(NULL, *size);
    if (!start)
        return tg_fail(&params->error, "out of memory: %zu bytes for the header of %s", *size,
                       path);
    memcpy(start, &length, sizeof length);
    write_header(&(tg_json_writer){start + sizeof length, 0}, params, what);
    return start;
}

/* At any time `path` is the old file or the new one. The new file is written next to it, synced
 * and renamed; syncing the folder makes the renaming durable. The folder is locked meanwhile. A
 * partial file that is already there was therefore left by a process that was killed, and is
 * overwritten. A folder that cannot be opened, locked or synced does not make the save fail.
 * Returns 0 or errno. */
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
    if (file >= 0) close(file); /* the data are synced already, so a failure here does no harm */
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
        return tg_fail(&params->error, "cannot save %s: it exists and is not a regular file", path);
    size_t size;
    char *header = make_header(params, what, path, &size);
    if (!header) return false;
    const int reason = write_file(path, header, size, params, what);
    tg_free(header);
    if (reason == ENAMETOOLONG) return tg_fail(&params->error, "cannot save: the path is too long");
    return reason == 0 || tg_fail(&params->error, "cannot save %s: %s", path, strerror(reason));
}

/* ---- reading ---- */

typedef struct reader {
    tg_params *params;
    const char *path;
    const unsigned char *data; /* of the tensors */
    uint64_t size;             /* bytes of the data */
    tg_header header;
    tg_loaded_file found;
} reader;

/* `name` is the tensor at fault, or NULL. */
static bool cannot_load(const reader *r, const char *name, const char *why)
{
    if (!name) return tg_fail(&r->params->error, "cannot load %s: %s", r->path, why);
    return tg_fail(&r->params->error, "cannot load %s: %.200s: %s", r->path, name, why);
}

static void *reader_alloc(reader *r, size_t bytes)
{
    void *memory = tg_arena_alloc(&r->found.arena, bytes);
    if (memory) return memory;
    return tg_fail(&r->params->error, "out of memory: %zu bytes to load %s", bytes, r->path);
}

static bool read_bytes(reader *r, int file, void *bytes, size_t size)
{
    return transfer(file, bytes, size, false) ||
           cannot_load(r, NULL, errno ? strerror(errno) : "the file ends early");
}

/* The whole file into memory, and its header into r->header. */
static bool read_file(reader *r, int file)
{
    struct stat status;
    uint64_t length;
    tg_error error = {.set = false};
    if (fstat(file, &status) != 0) return cannot_load(r, NULL, strerror(errno));
    if (!S_ISREG(status.st_mode)) return cannot_load(r, NULL, "it is not a regular file");
    if (status.st_size < 8)
        return cannot_load(r, NULL, "it is not a safetensors file: it has fewer than 8 bytes");
    if (!read_bytes(r, file, &length, sizeof length)) return false;
    r->size = (uint64_t)status.st_size - sizeof length;
    if (length > r->size || length > TG_MAX_HEADER || r->size > PTRDIFF_MAX)
        return tg_fail(
            &r->params->error,
            "cannot load %s: it is not a safetensors file: its first 8 bytes, the length "
            "of the header, are %llu, and %llu bytes follow",
            r->path, (unsigned long long)length, (unsigned long long)r->size);
    char *text = reader_alloc(r, (size_t)length + 1);
    if (!text || !read_bytes(r, file, text, (size_t)length)) return false;
    text[length] = 0;
    if (!tg_header_read(&r->header, text, (size_t)length, &r->found.arena, &error))
        return cannot_load(r, NULL, error.text);
    r->size -= length;
    unsigned char *data = reader_alloc(r, (size_t)r->size);
    r->data = data;
    return data && read_bytes(r, file, data, (size_t)r->size);
}

static bool check_tensor(reader *r, const tg_header_tensor *entry, tg_loaded *loaded)
{
    tg_tensor tensor = {.name = entry->name, .ndim = entry->ndim};
    const number_format *format = NULL;
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++)
        if (strcmp(formats[k].name, entry->dtype) == 0) format = &formats[k];
    if (!format)
        return tg_fail(&r->params->error,
                       "cannot load %s: %.200s: its dtype \"%.20s\" is not F32, F64, F16 or BF16",
                       r->path, entry->name, entry->dtype);
    memcpy(tensor.shape, entry->shape, sizeof tensor.shape);
    tensor.size = tg_shape_size(tensor.ndim, tensor.shape);
    if (tensor.size < 0) return cannot_load(r, entry->name, "its shape is too large");
    if (entry->end < entry->begin)
        return cannot_load(r, entry->name, "its data_offsets end before they begin");
    if ((uint64_t)entry->end > r->size)
        return cannot_load(r, entry->name, "its data_offsets are outside the file");
    if ((uint64_t)(entry->end - entry->begin) != (uint64_t)tensor.size * format->bytes)
        return cannot_load(r, entry->name, "its data_offsets do not fit its shape");
    *loaded = (tg_loaded){tensor, format, r->data + entry->begin, r->data + entry->end, false};
    return true;
}

static int compare_places(const void *a, const void *b)
{
    const tg_loaded *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* The tensors of the header; together they cover the data, each byte once. */
static bool check_tensors(reader *r)
{
    const size_t count = r->header.n_tensors;
    r->found.tensors = reader_alloc(r, count * sizeof *r->found.tensors);
    if (!r->found.tensors) return false;
    for (size_t i = 0; i < count; i++)
        if (!check_tensor(r, &r->header.tensors[i], &r->found.tensors[i])) return false;
    r->found.count = count;
    const unsigned char *end = r->data;
    if (count > 0) qsort(r->found.tensors, count, sizeof *r->found.tensors, compare_places);
    for (size_t i = 0; i < count; i++) {
        const tg_loaded *next = &r->found.tensors[i];
        if (next->begin < end) return cannot_load(r, next->tensor.name, "its data overlap others");
        if (next->begin > end) return cannot_load(r, next->tensor.name, "a gap precedes its data");
        end = next->end;
    }
    return end == r->data + r->size ||
           cannot_load(r, NULL, "there are bytes after the data of the last tensor");
}

/* ---- parameters take what was loaded ---- */

/* Whether a tensor of a file belongs to a parameter. `state` becomes "" if the tensor holds the
 * parameter's values, or else what it holds, the exp_avg of optimizer/exp_avg/encoder.weight. */
static bool belongs_to(const tg_param_entry *entry, const char *name, char state[TG_STATE_NAME])
{
    state[0] = 0;
    if (strcmp(name, entry->name) == 0) return true;
    if (strncmp(name, TG_STATE_PREFIX, sizeof TG_STATE_PREFIX - 1) != 0) return false;
    const char *start = name + sizeof TG_STATE_PREFIX - 1, *slash = strchr(start, '/');
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
        if (strcmp(state, TG_STEPS) == 0) {
            const double steps = tensor->size == 1 ? loaded->format->read(loaded->begin) : -1;
            if (!(steps >= 0 && steps < 0x1p53 && steps == floor(steps)))
                return tg_fail(&params->error,
                               "parameter %s: its number of steps in the file is not an integer "
                               "from 0 to 2^53",
                               entry->name);
        } else if (!tg_has_shape(wanted, tensor->ndim, tensor->shape)) {
            return tg_fail(&params->error,
                           "parameter %s: its shape is %s in the model and %s in the file",
                           entry->name, tg_shape_str(wanted->ndim, wanted->shape).text,
                           tg_shape_str(tensor->ndim, tensor->shape).text);
        }
    }
    return found || tg_fail(&params->error, "the file does not contain parameter %s", entry->name);
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
        if (strcmp(state, TG_STEPS) == 0) {
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

/* Copies the file's metadata to a list, in its order. */
static bool copy_metadata(reader *r, tg_metadata **list)
{
    tg_metadata **end = list;
    for (size_t i = 0; i < r->header.n_metadata; i++) {
        const tg_header_text *text = &r->header.metadata[i];
        *end = tg_metadata_new(r->params, text->key, text->value);
        if (!*end) return false;
        end = &(*end)->next;
    }
    return true;
}

/* Adds the file's metadata, which replaces texts of the same keys. */
static void add_metadata(reader *r, tg_metadata *list)
{
    tg_metadata **place = &r->params->metadata;
    while (*place) {
        tg_metadata *text = *place;
        if (!tg_header_has_metadata(&r->header, text->key)) {
            place = &text->next;
            continue;
        }
        *place = text->next;
        text->next = NULL;
        tg_metadata_free(text);
    }
    *place = list;
}

/* The parameters take over what the file contains, which is known to fit: only memory can fail. */
static bool take_over(reader *r)
{
    tg_params *params = r->params;
    tg_arena_free(&params->loaded.arena);
    params->loaded = r->found;
    params->from_file = true;
    r->found = (tg_loaded_file){.count = 0};
    for (int64_t i = 0; i < params->count; i++)
        if (!tg_param_claim(params, params->entries[i])) return false;
    return true;
}

static bool load_file(reader *r, int file)
{
    tg_params *params = r->params;
    tg_metadata *metadata = NULL;
    if (!read_file(r, file) || !check_tensors(r)) return false;
    for (int64_t i = 0; i < params->count; i++)
        if (!tg_param_fits(params, params->entries[i], &r->found)) return false;
    if (!copy_metadata(r, &metadata)) {
        tg_metadata_free(metadata);
        return false;
    }
    add_metadata(r, metadata);
    return take_over(r);
}

bool tg_params_load(tg_params *params, const char *path)
{
    if (!params || params->error.set) return false;
    if (params->inference)
        return tg_fail(&params->error,
                       "cannot load %s: the parameters are in inference mode; end it with "
                       "tg_params_set_inference(params, false)",
                       path);
    reader r = {.params = params, .path = path};
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return cannot_load(&r, NULL, strerror(errno));
    const bool loaded = load_file(&r, file);
    tg_arena_free(&r.found.arena);
    close(file);
    return loaded;
}

bool tg_params_finish_load(tg_params *params)
{
    if (!params || params->error.set) return false;
    for (size_t i = 0; i < params->loaded.count; i++)
        if (!params->loaded.tensors[i].claimed)
            return tg_fail(&params->error,
                           "the file contains %s, which is not a parameter of the model",
                           params->loaded.tensors[i].tensor.name);
    tg_arena_free(&params->loaded.arena);
    params->loaded.count = 0;
    params->from_file = false;
    return true;
}
