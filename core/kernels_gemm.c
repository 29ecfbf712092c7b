/* The matrix product C = start + A B. Compiled once for each instruction set; see kernels.h.
 *
 * The columns of B are divided into panels of at most PANEL_VECS vectors. A packed B holds one
 * panel after the other, each row by row and padded with zeros to whole vectors.
 *
 * A tile of C, at most TILE_ROWS rows of one panel, stays in registers while k runs: for each k,
 * each of its rows multiplies one number of A into the panel's vectors. A is read in place. If it
 * is transposed and its rows are far apart, LINE of its columns at a time are copied first.
 *
 * k is divided into blocks, so that the rows of A and the panel stay in cache. Between two blocks
 * the tile is stored in C. That changes no bit. */
#include <string.h>

#include "simd.h"

#if defined(__AVX512F__)
enum { TILE_ROWS = 8, PANEL_VECS = 3 }; /* of 32 registers: 24 for C, 3 for B, 1 for A */
#else
enum { TILE_ROWS = 6, PANEL_VECS = 2 }; /* of 16 registers: 12 for C, 2 for B, 1 for A */
#endif
enum {
    K_BLOCK = TG_GATHER_DEPTH,
    CACHED_PANELS = TG_GATHER_COLUMNS / (PANEL_VECS * VEC_WIDTH), /* whose block stays in cache */
    MIN_GATHER_PANELS = 4, /* fewer do not repay the copy of A */
    LINE = 16              /* floats of a cache line */
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* begin .. end - 1, of rows, of panels or of k. */
typedef struct range {
    int64_t begin, end;
} range;

/* Part i of `parts` nearly equal parts of 0 .. n - 1. */
static range part_of(int64_t n, int64_t i, int64_t parts)
{
    return (range){i * n / parts, (i + 1) * n / parts};
}

/* At most `count` of a range, from `begin` on. */
static range first_of(range r, int64_t begin, int64_t count)
{
    return (range){begin, begin + count < r.end ? begin + count : r.end};
}

/* ---- panels ---- */

static int64_t vectors(int64_t n) { return (n + VEC_WIDTH - 1) / VEC_WIDTH; }

/* The fewest panels that hold n columns, but an even number if there are several, so that two
 * threads get equal shares. */
static int64_t panels(int64_t n)
{
    const int64_t fewest = (vectors(n) + PANEL_VECS - 1) / PANEL_VECS;
    return fewest > 1 ? fewest + fewest % 2 : fewest;
}

/* The first vector of a panel. The vectors are shared out evenly among the panels. */
static int64_t panel_start(int64_t n, int64_t panel) { return panel * vectors(n) / panels(n); }

/* Transposes four numbers of each of four columns, `column` numbers apart, into four rows, `width`
 * numbers apart. */
typedef tg_real four __attribute__((vector_size(4 * sizeof(tg_real))));
static inline void pack_four(const tg_real *from, int64_t column, tg_real *to, int64_t width)
{
    four c[4];
    for (int j = 0; j < 4; j++) memcpy(&c[j], from + j * column, sizeof c[j]);
    const four even = __builtin_shufflevector(c[0], c[1], 0, 4, 2, 6),
               odd = __builtin_shufflevector(c[0], c[1], 1, 5, 3, 7),
               even_2 = __builtin_shufflevector(c[2], c[3], 0, 4, 2, 6),
               odd_2 = __builtin_shufflevector(c[2], c[3], 1, 5, 3, 7);
    const four rows[4] = {
        __builtin_shufflevector(even, even_2, 0, 1, 4, 5),
        __builtin_shufflevector(odd, odd_2, 0, 1, 4, 5),
        __builtin_shufflevector(even, even_2, 2, 3, 6, 7),
        __builtin_shufflevector(odd, odd_2, 2, 3, 6, 7),
    };
    for (int p = 0; p < 4; p++) memcpy(to + p * width, &rows[p], sizeof rows[p]);
}

/* Packs rows of a panel. b begins at the panel's first column and has `columns` columns; the panel
 * is padded to `width`. */
static void pack_rows(range rows, int64_t columns, int64_t width, tg_matrix b, tg_real *to)
{
    const bool by_fours = b.row == 1 && rows.end - rows.begin == LINE;
    const int64_t fours = by_fours ? columns / 4 * 4 : 0;
    for (int64_t j = 0; j < fours; j += 4)
        for (int64_t p = rows.begin; p < rows.end; p += 4)
            pack_four(b.data + p + j * b.column, b.column, to + p * width + j, width);
    for (int64_t p = rows.begin; p < rows.end; p++) {
        const tg_real *row = b.data + p * b.row;
        if (b.column == 1) memcpy(to + p * width, row, (size_t)columns * sizeof *to);
        else
            for (int64_t j = fours; j < columns; j++) to[p * width + j] = row[j * b.column];
        for (int64_t j = columns; j < width; j++) to[p * width + j] = 0;
    }
}

static void pack_panels(int64_t k, int64_t n, tg_matrix b, range of_panels, tg_real *packed)
{
    for (int64_t panel = of_panels.begin; panel < of_panels.end; panel++) {
        const int64_t first = panel_start(n, panel) * VEC_WIDTH,
                      width = panel_start(n, panel + 1) * VEC_WIDTH - first,
                      columns = n - first < width ? n - first : width;
        const tg_matrix part = {b.data + first * b.column, b.row, b.column};
        for (int64_t p = 0; p < k; p += LINE)
            pack_rows(first_of((range){0, k}, p, LINE), columns, width, part, packed + first * k);
    }
}

void TG_KERNEL(tg_k_gemm_pack)(int64_t k, int64_t n, tg_matrix b, tg_real *packed)
{
    pack_panels(k, n, b, (range){0, panels(n)}, packed);
}

/* ---- tiles ---- */

/* A tile of C, with the rows of A and the panel of B that it is the product of. */
typedef struct tile {
    int64_t k;
    tg_matrix a, b;
    tg_real *c;
    int64_t c_row;
    int last; /* columns of C in the panel's last vector, which may reach beyond C's edge */
    bool add; /* to C; otherwise start at 0 */
} tile;

/* `rows` and `vecs` are constants after inlining, so that `sum` is in registers. */
ALWAYS_INLINE void multiply_tile(int rows, int vecs, tile t)
{
    vec sum[TILE_ROWS][PANEL_VECS];
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int j = 0; j < vecs; j++)
        {
            tg_real *c = t.c + i * t.c_row + j * VEC_WIDTH;
            sum[i][j] = (vec){0};
            if (!t.add) __builtin_prefetch(c, 1); /* it is written soon */
            else if (j < vecs - 1 || t.last == VEC_WIDTH) sum[i][j] = vec_load(c);
            else memcpy(&sum[i][j], c, (size_t)t.last * sizeof *c);
        }
    }
    const tg_real *a = t.a.data, *b = t.b.data;
    for (int64_t p = 0; p < t.k; p++, a += t.a.column, b += t.b.row) {
        vec right[PANEL_VECS];
        UNROLL for (int j = 0; j < vecs; j++) right[j] = vec_load(b + j * VEC_WIDTH);
        UNROLL for (int i = 0; i < rows; i++)
        {
            const vec left = vec_of(a[i * t.a.row]);
            UNROLL for (int j = 0; j < vecs; j++) sum[i][j] = vec_fma(left, right[j], sum[i][j]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int j = 0; j < vecs; j++)
        {
            tg_real *c = t.c + i * t.c_row + j * VEC_WIDTH;
            if (j < vecs - 1 || t.last == VEC_WIDTH) vec_store(c, sum[i][j]);
            else memcpy(c, &sum[i][j], (size_t)t.last * sizeof *c);
        }
    }
}

/* A call for each size of tile, with constants. */
#define TILE_CASE(rows, vecs)         \
    case (rows)*4 + (vecs):           \
        multiply_tile(rows, vecs, t); \
        break;
#if defined(__AVX512F__)
#define TILE_CASES(rows) TILE_CASE(rows, 1) TILE_CASE(rows, 2) TILE_CASE(rows, 3)
#else
#define TILE_CASES(rows) TILE_CASE(rows, 1) TILE_CASE(rows, 2)
#endif

ALWAYS_INLINE void multiply_any_tile(int rows, int vecs, tile t)
{
    switch (rows * 4 + vecs) {
        /* clang-format off */
        TILE_CASES(1) TILE_CASES(2) TILE_CASES(3) TILE_CASES(4) TILE_CASES(5) TILE_CASES(6)
#if defined(__AVX512F__)
        TILE_CASES(7) TILE_CASES(8)
#endif
        /* clang-format on */
    }
}

/* ---- blocks ---- */

/* Copies `rows` columns of A^T, whose numbers are far apart, close together: LINE rows of A after
 * LINE others. */
static void gather(int64_t rows, int64_t k, tg_matrix a, tg_real *to)
{
    for (int64_t i = 0; i < rows; i += LINE, to += k * LINE)
        for (int64_t p = 0; p < k; p++) {
            const tg_real *from = a.data + i + p * a.column;
            if (rows - i >= LINE) memcpy(to + p * LINE, from, LINE * sizeof *to); /* inlined */
            else memcpy(to + p * LINE, from, (size_t)(rows - i) * sizeof *to);
        }
}

/* Every tile of some rows and panels, over one block of k. a.data points at the first of the
 * rows. */
static void multiply_block(const tg_product *g, range k, range rows, range of_panels, tg_matrix a)
{
    const bool packed = tg_matrix_is_packed(g->b);
    const int64_t n_rows = rows.end - rows.begin, tiles = (n_rows + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t t = 0; t < tiles; t++) {
        const range r = part_of(n_rows, t, tiles);
        int64_t next = panel_start(g->n, of_panels.begin);
        for (int64_t panel = of_panels.begin; panel < of_panels.end; panel++) {
            const int64_t first = next * VEC_WIDTH, vecs = panel_start(g->n, panel + 1) - next;
            const int64_t width = vecs * VEC_WIDTH, end = first + width;
            const int64_t columns = end > g->n ? g->n - first : width;
            const int64_t b_row = packed ? width : g->b.row;
            const tg_real *b = g->b.data + (packed ? first * g->k : first) + k.begin * b_row;
            tg_real *c = g->c + (rows.begin + r.begin) * g->c_row + first;
            if (k.begin == 0 && g->start && g->start != g->c)
                for (int64_t i = 0; i < r.end - r.begin; i++)
                    memcpy(c + i * g->c_row, g->start + first, (size_t)columns * sizeof *c);
            multiply_any_tile((int)(r.end - r.begin), (int)vecs,
                              (tile){.k = k.end - k.begin,
                                     .a = {a.data + r.begin * a.row, a.row, a.column},
                                     .b = {b, b_row, 1},
                                     .c = c,
                                     .c_row = g->c_row,
                                     .last = (int)(columns - width + VEC_WIDTH),
                                     .add = g->start || k.begin > 0});
            next += vecs;
        }
    }
}

/* The same for any number of rows and panels. A is gathered first, unless `gathered` is NULL. The
 * panels come in groups that stay in cache. */
static void multiply_blocks(const tg_product *g, range k, range rows, range of_panels,
                            tg_real *gathered)
{
    const int64_t depth = k.end - k.begin, n_rows = rows.end - rows.begin;
    const int64_t step = gathered ? LINE : n_rows;
    tg_matrix a = g->a;
    a.data += rows.begin * a.row + k.begin * a.column;
    if (gathered) gather(n_rows, depth, a, gathered);
    for (int64_t p = of_panels.begin; p < of_panels.end; p += CACHED_PANELS)
        for (int64_t r = rows.begin; r < rows.end; r += step) {
            if (gathered) a = (tg_matrix){gathered + (r - rows.begin) * depth, 1, LINE};
            multiply_block(g, k, first_of(rows, r, step), first_of(of_panels, p, CACHED_PANELS), a);
        }
}

/* One thread's part: some rows and panels of C, over all of k. */
static void multiply_part(const tg_product *g, range rows, range of_panels, tg_real *gathered)
{
    if (of_panels.end - of_panels.begin < MIN_GATHER_PANELS) gathered = NULL;
    const int64_t step = gathered ? tg_gather_rows(g->n) : rows.end - rows.begin;
    int64_t p = 0;
    do { /* once even if k is 0: that clears C */
        const range k = first_of((range){0, g->k}, p, K_BLOCK);
        for (int64_t r = rows.begin; r < rows.end; r += step)
            multiply_blocks(g, k, first_of(rows, r, step), of_panels, gathered);
        p = k.end;
    } while (p < g->k);
}

/* ---- threads ---- */

/* A product is cut into parts, one for each thread: `rows` parts of its rows times `panels` parts
 * of its panels. If B is still to be packed, the panels alone are cut if they suffice, so that
 * each thread packs what it reads. */
typedef struct division {
    int64_t rows, panels;
} division;

static division divide(const tg_product *g, bool packs)
{
    const int64_t threads = tg_threads(g->m * g->n * g->k >= 16 * (int64_t)TG_PARALLEL_WORK);
    const int64_t most = g->m / (2 * TILE_ROWS), all = panels(g->n);
    division d = {.rows = most < threads ? most : threads};
    if (d.rows < 1 || (packs && all >= threads)) d.rows = 1;
    d.panels = threads / d.rows < all ? threads / d.rows : all;
    return d;
}

void TG_KERNEL(tg_k_gemm)(const tg_product *product, tg_real *workspace)
{
    tg_product g = *product;
    const tg_matrix b = g.b;
    const int64_t all = panels(g.n);
    bool packs = !tg_matrix_is_packed(b) && !tg_gemm_in_place(g.n, b);
    tg_real *gathered = NULL;
    if (g.m == 0 || all == 0) return;
    if (workspace && tg_gemm_gathers(g.n, g.a))
        gathered = workspace + (packs ? tg_gemm_pack_size(g.k, g.n) : 0);
    if (packs) g.b = tg_matrix_packed(workspace);
    const division d = divide(&g, packs);
    if (packs && (d.rows > 1 || d.panels == 1)) {
        pack_panels(g.k, g.n, b, (range){0, all}, workspace);
        packs = false;
    }
    if (d.rows * d.panels == 1) { /* a parallel region costs time even for one thread */
        multiply_part(&g, (range){0, g.m}, (range){0, all}, gathered);
        return;
    }
#pragma omp parallel for schedule(static, 1)
    for (int64_t i = 0; i < d.rows * d.panels; i++) {
        const range of_panels = part_of(all, i / d.rows, d.panels);
        if (packs) pack_panels(g.k, g.n, b, of_panels, workspace);
        multiply_part(&g, part_of(g.m, i % d.rows, d.rows), of_panels,
                      gathered ? gathered + i * tg_gather_size(g.n) : NULL);
    }
}
