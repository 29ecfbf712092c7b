/* What the tiled attention of attention_op.c is built from: a head, a thread's workspace, and the
 * work on one tile, which is a part of the [Tq, Tk] matrices of a head. Names of matrices are those
 * of the formulas in attention_op.c. */
#ifndef TG_ATTENTION_TILES_H
#define TG_ATTENTION_TILES_H

#include "../core/compute.h"
#include "attention_op.h"
#include "kernels.h"

enum { TG_Q, TG_K, TG_V, TG_SCORE_WEIGHT }; /* the operator's inputs */
enum { TG_TILE_QUERIES = 64, TG_TILE_KEYS = 192, TG_TILE_SIZE = TG_TILE_QUERIES * TG_TILE_KEYS };

typedef struct tg_attention_attributes {
    tg_attention_config config;
    tg_attention_mask mask; /* copies of the tape's, with all lengths written out */
    tg_random random; /* dropout's; word ((b heads + h) Tq + i) Tk + j is that of the pair i, j */
    int64_t heads, B, Tq, Tk;
    int64_t D, Dv;           /* of one head */
    int64_t mask_strides[3]; /* of the mask in [B, Tq, Tk] */
    bool e_is_p; /* neither raw nor times_score nor dropout: e, the factors of v, are the softmax */
    tg_real *softmax_stats; /* [B, heads, Tq, 2] m and 1 / l; infinity and 1 for a row of zeros */
} tg_attention_attributes;

/* Some rows of one head in a [B, time, heads * width] array. */
typedef struct tg_head_rows {
    tg_real *data;      /* the first row; NULL if there is no such array */
    int64_t width, row; /* numbers in a row; from the start of one row to the next */
} tg_head_rows;

/* One head of one sequence, and the workspace of the thread that computes it. */
typedef struct tg_attention_head {
    const tg_node *node;
    const tg_attention_attributes *op;
    const void *context;   /* of the pass */
    int64_t index, b, h;   /* index = b heads + h */
    int64_t queries, keys; /* the sequence's lengths */
    tg_head_rows q, k, v, y, dy;

    /* Workspace for one tile: matrices [TG_TILE_QUERIES, TG_TILE_KEYS]. */
    tg_real *s;  /* scores; -infinity (0 if raw) for a pair that is left out */
    tg_real *p;  /* softmax of s; if raw, p is s itself */
    tg_real *r;  /* dropout's factors, 0 for a pair that is left out; unused if e is p */
    tg_real *e;  /* r p, or r p s; the array of p if e is p */
    tg_real *ds; /* dy_i . v_j, then ds, or the gradient that was asked for, in its place */

    /* Workspace for products, packed; none for one query. */
    tg_real *k_transposed, *v_transposed; /* of the tile's keys; k times the scale */
    tg_real *k_packed, *v_packed;         /* unless they can be read in place */
    tg_real *query_rows;                  /* q or dy of the tile's queries */

    /* Workspace for the rows of all queries, [Tq]. */
    tg_real *m, *l;    /* forward: the largest score so far, and sum_j e^(s_ij - m) */
    tg_real *dy_dot_y; /* backward: dy_i . y_i; unused if raw */
} tg_attention_head;

typedef void (*tg_head_function)(tg_attention_head *head);

/* Queries i0 .. i0 + queries - 1 and keys j0 .. j0 + keys - 1. */
typedef struct tg_tile {
    int64_t i0, queries, j0, keys;
} tg_tile;

typedef void (*tg_tile_function)(tg_attention_head *head, tg_tile tile);

/* Calls `function` for each head of each sequence. Threads take whole heads. If there is no memory,
 * sets the error and calls nothing. */
void tg_each_head(tg_node *node, tg_head_function function, const void *context);

/* Calls `function` for each tile, except those that causality leaves out as a whole. Keys come in
 * ascending order, and the tile's k and v are packed. */
void tg_each_tile(tg_attention_head *head, tg_tile_function function);

/* The head's rows of an array [B, Tq, heads * width], and of an array [B, Tk, heads * width]. */
tg_head_rows tg_rows_of_queries(const tg_attention_head *head, tg_real *data, int64_t width);
tg_head_rows tg_rows_of_keys(const tg_attention_head *head, tg_real *data, int64_t width);

/* Whether the scores are products q . k; if not, each pair is computed on its own. */
static inline bool tg_scores_are_products(const tg_attention_head *head)
{
    const tg_score score = head->op->config.score;
    return score != TG_SCORE_ADDITIVE && score != TG_SCORE_EUCLIDEAN;
}

/* s and r of a tile. */
void tg_tile_scores(const tg_attention_head *head, tg_tile tile);

/* e = r p, or r p s, of a tile. */
void tg_apply_dropout(const tg_attention_head *head, tg_tile tile);

/* ds_ij = dy_i . v_j of a tile. */
void tg_tile_dy_dot_v(const tg_attention_head *head, tg_tile tile);

/* c_i += sum_j w_ij x_j over the tile's keys, x being k or v, which tg_each_tile has packed. */
void tg_add_weighted_keys(const tg_attention_head *head, tg_tile tile, const tg_real *w,
                          tg_head_rows x, const tg_real *packed, tg_head_rows c);

/* c_j += sum_i w_ij x_i over the tile's queries, x being q or dy. */
void tg_add_weighted_queries(const tg_attention_head *head, tg_tile tile, const tg_real *w,
                             tg_head_rows x, tg_head_rows c);

#endif
