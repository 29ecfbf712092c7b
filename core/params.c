/* Parameters and metadata by name. safetensors.c saves and loads them. */
#include <math.h>
#include <string.h>
#include <stdio.h>
#include <stdarg.h>

#include "json.h"
#include "params_private.h"
#include "random.h"
#include "sparse.h"

tg_params *tg_params_new(uint64_t seed)
{
    tg_params *params = tg_realloc(NULL, sizeof *params);
    if (params) *params = (tg_params){.seed = seed};
    return params;
}

void tg_params_free(tg_params *params)
{
    if (!params) return;
    tg_metadata_free(params->metadata);
    tg_free(params->entries);
    tg_arena_free(&params->loaded.arena);
    tg_arena_free(&params->packed);
    tg_arena_free(&params->arena);
    tg_free(params);
}

const char *tg_params_error(const tg_params *params)
{
    if (!params) return tg_out_of_memory_text("parameters", sizeof *params);
    return params->error.set ? params->error.text : NULL;
}

const char *tg_params_take_error(tg_params *params)
{
    const char *text = tg_params_error(params);
    if (params) params->error.set = false;
    return text;
}

void *tg_params_fail(tg_params *params, const char *format, ...)
{
    va_list arguments;
    if (!params) return NULL;
    va_start(arguments, format);
    tg_fail_v(&params->error, NULL, format, arguments);
    va_end(arguments);
    return NULL;
}

void *tg_params_alloc(tg_params *params, size_t bytes)
{
    void *memory = tg_arena_alloc(&params->arena, bytes);
    if (!memory)
        return tg_fail(&params->error, "out of memory: %zu bytes for the parameters", bytes);
    return memset(memory, 0, bytes);
}

/* ---- registration ---- */

/* A name must be able to stand in a file, beside the metadata and the optimizer state. */
static bool check_name(tg_params *params, const char *name)
{
    if (!tg_is_utf8(name))
        return tg_fail(&params->error, "parameter %s: its name is not UTF-8", name);
    if (strcmp(name, TG_METADATA_KEY) == 0 ||
        strncmp(name, TG_STATE_PREFIX, sizeof TG_STATE_PREFIX - 1) == 0)
        return tg_fail(&params->error,
                       "parameter %s: files reserve the name " TG_METADATA_KEY
                       " and names that start with " TG_STATE_PREFIX "; choose another",
                       name);
    return !tg_params_find(params, name) ||
           tg_fail(&params->error, "parameter %s is already registered", name);
}

static bool join_name(tg_params *params, char name[TG_MAX_NAME], const char *scope,
                      const char *last)
{
    const bool scoped = scope && *scope;
    if (!last || !*last) return tg_fail(&params->error, "a parameter needs a name");
    const int length = snprintf(name, TG_MAX_NAME, "%s%s%s", scoped ? scope : "", scoped ? "." : "",
                                last);
    if (length < 0 || length >= TG_MAX_NAME)
        return tg_fail(&params->error, "parameter %.40s...: its name has more than %d bytes", name,
                       TG_MAX_NAME - 1);
    return check_name(params, name);
}

static bool grow_entries(tg_params *params)
{
    if (params->count < params->capacity) return true;
    int64_t capacity = params->capacity ? 2 * params->capacity : 16;
    size_t bytes = (size_t)capacity * sizeof *params->entries;
    tg_param_entry **entries = tg_realloc(params->entries, bytes);
    if (!entries)
        return tg_fail(&params->error, "out of memory: %zu bytes for the list of parameters",
                       bytes);
    params->entries = entries;
    params->capacity = capacity;
    return true;
}

static void initialize(const tg_params *params, tg_param_entry *entry, tg_init init)
{
    tg_random random = tg_random_new(params->seed, entry->name);
    for (int64_t i = 0; i < entry->tensor.size; i++) {
        double value = init.value;
        if (init.kind == TG_INIT_UNIFORM) value *= 2 * tg_random_uniform(&random) - 1;
        if (init.kind == TG_INIT_NORMAL) value *= tg_random_normal(&random);
        entry->tensor.data[i] = (tg_real)value;
    }
}

tg_init tg_init_fan_in(int64_t n) { return tg_init_uniform(n > 0 ? 1 / sqrt((double)n) : 0); }

char *tg_join_name(char text[TG_MAX_NAME], const char *name, const char *part)
{
    snprintf(text, TG_MAX_NAME, "%s.%s", name, part);
    return text;
}

tg_tensor *tg_param(tg_params *params, const char *scope, const char *name, int ndim,
                    const int64_t *shape, tg_init init)
{
    const int64_t size = tg_shape_size(ndim, shape);
    if (!params || params->error.set) return NULL;
    tg_param_entry *entry = tg_params_alloc(params, sizeof *entry);
    if (!entry || !join_name(params, entry->name, scope, name) || !grow_entries(params))
        return NULL;
    entry->tensor = (tg_tensor){
        .ndim = ndim, .size = size, .requires_grad = true, .name = entry->name, .params = params};
    if (size < 0)
        return tg_fail(&params->error,
                       "parameter %s: the shape %s has a negative size, too many elements or axes",
                       entry->name, tg_shape_str(ndim, shape).text);
    for (int d = 0; d < ndim; d++) entry->tensor.shape[d] = shape[d];
    if (params->from_file && !tg_param_fits(params, entry, &params->loaded)) return NULL;
    entry->tensor.data = tg_params_alloc(params, (size_t)size * sizeof(tg_real));
    if (!entry->tensor.data || (params->from_file && !tg_param_claim(params, entry))) return NULL;
    if (!params->from_file) initialize(params, entry, init);
    params->entries[params->count++] = entry;
    return &entry->tensor;
}

tg_real *tg_param_state(tg_params *params, tg_param_entry *entry, const char *name)
{
    for (int k = 0; k < TG_MAX_STATES; k++) {
        if (strcmp(entry->states[k].name, name) == 0) return entry->states[k].data;
        if (entry->states[k].name[0]) continue;
        tg_real *data = tg_params_alloc(params, (size_t)entry->tensor.size * sizeof *data);
        if (data) snprintf(entry->states[k].name, TG_STATE_NAME, "%s", name);
        return entry->states[k].data = data;
    }
    return tg_fail(&params->error, "parameter %s: it has %d optimizer states, no more fit",
                   entry->name, TG_MAX_STATES);
}

tg_real *tg_params_state(tg_tensor *parameter, const char *name)
{
    tg_params *params = parameter ? parameter->params : NULL;
    if (!params || params->error.set) return NULL;
    if (!name || !*name || strlen(name) >= TG_STATE_NAME || strchr(name, '/') || !tg_is_utf8(name))
        return tg_fail(
            &params->error,
            "parameter %s: the name of a state has 1 to %d bytes of UTF-8 without a slash",
            parameter->name, TG_STATE_NAME - 1);
    if (strcmp(name, TG_STEPS) == 0)
        return tg_fail(&params->error,
                       "parameter %s: the state's name %s is reserved for the number of steps; "
                       "choose another",
                       parameter->name, name);
    return tg_param_state(params, (tg_param_entry *)parameter, name);
}

/* ---- queries ---- */

bool tg_params_is_loading(const tg_params *params) { return params && params->from_file; }

int64_t tg_params_count(const tg_params *params) { return params ? params->count : 0; }

tg_tensor *tg_params_at(const tg_params *params, int64_t index)
{
    return params && index >= 0 && index < params->count ? &params->entries[index]->tensor : NULL;
}

tg_tensor *tg_params_find(const tg_params *params, const char *name)
{
    for (int64_t i = 0; i < tg_params_count(params); i++)
        if (strcmp(params->entries[i]->name, name) == 0) return &params->entries[i]->tensor;
    return NULL;
}

int64_t tg_params_size(const tg_params *params)
{
    int64_t size = 0;
    for (int64_t i = 0; i < tg_params_count(params); i++) size += params->entries[i]->tensor.size;
    return size;
}

/* ---- groups ---- */

static bool has_prefix(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 &&
           (length == 0 || name[length] == 0 || name[length] == '.');
}

int64_t tg_params_freeze(tg_params *params, const char *prefix, bool frozen)
{
    int64_t count = 0;
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        if (!has_prefix(params->entries[i]->name, prefix)) continue;
        params->entries[i]->tensor.requires_grad = !frozen;
        if (frozen) tg_param_drop_grad(params->entries[i]);
        count++;
    }
    return count;
}

int64_t tg_params_no_decay(tg_params *params, const char *prefix)
{
    int64_t count = 0;
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        if (!has_prefix(params->entries[i]->name, prefix)) continue;
        params->entries[i]->no_decay = true;
        count++;
    }
    return count;
}

void tg_param_drop_grad(tg_param_entry *entry)
{
    entry->tensor.has_grad = false;
    entry->backward_passes = 0;
    if (entry->sparse) tg_sparse_clear(&entry->tensor);
}

void tg_params_zero_grad(tg_params *params)
{
    for (int64_t i = 0; i < tg_params_count(params); i++) tg_param_drop_grad(params->entries[i]);
}

/* ---- for optimizers ---- */

/* The tensor is the first member of its entry. */
bool tg_params_decays(const tg_tensor *parameter)
{
    return !((const tg_param_entry *)parameter)->no_decay;
}

int64_t tg_params_count_step(tg_tensor *parameter)
{
    return ++((tg_param_entry *)parameter)->steps;
}

void tg_params_use_grad(tg_tensor *parameter) { tg_param_drop_grad((tg_param_entry *)parameter); }

bool tg_params_in_inference(const tg_params *params) { return params && params->inference; }

/* ---- metadata ---- */

tg_metadata *tg_metadata_new(tg_params *params, const char *key, const char *value)
{
    const size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
    const size_t bytes = sizeof(tg_metadata) + key_size + value_size;
    tg_metadata *text = tg_realloc(NULL, bytes);
    if (!text)
        return tg_fail(&params->error, "out of memory: %zu bytes for the metadata %.100s", bytes,
                       key);
    memcpy(text->key, key, key_size);
    text->value = memcpy(text->key + key_size, value, value_size);
    text->next = NULL;
    return text;
}

void tg_metadata_free(tg_metadata *list)
{
    while (list) {
        tg_metadata *next = list->next;
        tg_free(list);
        list = next;
    }
}

/* The link to the text of a key, or the one at the end of the list. */
static tg_metadata **find_metadata(tg_metadata **list, const char *key)
{
    while (*list && strcmp((*list)->key, key) != 0) list = &(*list)->next;
    return list;
}

const char *tg_params_metadata(const tg_params *params, const char *key)
{
    if (!params || !key) return NULL;
    for (const tg_metadata *text = params->metadata; text; text = text->next)
        if (strcmp(text->key, key) == 0) return text->value;
    return NULL;
}

bool tg_params_set_metadata(tg_params *params, const char *key, const char *value)
{
    if (!params || params->error.set) return false;
    if (!key) return tg_fail(&params->error, "a text of the metadata needs a key");
    if (!tg_is_utf8(key) || (value && !tg_is_utf8(value)))
        return tg_fail(&params->error, "metadata %.100s: the %s is not UTF-8", key,
                       tg_is_utf8(key) ? "text" : "key");
    tg_metadata **place = find_metadata(&params->metadata, key), *old = *place;
    tg_metadata *rest = old ? old->next : NULL,
                *new = value ? tg_metadata_new(params, key, value) : NULL;
    if (value && !new) return false;
    if (new) new->next = rest;
    *place = new ? new : rest;
    tg_free(old);
    return true;
}
