/* Files of parameters. A letter chooses when the parameters are registered, the rest is the file
 * (fuzz_write_safetensors). A load that fails changes nothing. Parameters that load are the same
 * after they were saved and loaded again. */
#include "fuzz.h"

#include "tapegrad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 4, NUMBERS = 16 };

static const struct {
    const char *name;
    int ndim;
    int64_t shape[2];
} parameters[COUNT] = {{"w", 2, {2, 3}}, {"b", 1, {3}}, {"s", 0, {0}}, {"none", 2, {0, 4}}};

static void add_parameters(tg_params *params)
{
    for (int i = 0; i < COUNT; i++)
        tg_param(params, NULL, parameters[i].name, parameters[i].ndim, parameters[i].shape,
                 tg_init_normal(1));
}

/* Copies all numbers of all parameters; returns their size in bytes. */
static size_t numbers_of(const tg_params *params, tg_real numbers[NUMBERS])
{
    size_t count = 0;
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        if (p->size) memcpy(numbers + count, p->data, (size_t)p->size * sizeof *numbers);
        count += (size_t)p->size;
    }
    return count * sizeof *numbers;
}

/* Saves and loads again, and compares metadata and numbers. */
static void check_round_trip(tg_params *params)
{
    char path[1024];
    tg_real before[NUMBERS], after[NUMBERS];
    tg_params *again = tg_params_new(2);
    snprintf(path, sizeof path, "%s", fuzz_path("again"));
    FUZZ_CHECK(tg_params_save(params, path, TG_SAVE_STATE), "%s", tg_params_error(params));
    add_parameters(again);
    FUZZ_CHECK(tg_params_load(again, path) && tg_params_finish_load(again), "%s",
               tg_params_error(again));
    const size_t size = numbers_of(params, before);
    FUZZ_CHECK(size == numbers_of(again, after) && !memcmp(before, after, size),
               "the loaded numbers differ from the saved ones");
    const char *one = tg_params_metadata(params, "k"), *other = tg_params_metadata(again, "k");
    FUZZ_CHECK(!one == !other && (!one || !strcmp(one, other)),
               "the loaded metadata differ from the saved ones");
    tg_params_free(again);
    remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, size};
    char path[1024];
    tg_real before[NUMBERS], after[NUMBERS];
    const bool early = fuzz_choose(&input, 2) == 0;
    fuzz_memory_limit(size, 64);
    fuzz_write_safetensors("params", &input);
    snprintf(path, sizeof path, "%s", fuzz_path("params"));
    tg_params *params = tg_params_new(1);
    if (early) add_parameters(params);
    const size_t used = numbers_of(params, before);
    const bool loaded = tg_params_load(params, path);
    FUZZ_CHECK(loaded == !tg_params_error(params), "%s",
               loaded ? tg_params_error(params) : "it failed without an error message");
    FUZZ_CHECK(loaded || (numbers_of(params, after) == used && !memcmp(before, after, used)),
               "a load failed and changed numbers");
    if (!early) add_parameters(params);
    if (loaded && tg_params_finish_load(params)) check_round_trip(params);
    tg_params_free(params);
    return 0;
}
