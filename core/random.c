/* Word i of a stream is word i mod 4 of the Philox block (kernels.h) with the counter i / 4. */
#include <math.h>

#include "random.h"
#include "kernels.h"

/* FNV-1a over the stream's name, then the finalizer of SplitMix64 (Steele, Lea and Flood, 2014),
 * which gives similar seeds very different keys. */
tg_random tg_random_new(uint64_t seed, const char *stream)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (const char *c = stream ? stream : ""; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    uint64_t z = seed + hash * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (tg_random){.key = z ^ (z >> 31), .counter = 0};
}

uint32_t tg_random_bits(tg_random *random)
{
    uint32_t words[4];
    tg_philox(random->key, random->counter / 4, 1, words, words + 1, words + 2, words + 3);
    return words[random->counter++ % 4];
}

double tg_random_uniform(tg_random *random) { return tg_random_bits(random) * 0x1p-32; }

double tg_random_normal(tg_random *random)
{
    const double turn = 6.283185307179586;
    const double u = (tg_random_bits(random) + 1.0) *
                     0x1p-32; /* in (0, 1]: its logarithm is finite */
    const double radius = sqrt(-2 * log(u));
    return radius * cos(turn * tg_random_uniform(random));
}

uint32_t tg_random_below(tg_random *random, uint32_t bound)
{
    if (bound == 0) return 0;
    /* The first 2^32 mod bound words would make some results more likely; they are drawn again. */
    const uint32_t unfair = (0u - bound) % bound;
    uint32_t word;
    do word = tg_random_bits(random);
    while (word < unfair);
    return word % bound;
}

void tg_random_shuffle(tg_random *random, int32_t *items, int32_t count)
{
    for (int32_t last = count - 1; last > 0; last--) {
        int32_t other = (int32_t)tg_random_below(random, (uint32_t)last + 1);
        const int32_t item = items[last];
        items[last] = items[other];
        items[other] = item;
    }
}
