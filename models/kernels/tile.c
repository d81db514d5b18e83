// ---------------------------------------------------------------------------------------------------------------------
// How the tiles work
//
// A matrix product C = A B is a sum of outer products: for each k, column k of A times row k of B. A *tile* is as much of
// C as the registers hold: ROWS rows of VECTORS vectors (14 x 2 vectors of 16 floats with AVX-512). It stays in registers
// while k runs; a step loads VECTORS vectors of B, broadcasts ROWS single elements of A, and makes ROWS * VECTORS
// multiply-adds. So 16 loads feed 28 multiply-adds, which is what the two units of a core can start in 14 cycles: the
// loads fit beside them. Nothing is stored until k is through.
//
// B is wanted PANEL = VECTORS * LANES columns wide, row after row: whoever multiplies copies it into *panels* first
// ([panel][k][PANEL]), once for all tiles of that panel, zero beyond the last column. AHEAD rows further on are fetched
// meanwhile, as are the rows of C that the tile will be stored to. A is read where it lies, in one of two ways: along k
// (`wide`) or along the rows (`tall`).
//
// The trick that makes convolutions of it: A may move by any stride from row to row, and k may run in segments. In an
// image that lies channels-last the inputs of one output point are, for each kernel row, one contiguous run; those of its
// right neighbour start one pixel later. So a patch never has to be copied out.
//
// How a row count is cut: 20 rows are not 14 + 6 but 10 + 10 (`tile_start`): a tile of few rows cannot keep both units
// busy. There is one instance of the loop for each number of rows, so that the accumulators are registers and not memory.
// ---------------------------------------------------------------------------------------------------------------------
// Transposes: scratch is filled through these, in blocks of LANES x LANES held in registers.

#if LANES == 16
#define ZIP_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#elif LANES == 8
#define ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#else
#define ZIP_LOW 0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#define EVEN 0, 2, 4, 6
#endif

// Interleaving row i with row i + LANES/2, log2(LANES) times over, is a transpose.
INLINE void transpose_block(float *to, long to_stride, const float *from, long from_stride) {
  vec a[LANES], b[LANES];
  UNROLL for (int i = 0; i < LANES; i++) a[i] = load(from + i * from_stride);
  UNROLL for (int round = 1; round < LANES; round *= 2) {
    UNROLL for (int i = 0; i < LANES / 2; i++) {
      b[2 * i] = __builtin_shufflevector(a[i], a[i + LANES / 2], ZIP_LOW);
      b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + LANES / 2], ZIP_HIGH);
    }
    UNROLL for (int i = 0; i < LANES; i++) a[i] = b[i];
  }
  UNROLL for (int i = 0; i < LANES; i++) store(to + i * to_stride, a[i]);
}

// to[c][r] = from[r][c] for r < rows, c < columns. The last block of a side that LANES does not divide is moved
// back to end at the edge: it writes some values twice, never beyond the edge.
KERNEL NOINLINE void transpose(float *restrict to, long to_stride, const float *restrict from, long from_stride,
                               long rows, long columns) {
  if (rows < LANES || columns < LANES) {
    for (long r = 0; r < rows; r++)
      for (long c = 0; c < columns; c++) to[c * to_stride + r] = from[r * from_stride + c];
    return;
  }
  for (long i = 0; i < rows; i += LANES) {
    long r = min_long(i, rows - LANES);
    for (long j = 0; j < columns; j += LANES) {
      long c = min_long(j, columns - LANES);
      transpose_block(to + c * to_stride + r, to_stride, from + r * from_stride + c, from_stride);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The inner kernel: C[row][0 .. PANEL) += sum over k of A[row][k] * B[k][0 .. PANEL)  for `rows` <= ROWS rows.
//
// k runs over `segments` runs of `run` steps. Within a run A moves by `a_step` from one k to the next; each new
// segment starts `a_segment` further on. B moves by `b_stride` at every k. All of C is held in registers meanwhile;
// a step loads one row of B (VECTORS vectors) and broadcasts one element of each row of A.

struct tile {
  float *c;
  const float *a, *b;
  long c_stride, a_stride, a_step, a_segment, b_stride, run, segments, accumulate;
};

INLINE void tile_body(const struct tile *t, const int rows, const long a_stride, const long a_step) {
  vec sum[ROWS][VECTORS];
  const float *b = t->b;
  const long run = t->run, b_stride = t->b_stride;
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < VECTORS; v++)
      __builtin_prefetch(t->c + r * t->c_stride + v * LANES, 1); // it is stored to at the end: fetched meanwhile
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < VECTORS; v++)
      sum[r][v] = t->accumulate ? load(t->c + r * t->c_stride + v * LANES) : (vec){};
  for (long s = 0; s < t->segments; s++) {
    const float *a = t->a + s * t->a_segment;
    for (long k = 0; k < run; k++, a += a_step, b += b_stride) {
      vec row_of_b[VECTORS];
      UNROLL for (int v = 0; v < VECTORS; v++) __builtin_prefetch(b + AHEAD * b_stride + v * LANES);
      UNROLL for (int v = 0; v < VECTORS; v++) row_of_b[v] = load(b + v * LANES);
      UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < VECTORS; v++)
          sum[r][v] += a[r * a_stride] * row_of_b[v];
    }
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < VECTORS; v++)
      store(t->c + r * t->c_stride + v * LANES, sum[r][v]);
}

// One instance for each number of rows, and for each way A may lie: along k (its step is 1: `wide`), or along the
// rows (its row stride is 1: `tall`). A constant 1 lets the compiler address A without multiplying.
#define TILE(n)                                                                                                    \
  KERNEL NOINLINE void tile_wide_##n(const struct tile *t) { tile_body(t, n, t->a_stride, 1); }                       \
  KERNEL NOINLINE void tile_tall_##n(const struct tile *t) { tile_body(t, n, 1, t->a_step); }
#define EACH_ROW_COUNT_TO_6(x) x(1) x(2) x(3) x(4) x(5) x(6)
#if ROWS == 14
#define EACH_ROW_COUNT(x) EACH_ROW_COUNT_TO_6(x) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14)
#elif ROWS == 8
#define EACH_ROW_COUNT(x) EACH_ROW_COUNT_TO_6(x) x(7) x(8)
#else
#define EACH_ROW_COUNT(x) EACH_ROW_COUNT_TO_6(x)
#endif
EACH_ROW_COUNT(TILE)

static void tile(const struct tile *t, long rows) {
  if (t->a_step == 1) {
#define CASE(n) case n: tile_wide_##n(t); return;
    switch (rows) { EACH_ROW_COUNT(CASE) }
#undef CASE
  } else {
#define CASE(n) case n: tile_tall_##n(t); return;
    switch (rows) { EACH_ROW_COUNT(CASE) }
#undef CASE
  }
}

// Cut `rows` in the fewest tiles, as equal as can be (14 rows at most: 20 -> 10 + 10): where tile i of n starts.
INLINE long tile_start(long rows, long i, long n) { return rows * i / n; }
