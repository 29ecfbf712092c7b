/* Temporary files, and the golden files. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <unistd.h>

#include "support.h"

static char folder[512], path_text[1024];

const char *test_folder_begin(void)
{
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tapegrad-test-XXXXXX", root && *root ? root : "/tmp");
    ck_assert_msg(mkdtemp(folder) != NULL, "no folder %s", folder);
    return folder;
}

const char *test_path(const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", folder, name);
    return path_text;
}

/* Counts the files in the folder, and with `delete` removes them. */
static int walk_folder(bool delete)
{
    int count = 0;
    DIR *directory = opendir(folder);
    if (!directory) return 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        count++;
        if (delete) unlink(test_path(entry->d_name));
    }
    closedir(directory);
    return count;
}

int test_folder_count(void) { return walk_folder(false); }

void test_folder_end(void)
{
    walk_folder(true);
    rmdir(folder);
}

void test_write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "cannot write %s", path);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

char *test_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot read %s", path);
    size_t capacity = 1 << 16, used = 0;
    char *data = malloc(capacity + 1);
    for (;;) {
        const size_t count = fread(data + used, 1, capacity - used, file);
        if (count == 0) break;
        used += count;
        if (used < capacity) continue;
        capacity *= 2;
        data = realloc(data, capacity + 1);
    }
    fclose(file);
    data[used] = 0;
    *size = used;
    return data;
}

tg_params *test_golden_open(const char *name)
{
    const char *golden = getenv("TG_GOLDEN");
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.safetensors", golden && *golden ? golden : "tests/golden",
             name);
    tg_params *params = tg_params_new(0);
    tg_params_load(params, path);
    test_assert_params_clean(params);
    return params;
}

tg_tensor *test_golden(tg_params *golden, const char *name, int ndim, const int64_t *shape)
{
    tg_tensor *tensor = tg_params_find(golden, name);
    if (!tensor) tensor = tg_param(golden, NULL, name, ndim, shape, tg_init_constant((double)NAN));
    test_assert_params_clean(golden);
    test_assert_shape(name, tensor, ndim, shape);
    return tensor;
}

void test_golden_ints(tg_params *golden, const char *name, int32_t *ints, int64_t count)
{
    tg_tensor *tensor = test_golden(golden, name, TG_SHAPE(count));
    for (int64_t i = 0; i < count; i++) ints[i] = (int32_t)lrint((double)tensor->data[i]);
}

void test_golden_near(tg_params *golden, const char *name, const tg_real *got,
                      const tg_tensor *like)
{
    tg_tensor *want = test_golden(golden, name, like->ndim, like->shape);
    test_assert_reals_near(name, got, want->data, want->size, TEST_TOLERANCE);
}

void test_golden_gradients(tg_params *golden)
{
    int count = 0;
    for (int64_t i = 0; i < tg_params_count(golden); i++) {
        tg_tensor *p = tg_params_at(golden, i);
        if (strncmp(p->name, "param.", 6) != 0) continue;
        char name[TG_MAX_NAME];
        snprintf(name, sizeof name, "grad.%s", p->name + 6);
        ck_assert_msg(p->has_grad, "%s has no gradient", p->name);
        test_golden_near(golden, name, p->grad, p);
        count++;
    }
    ck_assert_int_gt(count, 2);
}

tg_tensor *test_golden_input(tg_tape *tape, tg_params *golden, const char *name, int ndim,
                             const int64_t *shape)
{
    return tg_variable(tape, test_golden(golden, name, ndim, shape)->data, ndim, shape);
}

tg_tensor *test_golden_loss(tg_tape *tape, tg_params *golden, const char *name, tg_tensor *y)
{
    if (!y) return NULL;
    tg_tensor *r = tg_constant(tape, test_golden(golden, name, y->ndim, y->shape)->data, y->ndim,
                               y->shape);
    return tg_sum(tape, tg_mul(tape, y, r), TG_ALL_AXES, false);
}
