/* The header of a safetensors file: what it holds, read and written. Private to core. */
#ifndef TG_HEADER_H
#define TG_HEADER_H

#include "json.h"

enum { TG_MAX_HEADER = 100000000 }; /* bytes; the reference implementation's limit */

typedef struct tg_header_tensor {
    const char *name; /* first: see sort_keys */
    const char *dtype;
    int ndim;
    int64_t shape[TG_MAX_DIMS];
    int64_t begin, end; /* data_offsets, from the start of the data; not checked but for the sign */
} tg_header_tensor;

typedef struct tg_header_text {
    const char *key; /* first: see sort_keys */
    const char *value;
} tg_header_text;

/* Tensors and metadata in the file's order. Names and keys are unique, all strings UTF-8. */
typedef struct tg_header {
    tg_header_tensor *tensors;
    tg_header_text *metadata;
    size_t n_tensors, n_metadata;
    const char *const **sorted_metadata; /* the addresses of the keys, in the keys' order */
} tg_header;

/* Reads a header of `size` bytes, after which there is a zero byte. The strings of the result lie
 * in `text`, which is changed, and its lists in `arena`. False, with the error set (what is wrong,
 * and at which byte of the file), if the text is not a header or there is no memory. */
bool tg_header_read(tg_header *header, char *text, size_t size, tg_arena *arena, tg_error *error);

bool tg_header_has_metadata(const tg_header *header, const char *key);

/* A header is written in this order: the metadata (none is fine), each tensor, the end, which pads
 * it with spaces to a multiple of 8 bytes, so that the data are aligned. Strings must be UTF-8. */
void tg_header_put_metadata(tg_json_writer *writer, const tg_metadata *metadata);
void tg_header_put_tensor(tg_json_writer *writer, const tg_header_tensor *tensor);
void tg_header_put_end(tg_json_writer *writer);

#endif
