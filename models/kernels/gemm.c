// ---------------------------------------------------------------------------------------------------------------------
// Matrix product: C[m][n] = op(A)[m][k] * op(B)[k][n], then + bias[n], then active = activation(C).
//
// 1. `gemm_pack` copies B to panels of PANEL columns, [panel][k][PANEL], zero-filled at the right edge: then a tile
//    streams through memory that lies in the order it is read. A that is transposed is copied, too, to [strip][k][ROWS]:
//    its rows lie so far apart that each step would touch another page. Else A is read in place.
// 2. Every share of `gemm` is a run of the tiles. They are ordered so that both sides stay in cache: blocks of rows (of A, at
//    most A_BLOCK floats), in a block panel by panel, in a panel tile by tile.
// Scratch: B's copy, then A's.

struct gemm {
  float *c, *active;             // active: NULL, or [m][n]
  const float *a, *b, *bias;     // bias: NULL, or [n]
  float *scratch;
  long m, n, k;
  long a_transposed, b_transposed; // A is stored [k][m]; B is stored [n][k]
  long activation;
};

#define A_BLOCK (128 * 1024) // half of a 1 MB second-level cache

long gemm_scratch(long m, long n, long k) { return (round_up(n, PANEL) + ceil_div(m, ROWS) * ROWS) * k; }

KERNEL static void pack_panel(float *to, const float *b, long b_transposed, long n, long k, long first) {
  long columns = min_long(PANEL, n - first);
  if (columns < PANEL) FOR_VECTORS(k * PANEL, WRITE(to, (vec){}););
  if (b_transposed) {
    transpose(to, PANEL, b + first * k, k, columns, k);
  } else if (columns == PANEL) {
    for (long j = 0; j < k; j++)
      UNROLL for (int v = 0; v < PANEL; v += LANES) store(to + j * PANEL + v, load(b + j * n + first + v));
  } else {
    for (long j = 0; j < k; j++)
      for (long v = 0; v < columns; v++) to[j * PANEL + v] = b[j * n + first + v];
  }
}

KERNEL void gemm_pack(struct team *team, long index, const struct gemm *g) {
  long from, to;
  share(ceil_div(g->n, PANEL), index, team->count, &from, &to);
  for (long p = from; p < to; p++)
    pack_panel(g->scratch + p * g->k * PANEL, g->b, g->b_transposed, g->n, g->k, p * PANEL);
  if (!g->a_transposed) return;
  const long strips = ceil_div(g->m, ROWS);
  share(strips, index, team->count, &from, &to);
  for (long i = from; i < to; i++) {
    const long row = tile_start(g->m, i, strips), rows = tile_start(g->m, i + 1, strips) - row;
    float *copy = g->scratch + round_up(g->n, PANEL) * g->k + i * g->k * ROWS;
    for (long j = 0; j < g->k; j++) {
      // a whole vector, of which the next row's overwrites what is too much; but never past an array's end, nor into the
      // strips of the next share, which another thread may have packed already
      if (ROWS <= LANES && j * g->m + row + LANES <= g->k * g->m && (i * g->k + j) * ROWS + LANES <= to * g->k * ROWS)
        store(copy + j * ROWS, load(g->a + j * g->m + row));
      else
        for (long r = 0; r < rows; r++) copy[j * ROWS + r] = g->a[j * g->m + row + r];
    }
  }
}

KERNEL void gemm(struct team *team, long index, const struct gemm *g) {
  long m = g->m, n = g->n, k = g->k, panels = ceil_div(n, PANEL), strips = ceil_div(m, ROWS), from, to;
  const float *a_copy = g->scratch + round_up(n, PANEL) * k;
  long block_strips = min_long(strips, max_long(1, A_BLOCK / (k * ROWS)));
  share(panels * strips, index, team->count, &from, &to);
  for (long i = from; i < to; i++) {
    float edge[ROWS * PANEL]; // the last panel is multiplied whole, then copied in part
    long block = i / (panels * block_strips) * block_strips, place = i % (panels * block_strips);
    long in_block = min_long(block_strips, strips - block), panel = place / in_block, strip = block + place % in_block;
    long first = panel * PANEL, columns = min_long(PANEL, n - first);
    long row = tile_start(m, strip, strips), rows = tile_start(m, strip + 1, strips) - row;
    struct tile t = {.c = columns == PANEL ? g->c + row * n + first : edge,
                     .c_stride = columns == PANEL ? n : PANEL,
                     .a = g->a_transposed ? a_copy + strip * k * ROWS : g->a + row * k,
                     .a_stride = g->a_transposed ? 1 : k,
                     .a_step = g->a_transposed ? ROWS : 1,
                     .b = g->scratch + panel * k * PANEL,
                     .b_stride = PANEL,
                     .run = k,
                     .segments = 1};
    tile(&t, rows);
    for (long r = 0; r < rows; r++) {
      float *c = g->c + (row + r) * n + first;
      if (columns < PANEL)
        for (long j = 0; j < columns; j++) c[j] = edge[r * PANEL + j];
      finish_row(c, g->active ? g->active + (row + r) * n + first : 0, g->bias ? g->bias + first : 0, columns,
                 g->activation);
    }
  }
}
