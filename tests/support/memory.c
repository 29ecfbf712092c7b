/* An allocator that counts its calls, notices writes past the end of a block, and fails at a given
 * call. */
#include <stdatomic.h>

#include "support.h"

enum { HEADER = 16, TAIL = 8 }; /* the header keeps the alignment of malloc */
/* More bytes than any machine has: the sanitizers' malloc would abort instead of returning NULL. */
static const uint64_t TOO_LARGE = (uint64_t)1 << 46;
static const uint64_t guard = 0x7A9E6A2DF00DFACEu;

static atomic_llong asked, blocks, failed, refuse_at;
static atomic_size_t largest;
static atomic_bool refuse_for_good;

static bool refused(void)
{
    const long long call = atomic_fetch_add(&asked, 1) + 1, at = atomic_load(&refuse_at);
    if (at == 0 || call < at) return false;
    if (call > at && !atomic_load(&refuse_for_good)) return false;
    atomic_fetch_add(&failed, 1);
    return true;
}

static void check_guards(unsigned char *block)
{
    size_t size;
    uint64_t tail;
    memcpy(&size, block, sizeof size);
    memcpy(&tail, block + HEADER + size, sizeof tail);
    if (memcmp(block + 8, &guard, 8) != 0 || tail != guard) {
        fprintf(stderr,
                "the test's allocator: a block of %zu bytes is not its own or was written past its "
                "end\n",
                size);
        abort();
    }
}

static void *counting_allocator(void *memory, size_t size)
{
    unsigned char *block = memory ? (unsigned char *)memory - HEADER : NULL;
    if (block) check_guards(block);
    if (size == 0) {
        if (block) {
            memset(block + 8, 0, 8); /* makes a second free fail */
            atomic_fetch_sub(&blocks, 1);
        }
        free(block);
        return NULL;
    }
    if (size > atomic_load(&largest)) atomic_store(&largest, size);
    if (size > TOO_LARGE || refused()) return NULL;
    unsigned char *grown = realloc(block, size + HEADER + TAIL);
    if (!grown) return NULL;
    if (!block) {
        atomic_fetch_add(&blocks, 1);
        memset(grown + HEADER, 0xFF, size); /* NaN: uninitialised memory changes results */
    }
    memcpy(grown, &size, sizeof size);
    memcpy(grown + 8, &guard, 8);
    memcpy(grown + HEADER + size, &guard, 8);
    return grown + HEADER;
}

void test_memory_begin(int64_t fail_at, bool for_good)
{
    atomic_store(&asked, 0);
    atomic_store(&blocks, 0);
    atomic_store(&failed, 0);
    atomic_store(&largest, 0);
    test_memory_refuse(fail_at, for_good);
    tg_set_allocator(counting_allocator);
}

void test_memory_refuse(int64_t fail_at, bool for_good)
{
    atomic_store(&refuse_at, fail_at ? atomic_load(&asked) + fail_at : 0);
    atomic_store(&refuse_for_good, for_good);
}

test_memory_counts test_memory_now(void)
{
    return (test_memory_counts){atomic_load(&asked), atomic_load(&blocks), atomic_load(&failed),
                                atomic_load(&largest)};
}

test_memory_counts test_memory_end(void)
{
    tg_set_allocator(NULL);
    return test_memory_now();
}

void test_memory_leave(void) { tg_set_allocator(NULL); }
