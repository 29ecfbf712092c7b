/* The header of a safetensors file (https://github.com/huggingface/safetensors, "Format"):
 *
 *     {"__metadata__": {"key": "text"},
 *      "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 *
 * Anybody may have written the file. The reader therefore takes this form and nothing else. Its
 * depth is fixed, so no function calls itself.
 *
 * Like the reference implementation (safetensors 0.8), the reader takes "__metadata__": null as no
 * metadata and skips a key that it does not know inside a tensor. It is stricter in four points:
 * a tensor's name or a key of the metadata must not occur twice (the reference keeps the last one);
 * no string contains \u0000, since names and texts are C strings; a tensor is not an array of its
 * three values; nothing precedes the object and only spaces follow it, as the format says. */
#include <string.h>
#include <stdio.h>
#include <stdlib.h>

#include "header.h"

enum { FIRST_BYTE = 8 }; /* of the header in its file, after its length */

/* ---- reading ---- */

/* Memory of the header's arena; NULL with the error set. */
static void *header_alloc(tg_json *json, tg_arena *arena, size_t bytes)
{
    void *memory = tg_arena_alloc(arena, bytes);
    return memory ? memory : tg_fail(json->error, "out of memory: %zu bytes for its header", bytes);
}

/* The list with space for one more item. A list with 0, 1, 2, 4, 8, ... items is full: it is copied
 * to a block twice as large, as an arena cannot enlarge one. */
static void *grow_list(tg_json *json, tg_arena *arena, void *list, size_t count, size_t item_size)
{
    if (count & (count - 1)) return list;
    void *larger = header_alloc(json, arena, (count ? 2 * count : 1) * item_size);
    if (larger && count) memcpy(larger, list, count * item_size);
    return larger;
}

static bool read_shape(tg_json *json, tg_header_tensor *tensor)
{
    if (!tg_json_accept(json, '[')) return tg_json_fail_expected(json, "'[' of a shape");
    for (tensor->ndim = 0; tg_json_next_item(json, (size_t)tensor->ndim, ']'); tensor->ndim++) {
        if (tensor->ndim == TG_MAX_DIMS)
            return tg_json_fail(json, "a shape has more than %d axes", TG_MAX_DIMS);
        if (!tg_json_integer(json, &tensor->shape[tensor->ndim])) return false;
    }
    return !json->error->set;
}

static bool read_offsets(tg_json *json, tg_header_tensor *tensor)
{
    if (!tg_json_accept(json, '[')) return tg_json_fail_expected(json, "'[' of data_offsets");
    if (!tg_json_integer(json, &tensor->begin)) return false;
    if (!tg_json_accept(json, ',')) return tg_json_fail_expected(json, "',' and a second offset");
    if (!tg_json_integer(json, &tensor->end)) return false;
    return tg_json_accept(json, ']') || tg_json_fail_expected(json, "']' after two offsets");
}

enum { DTYPE, SHAPE, DATA_OFFSETS, KEYS }; /* the last: a key that is not known */
static const char *const tensor_keys[KEYS] = {"dtype", "shape", "data_offsets"};

static bool read_member(tg_json *json, tg_header_tensor *tensor, int key)
{
    if (key == SHAPE) return read_shape(json, tensor);
    if (key == DATA_OFFSETS) return read_offsets(json, tensor);
    if (key == KEYS) return tg_json_skip(json);
    tensor->dtype = tg_json_string(json, "a dtype in quotes");
    return tensor->dtype != NULL;
}

static bool read_tensor(tg_json *json, tg_header_tensor *tensor)
{
    bool seen[KEYS + 1] = {false};
    if (!tg_json_accept(json, '{')) return tg_json_fail_expected(json, "'{' of a tensor");
    for (size_t i = 0; tg_json_next_item(json, i, '}'); i++) {
        const char *name = tg_json_key(json);
        int key = 0;
        if (!name) return false;
        while (key < KEYS && strcmp(name, tensor_keys[key]) != 0) key++;
        if (key < KEYS && seen[key]) return tg_json_fail(json, "the key %s occurs twice", name);
        seen[key] = true;
        if (!read_member(json, tensor, key)) return false;
    }
    if (json->error->set) return false;
    for (int key = 0; key < KEYS; key++)
        if (!seen[key]) return tg_json_fail(json, "the key %s is missing", tensor_keys[key]);
    return true;
}

static bool read_metadata(tg_json *json, tg_arena *arena, tg_header *header)
{
    if (tg_json_accept_word(json, "null")) return true;
    if (!tg_json_accept(json, '{')) return tg_json_fail_expected(json, "'{' of the metadata");
    while (tg_json_next_item(json, header->n_metadata, '}')) {
        const char *key = tg_json_key(json);
        const char *value = key ? tg_json_string(json, "a text in quotes") : NULL;
        if (!value) return false;
        header->metadata = grow_list(json, arena, header->metadata, header->n_metadata,
                                     sizeof *header->metadata);
        if (!header->metadata) return false;
        header->metadata[header->n_metadata++] = (tg_header_text){key, value};
    }
    return !json->error->set;
}

/* The object, from its first byte on. */
static bool read_object(tg_json *json, tg_arena *arena, tg_header *header)
{
    bool has_metadata = false;
    if (*json->next != '{') return tg_json_fail_expected(json, "'{'");
    json->next++;
    for (size_t i = 0; tg_json_next_item(json, i, '}'); i++) {
        const char *name = tg_json_key(json);
        if (!name) return false;
        if (strcmp(name, TG_METADATA_KEY) == 0) {
            if (has_metadata) return tg_json_fail(json, "the key %s occurs twice", name);
            has_metadata = true;
            if (!read_metadata(json, arena, header)) return false;
            continue;
        }
        header->tensors = grow_list(json, arena, header->tensors, header->n_tensors,
                                    sizeof *header->tensors);
        if (!header->tensors) return false;
        tg_header_tensor *tensor = &header->tensors[header->n_tensors++];
        *tensor = (tg_header_tensor){.name = name};
        json->tensor = name;
        if (!read_tensor(json, tensor)) return false;
        json->tensor = NULL;
    }
    return !json->error->set;
}

/* ---- keys that occur twice ---- */

/* Orders addresses of keys by the keys, and equal keys by their place in the text. */
static int compare_keys(const void *a, const void *b)
{
    const char *x = **(const char *const *const *)a, *y = **(const char *const *const *)b;
    const int order = strcmp(x, y);
    if (order != 0) return order;
    return x < y ? -1 : x > y;
}

/* The sorted addresses of the keys of `count` items, each of which starts with the pointer to its
 * key. NULL with the error set if two keys are equal. */
static const char *const **sort_keys(tg_json *json, tg_arena *arena, const void *items,
                                     size_t count, size_t item_size)
{
    const char *const **keys = header_alloc(json, arena, count * sizeof *keys);
    if (!keys) return NULL;
    for (size_t i = 0; i < count; i++)
        keys[i] = (const void *)((const char *)items + i * item_size);
    if (count > 0) qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(*keys[i - 1], *keys[i]) != 0) continue;
        json->next += *keys[i] - json->next;
        return tg_json_fail(json, "the name %.100s occurs twice", *keys[i]);
    }
    return keys;
}

bool tg_header_read(tg_header *header, char *text, size_t size, tg_arena *arena, tg_error *error)
{
    tg_json json = {text, text + size, text, FIRST_BYTE, NULL, error};
    *header = (tg_header){0};
    if (!read_object(&json, arena, header)) return false;
    while (*json.next == ' ') json.next++;
    if (json.next != json.end) return tg_json_fail_expected(&json, "nothing but spaces after '}'");
    header->sorted_metadata = sort_keys(&json, arena, header->metadata, header->n_metadata,
                                        sizeof *header->metadata);
    return header->sorted_metadata &&
           sort_keys(&json, arena, header->tensors, header->n_tensors, sizeof *header->tensors);
}

static int compare_with_key(const void *key, const void *item)
{
    return strcmp(key, **(const char *const *const *)item);
}

bool tg_header_has_metadata(const tg_header *header, const char *key)
{
    return bsearch(key, header->sorted_metadata, header->n_metadata,
                   sizeof *header->sorted_metadata, compare_with_key) != NULL;
}

/* ---- writing ---- */

/* The key of a member of the outer object. */
static void put_key(tg_json_writer *writer, const char *key)
{
    tg_json_put(writer, writer->size ? "," : "{");
    tg_json_put_string(writer, key);
    tg_json_put(writer, ":");
}

void tg_header_put_metadata(tg_json_writer *writer, const tg_metadata *metadata)
{
    if (!metadata) return;
    put_key(writer, TG_METADATA_KEY);
    for (const tg_metadata *text = metadata; text; text = text->next) {
        tg_json_put(writer, text == metadata ? "{" : ",");
        tg_json_put_string(writer, text->key);
        tg_json_put(writer, ":");
        tg_json_put_string(writer, text->value);
    }
    tg_json_put(writer, "}");
}

static void put_integer(tg_json_writer *writer, const char *before, int64_t value)
{
    char text[40];
    snprintf(text, sizeof text, "%s%lld", before, (long long)value);
    tg_json_put(writer, text);
}

void tg_header_put_tensor(tg_json_writer *writer, const tg_header_tensor *tensor)
{
    put_key(writer, tensor->name);
    tg_json_put(writer, "{\"dtype\":");
    tg_json_put_string(writer, tensor->dtype);
    tg_json_put(writer, ",\"shape\":[");
    for (int d = 0; d < tensor->ndim; d++) put_integer(writer, d ? "," : "", tensor->shape[d]);
    put_integer(writer, "],\"data_offsets\":[", tensor->begin);
    put_integer(writer, ",", tensor->end);
    tg_json_put(writer, "]}");
}

void tg_header_put_end(tg_json_writer *writer)
{
    if (writer->size == 0) tg_json_put(writer, "{");
    tg_json_put(writer, "}");
    while (writer->size % 8 != 0) tg_json_put(writer, " ");
}
