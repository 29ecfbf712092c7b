/* A counter-based random generator: Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel
 * Random Numbers: As Easy as 1, 2, 3", SC 2011.
 *
 * Word i of a stream depends on the key and on i only. So words can be drawn in any order, by any
 * number of threads, and a saved generator continues where it stopped. A generator is two plain
 * numbers: copy it, compare it, write it to a file. Nothing here allocates or fails. Only one
 * thread at a time may use a generator. */
#ifndef TG_RANDOM_H
#define TG_RANDOM_H

#include "base.h"

TG_BEGIN_DECLS

/* A position in a stream. */
typedef struct tg_random {
    uint64_t key;     /* names the stream */
    uint64_t counter; /* 32-bit words drawn so far */
} tg_random;

/* A generator at the start of a stream, a different one for each pair (seed, stream). `stream` is
 * any text, such as a parameter's name, or NULL. */
TG_EXPORT tg_random tg_random_new(uint64_t seed, const char *stream);

/* The next 32 random bits. */
TG_EXPORT uint32_t tg_random_bits(tg_random *random);

/* Uniform over [0, 1), in steps of 2^-32. */
TG_EXPORT double tg_random_uniform(tg_random *random);

/* Normal with mean 0 and standard deviation 1 (Box and Muller, 1958). Draws two words. */
TG_EXPORT double tg_random_normal(tg_random *random);

/* Uniform over 0 .. bound - 1, without bias; 0 if bound is 0. */
TG_EXPORT uint32_t tg_random_below(tg_random *random, uint32_t bound);

/* Shuffles `count` items in place (Fisher and Yates). Every order is equally likely. */
TG_EXPORT void tg_random_shuffle(tg_random *random, int32_t *items, int32_t count);

TG_END_DECLS
#endif
