// ---------------------------------------------------------------------------------------------------------------------
// Matrix product: C[m][n] = op(A)[m][k] * op(B)[k][n], then + bias[n], then active = activation(C).
//
// 1. `gemm_pack` copies B to panels of PANEL columns, [panel][k][PANEL], zero-filled at the right edge: then a tile
//    streams through memory that lies in the order it is read. A that is transposed is copied, too, to [strip][k][ROWS]:
//    its rows lie so far apart that each step would touch another page. Else A is read in place.
// 2. Every share of `gemm` is a run of the tiles. They are ordered so that both sides stay in cache: blocks of rows (of A, at
//    most A_BLOCK floats), in a block panel by panel, in a panel tile by tile.
// 3. A result known to be symmetric (A A', and powers of that) is made by `gemm_symmetric` in place of `gemm`, which leaves
//    out the tiles above the diagonal, and by `gemm_mirror`, which copies them from below it. Both sides of the diagonal
//    are sums of the same products in the same order: the bits are those of the whole product.
// Where B is stored [n][k] and larger than A, as a layer's weights are beside a batch, C is computed *turned*, as
// C' = B A': then A is what is copied, and B is read where it lies, once. Tiles are turned back as they are stored.
// Scratch: B's copy, then A's; or A's alone.

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

// Whether C is computed turned: the side that is copied should be the smaller one, and fill its panels.
INLINE int turned(const struct gemm *g) {
  return g->b_transposed && !g->a_transposed && g->m < g->n && round_up(g->m, PANEL) * 4 <= g->m * 5;
}

KERNEL void gemm_pack(struct team *team, long index, const struct gemm *g) {
  long from, to;
  if (turned(g)) {
    share(ceil_div(g->m, PANEL), index, team->count, &from, &to);
    for (long p = from; p < to; p++) pack_panel(g->scratch + p * g->k * PANEL, g->a, 1, g->m, g->k, p * PANEL);
    return;
  }
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

// Where tile i of the product lies: its rows and columns of C, and its strip of A and panel of B.
struct place {
  long strip, panel, row, rows, first, columns;
};

INLINE struct place place_of(const struct gemm *g, long i) {
  const long panels = ceil_div(g->n, PANEL), strips = ceil_div(g->m, ROWS);
  const long block_strips = min_long(strips, max_long(1, A_BLOCK / (g->k * ROWS)));
  const long block = i / (panels * block_strips) * block_strips, within = i % (panels * block_strips);
  const long in_block = min_long(block_strips, strips - block);
  struct place p = {.strip = block + within % in_block, .panel = within / in_block};
  p.first = p.panel * PANEL, p.columns = min_long(PANEL, g->n - p.first);
  p.row = tile_start(g->m, p.strip, strips), p.rows = tile_start(g->m, p.strip + 1, strips) - p.row;
  return p;
}

// The tile there, but for where it is stored.
INLINE struct tile tile_at(const struct gemm *g, const struct place *p) {
  const float *a_copy = g->scratch + round_up(g->n, PANEL) * g->k;
  return (struct tile){.a = g->a_transposed ? a_copy + p->strip * g->k * ROWS : g->a + p->row * g->k,
                       .a_stride = g->a_transposed ? 1 : g->k,
                       .a_step = g->a_transposed ? ROWS : 1,
                       .b = g->scratch + p->panel * g->k * PANEL,
                       .b_stride = PANEL,
                       .run = g->k,
                       .segments = 1};
}

#define PART (LANES / 2)
#define TURNED ((ROWS + LANES - 1) / LANES * LANES) // rows of a tile that is turned, in whole blocks
typedef float part __attribute__((vector_size(PART * 4), aligned(4), may_alias));

// to[c][0 .. rows) = from[0 .. rows)[c] for c < columns; rows of `to` are `stride` apart. `from` is [TURNED][PANEL].
KERNEL NOINLINE void store_turned(float *to, long stride, const float *from, long rows, long columns) {
  float lines[PANEL * TURNED]; // [column][row]
  UNROLL for (int r = 0; r < TURNED; r += LANES) UNROLL for (int c = 0; c < PANEL; c += LANES)
      transpose_block(lines + c * TURNED + r, TURNED, from + r * PANEL + c, PANEL);
  for (long c = 0; c < columns; c++) {
    if (rows < PART || rows > LANES) {
      for (long r = 0; r < rows; r++) to[c * stride + r] = lines[c * TURNED + r];
    } else { // two halves, which may overlap: never past the row, whose neighbours another thread may be storing
      const long last = rows - PART;
      *(part *)(to + c * stride) = *(const part *)(lines + c * TURNED);
      *(part *)(to + c * stride + last) = *(const part *)(lines + c * TURNED + last);
    }
  }
}

KERNEL static void gemm_turned(struct team *team, long index, const struct gemm *g) {
  // B's rows take A's part in the tiles, A's copy takes B's. Strip by strip, so that B is read once; for as many panels
  // at a time as stay in cache.
  const struct gemm back = {.a = g->b, .scratch = g->scratch, .m = g->n, .n = g->m, .k = g->k};
  const long panels = ceil_div(back.n, PANEL), strips = ceil_div(back.m, ROWS);
  const long block_panels = min_long(panels, max_long(1, A_BLOCK / (g->k * PANEL)));
  long from, to;
  share(panels * strips, index, team->count, &from, &to);
  for (long i = from; i < to; i++) {
    const long block = i / (strips * block_panels) * block_panels, within = i % (strips * block_panels);
    const long in_block = min_long(block_panels, panels - block);
    struct place p = {.panel = block + within % in_block, .strip = within / in_block};
    p.first = p.panel * PANEL, p.columns = min_long(PANEL, back.n - p.first);
    p.row = tile_start(back.m, p.strip, strips), p.rows = tile_start(back.m, p.strip + 1, strips) - p.row;
    float c[TURNED * PANEL], active[TURNED * PANEL];
    struct tile t = tile_at(&back, &p);
    t.c = c, t.c_stride = PANEL;
    tile(&t, p.rows);
    for (long r = 0; r < p.rows; r++) {
      if (g->bias) UNROLL for (int v = 0; v < PANEL; v += LANES)
          store(c + r * PANEL + v, load(c + r * PANEL + v) + g->bias[p.row + r]);
    }
    if (g->active) finish_row(c, active, 0, p.rows * PANEL, g->activation);
    const long at = p.first * g->n + p.row;
    store_turned(g->c + at, g->n, c, p.rows, p.columns);
    if (g->active) store_turned(g->active + at, g->n, active, p.rows, p.columns);
  }
}

INLINE void gemm_tiles(struct team *team, long index, const struct gemm *g, const int symmetric) {
  long from, to;
  share(ceil_div(g->n, PANEL) * ceil_div(g->m, ROWS), index, team->count, &from, &to);
  for (long i = from; i < to; i++) {
    float edge[ROWS * PANEL]; // the last panel is multiplied whole, then copied in part
    const struct place p = place_of(g, i);
    if (symmetric && p.first >= p.row + p.rows) continue;
    struct tile t = tile_at(g, &p);
    t.c = p.columns == PANEL ? g->c + p.row * g->n + p.first : edge;
    t.c_stride = p.columns == PANEL ? g->n : PANEL;
    tile(&t, p.rows);
    for (long r = 0; r < p.rows; r++) {
      const long at = (p.row + r) * g->n + p.first;
      if (p.columns < PANEL)
        for (long j = 0; j < p.columns; j++) g->c[at + j] = edge[r * PANEL + j];
      finish_row(g->c + at, g->active ? g->active + at : 0, g->bias ? g->bias + p.first : 0, p.columns, g->activation);
    }
  }
}

KERNEL void gemm(struct team *team, long index, const struct gemm *g) {
  if (turned(g)) gemm_turned(team, index, g);
  else gemm_tiles(team, index, g, 0);
}

KERNEL void gemm_symmetric(struct team *team, long index, const struct gemm *g) { gemm_tiles(team, index, g, 1); }

// Above the diagonal what is below it. Row blocks of LANES are shared out.
KERNEL void gemm_mirror(struct team *team, long index, const struct gemm *g) {
  const long n = g->n;
  long from, to;
  share(ceil_div(n, LANES), index, team->count, &from, &to);
  for (long row = from * LANES; row < min_long(to * LANES, n); row += LANES) {
    const long end = min_long(row + LANES, n);
    for (long i = row; i < end; i++)
      for (long j = i + 1; j < end; j++) g->c[i * n + j] = g->c[j * n + i];
    if (end < n) transpose(g->c + row * n + end, n, g->c + end * n + row, n, n - end, LANES);
  }
}
