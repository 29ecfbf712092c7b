/* Shared by the tests of layers: batches of many shapes, and the gradient checks of all layers. */
#ifndef TEST_LAYERS_H
#define TEST_LAYERS_H

#include "../support/support.h"

enum { MAX_ROWS = 8 };

/* A batch: sizes, and lengths unless every row is full. */
typedef struct batch_shape {
    const char *what;
    int64_t B, T, E, H;
    bool ragged;
    int32_t lengths[MAX_ROWS];
} batch_shape;

extern const batch_shape batch_shapes[];
int batch_shape_count(void);
tg_ints batch_lengths(const batch_shape *shape);

/* ---- gradient checks ---- */

int layer_case_count(void);
void layer_case_run(int index);

#endif
