/* The matrix product: C (+)= A B. Compiled once an instruction set; see kernels.h.
 *
 * B's columns are cut into panels of at most PANEL_VECS vectors; where B is packed they stand one after the other, each row by
 * row and filled up with zeros to whole vectors. A tile of C, at most TILE_ROWS rows of one panel, stays in registers while k
 * runs: each row broadcasts one number of A and multiplies it into the panel's vectors. A is read where it stands, or, transposed
 * with rows far apart, from copies of LINE of its columns. k is cut into blocks, so that the rows of A and the panel stay in
 * cache; between blocks the tile waits in C, which changes no bit. */
#include "simd.h"

#if defined(__AVX512F__)
enum { TILE_ROWS = 8, PANEL_VECS = 3 }; /* 24 sums, 3 of B, 1 of A: of 32 registers */
#else
enum { TILE_ROWS = 6, PANEL_VECS = 2 }; /* 12 sums, 2 of B, 1 of A: of 16 registers */
#endif
enum {
    K_BLOCK = TG_GATHER_DEPTH,
    PANELS = TG_GATHER_COLUMNS / (PANEL_VECS * VEC_WIDTH),
    GATHER_PANELS = 4
};
enum { LINE = 16 }; /* floats of a cache line */

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* The vectors of B are shared out evenly among as few panels as will do; among an even number, where there are several, for two
 * threads share them without one having more. */
static int64_t vectors(int64_t n) { return (n + VEC_WIDTH - 1) / VEC_WIDTH; }
static int64_t panels(int64_t n)
{
    const int64_t fewest = (vectors(n) + PANEL_VECS - 1) / PANEL_VECS;
    return fewest > 1 ? fewest + fewest % 2 : fewest;
}
static int64_t panel_start(int64_t n, int64_t panel)
{
    return panel * vectors(n) / panels(n);
} /* in vectors */

/* A block of four rows and columns of B, whose columns are contiguous: read by columns, written by rows. */
typedef tg_real four __attribute__((vector_size(4 * sizeof(tg_real))));
static inline void pack_four(const tg_real *from, int64_t column, tg_real *to, int64_t width)
{
    four c[4];
    for (int j = 0; j < 4; j++) memcpy(&c[j], from + j * column, sizeof c[j]);
    four even = __builtin_shufflevector(c[0], c[1], 0, 4, 2, 6),
         odd = __builtin_shufflevector(c[0], c[1], 1, 5, 3, 7);
    four even_2 = __builtin_shufflevector(c[2], c[3], 0, 4, 2, 6),
         odd_2 = __builtin_shufflevector(c[2], c[3], 1, 5, 3, 7);
    const four rows[4] = {
        __builtin_shufflevector(even, even_2, 0, 1, 4, 5),
        __builtin_shufflevector(odd, odd_2, 0, 1, 4, 5),
        __builtin_shufflevector(even, even_2, 2, 3, 6, 7),
        __builtin_shufflevector(odd, odd_2, 2, 3, 6, 7),
    };
    for (int p = 0; p < 4; p++) memcpy(to + p * width, &rows[p], sizeof rows[p]);
}

/* Rows p0 .. p1 - 1 of a panel of B, whose first column `from` points at; `columns` of the panel's `width` are B's. */
static void pack_rows(int64_t p0, int64_t p1, int64_t columns, int64_t width, tg_matrix b,
                      const tg_real *from, tg_real *to)
{
    int64_t fours = b.row == 1 && p1 - p0 == LINE ? columns / 4 * 4 : 0;
    for (int64_t j = 0; j < fours; j += 4)
        for (int64_t p = p0; p < p1; p += 4)
            pack_four(from + p + j * b.column, b.column, to + p * width + j, width);
    for (int64_t p = p0; p < p1; p++) {
        const tg_real *row = from + p * b.row;
        if (b.column == 1) memcpy(to + p * width, row, (size_t)columns * sizeof *to);
        else
            for (int64_t j = fours; j < columns; j++) to[p * width + j] = row[j * b.column];
        for (int64_t j = columns; j < width; j++) to[p * width + j] = 0;
    }
}

static void pack_panels(int64_t k, int64_t n, tg_matrix b, tg_real *packed, int64_t p0, int64_t p1)
{
    for (int64_t panel = p0; panel < p1; panel++) {
        int64_t first = panel_start(n, panel) * VEC_WIDTH,
                width = panel_start(n, panel + 1) * VEC_WIDTH - first;
        int64_t columns = n - first < width ? n - first : width;
        for (int64_t p = 0; p < k; p += LINE)
            pack_rows(p, p + LINE < k ? p + LINE : k, columns, width, b, b.data + first * b.column,
                      packed + first * k);
    }
}

void TG_KERNEL(tg_k_gemm_pack)(int64_t k, int64_t n, tg_matrix b, tg_real *packed)
{
    pack_panels(k, n, b, packed, 0, panels(n));
}

/* One tile: `rows` and `vecs` are constants where this is inlined, so that the sums live in registers. The panel's last
 * vector may reach over C's edge: then only `last` numbers of it are C's. */
ALWAYS_INLINE void tile(int rows, int vecs, int64_t k, tg_matrix a, const tg_real *b, int64_t b_row,
                        tg_real *c, int64_t c_row, int last, bool add)
{
    vec sum[TILE_ROWS][PANEL_VECS];
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int j = 0; j < vecs; j++)
        {
            sum[i][j] = (vec){0};
            if (!add)
                __builtin_prefetch(c + i * c_row + j * VEC_WIDTH,
                                   1); /* to be there when it is written */
            else if (j < vecs - 1 || last == VEC_WIDTH)
                sum[i][j] = vec_load(c + i * c_row + j * VEC_WIDTH);
            else memcpy(&sum[i][j], c + i * c_row + j * VEC_WIDTH, (size_t)last * sizeof(tg_real));
        }
    }
    const tg_real *a_next = a.data;
    for (int64_t p = 0; p < k; p++, a_next += a.column, b += b_row) {
        vec right[PANEL_VECS];
        UNROLL for (int j = 0; j < vecs; j++) right[j] = vec_load(b + j * VEC_WIDTH);
        UNROLL for (int i = 0; i < rows; i++)
        {
            vec left = vec_of(a_next[i * a.row]);
            UNROLL for (int j = 0; j < vecs; j++) sum[i][j] = vec_fma(left, right[j], sum[i][j]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int j = 0; j < vecs; j++)
        {
            if (j < vecs - 1 || last == VEC_WIDTH)
                vec_store(c + i * c_row + j * VEC_WIDTH, sum[i][j]);
            else memcpy(c + i * c_row + j * VEC_WIDTH, &sum[i][j], (size_t)last * sizeof(tg_real));
        }
    }
}

#define TILE_CASE(rows, vecs)                                  \
    case (rows)*4 + (vecs):                                    \
        tile(rows, vecs, k, a, b, b_row, c, c_row, last, add); \
        break;
#if defined(__AVX512F__)
#define TILE_CASES(rows) TILE_CASE(rows, 1) TILE_CASE(rows, 2) TILE_CASE(rows, 3)
#else
#define TILE_CASES(rows) TILE_CASE(rows, 1) TILE_CASE(rows, 2)
#endif

ALWAYS_INLINE void any_tile(int rows, int vecs, int64_t k, tg_matrix a, const tg_real *b,
                            int64_t b_row, tg_real *c, int64_t c_row, int last, bool add)
{
    switch (rows * 4 + vecs) {
        TILE_CASES(1)
        TILE_CASES(2) TILE_CASES(3) TILE_CASES(4) TILE_CASES(5) TILE_CASES(6)
#if defined(__AVX512F__)
            TILE_CASES(7) TILE_CASES(8)
#endif
    }
}

/* What every block of one product shares. */
typedef struct product {
    int64_t m, n, k, b_row, c_row;
    tg_matrix a;
    const tg_real *b, *start; /* as tg_k_gemm has it */
    tg_real *c;
} product;

/* The part of A^T that `rows` rows of C read, whose numbers lie far apart, close together: LINE rows of C after LINE others. */
static void gather(int64_t rows, int64_t k, tg_matrix a, tg_real *to)
{
    for (int64_t i = 0; i < rows; i += LINE, to += k * LINE)
        for (int64_t p = 0; p < k; p++) {
            const tg_real *from = a.data + i + p * a.column;
            if (rows - i >= LINE)
                memcpy(to + p * LINE, from,
                       LINE * sizeof *to); /* a size known here costs no call */
            else memcpy(to + p * LINE, from, (size_t)(rows - i) * sizeof *to);
        }
}

/* Rows r0 .. r1 - 1 of the panels p0 .. p1 - 1, over one block of k; a reads the first of these rows. */
static void block(const product *g, int64_t k0, int64_t k1, tg_matrix a, int64_t r0, int64_t r1,
                  int64_t p0, int64_t p1)
{
    int64_t tiles = (r1 - r0 + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t row = r0 + t * (r1 - r0) / tiles, end = r0 + (t + 1) * (r1 - r0) / tiles;
        tg_matrix a_tile = {a.data + (row - r0) * a.row, a.row, a.column};
        for (int64_t panel = p0, first = panel_start(g->n, p0), next; panel < p1;
             panel++, first = next) {
            next = panel_start(g->n, panel + 1);
            const int64_t vecs = next - first,
                          over = next * VEC_WIDTH > g->n ? next * VEC_WIDTH - g->n : 0;
            const int64_t b_row = g->b_row ? g->b_row : vecs * VEC_WIDTH;
            tg_real *c = g->c + row * g->c_row + first * VEC_WIDTH;
            for (int64_t i = row; k0 == 0 && g->start && g->start != g->c && i < end; i++)
                memcpy(c + (i - row) * g->c_row, g->start + first * VEC_WIDTH,
                       (size_t)(vecs * VEC_WIDTH - over) * sizeof *c);
            any_tile((int)(end - row), (int)vecs, k1 - k0, a_tile,
                     g->b + first * VEC_WIDTH * (g->b_row ? 1 : g->k) + k0 * b_row, b_row, c,
                     g->c_row, (int)(VEC_WIDTH - over), g->start || k0 > 0);
        }
    }
}

/* The same for many panels and rows: A's part is gathered once, if there is room, and B's comes in parts that stay in cache. */
static void blocks(const product *g, int64_t k0, int64_t k1, int64_t r0, int64_t r1, int64_t p0,
                   int64_t p1, tg_real *gathered)
{
    const int64_t step = gathered ? LINE : r1 - r0;
    tg_matrix a = {g->a.data + r0 * g->a.row + k0 * g->a.column, g->a.row, g->a.column};
    if (gathered) gather(r1 - r0, k1 - k0, a, gathered);
    for (int64_t p = p0; p < p1; p += PANELS)
        for (int64_t r = r0; r < r1; r += step) {
            if (gathered) a = (tg_matrix){gathered + (r - r0) * (k1 - k0), 1, LINE};
            block(g, k0, k1, a, r, r + step < r1 ? r + step : r1, p,
                  p + PANELS < p1 ? p + PANELS : p1);
        }
}

static void part(const product *g, int64_t r0, int64_t r1, int64_t p0, int64_t p1,
                 tg_real *gathered)
{
    if (p1 - p0 < GATHER_PANELS) gathered = NULL; /* too few read it */
    const int64_t step = gathered ? tg_gather_rows(g->n) : r1 - r0;
    int64_t k0 = 0;
    do { /* once even for k = 0, which clears C */
        int64_t k1 = k0 + K_BLOCK < g->k ? k0 + K_BLOCK : g->k;
        for (int64_t r = r0; r < r1; r += step)
            blocks(g, k0, k1, r, r + step < r1 ? r + step : r1, p0, p1, gathered);
        k0 = k1;
    } while (k0 < g->k);
}

/* Shares a product among threads. Where B is to be packed each thread packs the panels that it is going to read. */
static void run(const product *g, const tg_matrix *unpacked, tg_real *packed, tg_real *gathered)
{
    const int64_t m = g->m, all = panels(g->n);
    if (m == 0 || all == 0) return;
    const int64_t threads = tg_threads(m * g->n * g->k >= 16 * (int64_t)TG_PARALLEL_WORK);
    int64_t row_parts = m / (2 * TILE_ROWS) < threads ? m / (2 * TILE_ROWS) : threads;
    if (row_parts < 1 || (unpacked && all >= threads)) row_parts = 1;
    const int64_t panel_parts = threads / row_parts < all ? threads / row_parts : all,
                  parts = row_parts * panel_parts;
    if (unpacked && (row_parts > 1 || parts == 1))
        pack_panels(g->k, g->n, *unpacked, packed, 0, all), unpacked = NULL;
    if (parts == 1) {
        part(g, 0, m, 0, all, gathered);
        return;
    } /* even a parallel region of one thread costs something */
#pragma omp parallel for schedule(static, 1)
    for (int64_t i = 0; i < parts; i++) {
        const int64_t r = i % row_parts, p = i / row_parts, p0 = p * all / panel_parts,
                      p1 = (p + 1) * all / panel_parts;
        if (unpacked) pack_panels(g->k, g->n, *unpacked, packed, p0, p1);
        part(g, r * m / row_parts, (r + 1) * m / row_parts, p0, p1,
             gathered ? gathered + i * tg_gather_size(g->n) : NULL);
    }
}

void TG_KERNEL(tg_k_gemm)(int64_t m, int64_t n, int64_t k, tg_matrix a, const tg_real *b,
                          int64_t b_row, const tg_real *start, tg_real *c, int64_t c_row)
{
    run(&(product){m, n, k, b_row, c_row, a, b, start, c}, NULL, NULL, NULL);
}

void TG_KERNEL(tg_k_gemm_once)(int64_t m, int64_t n, int64_t k, tg_matrix a, tg_matrix b,
                               const tg_real *start, tg_real *c, int64_t c_row, tg_real *room)
{
    const bool in_place = tg_gemm_in_place(n, b);
    tg_real *gathered = tg_gemm_gathers(n, a) ? room + (in_place ? 0 : tg_gemm_pack_size(k, n))
                                              : NULL;
    run(&(product){m, n, k, in_place ? b.row : 0, c_row, a, in_place ? b.data : room, start, c},
        in_place ? NULL : &b, room, gathered);
}
