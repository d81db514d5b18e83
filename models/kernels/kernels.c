// CPU kernels for training small networks: matrix products, convolutions, and the element-wise work between them.
//
// Everything that multiplies goes through ONE register-tiled inner kernel, `tile`: a matrix product and all three
// convolutions (forward, input gradient, weight gradient) differ only in the strides they hand it.
// Freestanding C (no libc, no writable globals, no external symbols): it is compiled when the program runs.
//
// Every kernel is one or several *stages*, each a  void stage(struct team *team, long index, const struct ... *arguments)
// that does part `index` of `team->count` equal parts of the work. Whichever thread is free takes the next part, so
// what a part computes depends on `index` and `team->count` alone, never on the thread; and a sum over parts is made in
// the order of the parts. So the result is bit for bit the same on every run and on any number of threads, as long as
// the number of parts is the same where sums are made in parts (convolution gradients: it follows from the shape).
// All tensors are float32, contiguous, row-major.
// Image tensors are [image][channel][row][column] outside; inside, one image at a time is turned to
// [row][column][channel] in scratch that stays in cache, so that channels fill the vector registers.

typedef int int32;
typedef unsigned int uint32;
typedef unsigned char uint8;

#if defined(__AVX512F__)
#define LANES 16  // floats in a vector register
#define ROWS 14   // tile rows: 14 * 2 accumulators + 2 of B fit 32 registers
#define VECTORS 2 // tile columns, in vectors
#elif defined(__AVX2__)
#define LANES 8
#define ROWS 6
#define VECTORS 2
#else
#define LANES 4
#define ROWS 8
#define VECTORS 3
#endif
#define PANEL (LANES * VECTORS)
#define AHEAD 8   // rows of B fetched ahead of their use

typedef float vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32 ivec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#if defined(__AVX512F__)
#define KERNEL __attribute__((min_vector_width(512)))
#else
#define KERNEL
#endif
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE long min_long(long a, long b) { return a < b ? a : b; }
INLINE long max_long(long a, long b) { return a > b ? a : b; }
INLINE long ceil_div(long a, long b) { return (a + b - 1) / b; }
INLINE long round_up(long a, long b) { return ceil_div(a, b) * b; }
INLINE vec load(const float *p) { return *(const vec *)p; }
INLINE void store(float *p, vec v) { *(vec *)p = v; }
INLINE vec splat(float x) { return (vec){} + x; }
INLINE vec where(ivec condition, vec a, vec b) { return (vec)((condition & (ivec)a) | (~condition & (ivec)b)); }

// The same work, cut in `count` nearly equal runs: thread `index` gets [*from, *to).
INLINE void share(long work, long index, long count, long *from, long *to) {
  *from = work * index / count;
  *to = work * (index + 1) / count;
}

// ---------------------------------------------------------------------------------------------------------------------
// Threads. The operating system is reached through the function pointers in `pool`, filled in by whoever made it.
//
// A run is a list of tasks, done one after the other; a task is cut in shares, and whichever thread is free takes the
// next one. So nobody ever waits for a thread, only for a share that a thread has begun: on a busy machine a thread that
// does not get a core is simply not there, and the others do its work.
// Who finds nothing to take spins for a while, as the next task is mostly near, and then sleeps on its semaphore: it
// gives its core to whoever holds the share it waits for, and an idle pool costs nothing.

#define MAX_THREADS 64
#define SPINS 1000       // of `pause`, 15 to 60 microseconds: a wait within a run
#define IDLE_SPINS 20000 // between two runs: longer than the host's work between two steps, as waking takes longer still
#define SHARE_BITS 16

struct team {
  long count;  // shares the task is cut in
  long thread; // who does this one: each thread has scratch of its own
};

typedef void (*stage)(struct team *team, long index, const void *arguments);
struct task {
  stage function;
  const void *arguments;
  long shares;
};

struct pool {
  long threads;                               // the calling one included: it is number 0
  int (*wait)(void *semaphore, long forever); // sem_wait, or dispatch_semaphore_wait
  int (*post)(void *semaphore);
  const struct task *tasks; // of this run
  long task_count;          // -1: workers return
  long first;               // the number of the run's first task; tasks are numbered from the pool's beginning
  long front;               // the open task: its number << SHARE_BITS | shares nobody has taken yet
  long finished;            // how many of its shares are done
  long running;             // whether a run is on
  int32 asleep[MAX_THREADS];
  void *semaphores[MAX_THREADS];
};

INLINE long get(const long *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
INLINE void pause_core(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void wake(struct pool *pool, long thread) {
  if (__atomic_exchange_n(&pool->asleep[thread], 0, __ATOMIC_SEQ_CST)) pool->post(pool->semaphores[thread]);
}

// Open task `number` to all; after the run's last task, none is open and the calling thread is woken.
static void open_task(struct pool *pool, long number, long thread) {
  const long threads = pool->threads, place = number - pool->first;
  long shares = place < pool->task_count ? pool->tasks[place].shares : 0;
  pool->finished = 0;
  __atomic_store_n(&pool->running, shares > 0, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->front, number << SHARE_BITS | shares, __ATOMIC_SEQ_CST);
  // From here on the run may be over and another one begun: only `asleep` is still looked at.
  if (!shares) wake(pool, 0);
  for (long i = 0; i < threads && shares > 1; i++)
    if (i != thread && __atomic_load_n(&pool->asleep[i], __ATOMIC_SEQ_CST)) {
      wake(pool, i);
      shares--;
    }
}

// Wait until the front is no longer `seen`, where there is nothing to take.
static void wait_for_change(struct pool *pool, long thread, long seen) {
  const long spins = get(&pool->running) ? SPINS : IDLE_SPINS;
  for (long i = 0; i < spins; i++) {
    if (get(&pool->front) != seen) return;
    pause_core();
  }
  __atomic_store_n(&pool->asleep[thread], 1, __ATOMIC_SEQ_CST);
  // Between these two lines the front may have changed: whoever clears `asleep` first decides who wakes whom.
  int changed = __atomic_load_n(&pool->front, __ATOMIC_SEQ_CST) != seen;
  if (changed && __atomic_exchange_n(&pool->asleep[thread], 0, __ATOMIC_SEQ_CST)) return;
  while (pool->wait(pool->semaphores[thread], -1)) {} // interrupted by a signal: wait again
}

// Take shares, of whatever task is open, until task `end` would be next (-1: until the pool is stopped).
static void take_shares(struct pool *pool, long thread, long end) {
  for (;;) {
    long front = get(&pool->front), number = front >> SHARE_BITS, left = front & ((1 << SHARE_BITS) - 1);
    if (number == end) return;
    if (!left) {
      wait_for_change(pool, thread, front);
      if (pool->task_count < 0) return;
      continue;
    }
    // Once the share is taken, the task stays open until it is done: what the pool says of it holds.
    if (!__atomic_compare_exchange_n(&pool->front, &front, front - 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
    const struct task *task = &pool->tasks[number - pool->first];
    struct team team = {task->shares, thread};
    task->function(&team, team.count - left, task->arguments);
    if (__atomic_add_fetch(&pool->finished, 1, __ATOMIC_ACQ_REL) == team.count) open_task(pool, number + 1, thread);
  }
}

// The body of worker thread `index` (1 .. threads - 1); returns after `pool_stop`.
void pool_worker(struct pool *pool, long index) { take_shares(pool, index, -1); }

// Run `count` tasks one after the other on all threads; returns when all are done.
void pool_run(struct pool *pool, const struct task *tasks, long count) {
  pool->tasks = tasks;
  pool->task_count = count;
  pool->first = (pool->front >> SHARE_BITS) + 1;
  open_task(pool, pool->first, 0);
  take_shares(pool, 0, pool->first + count);
}

void pool_stop(struct pool *pool) {
  pool->task_count = -1;
  __atomic_store_n(&pool->front, ((pool->front >> SHARE_BITS) + 1) << SHARE_BITS, __ATOMIC_SEQ_CST);
  for (long i = 1; i < pool->threads; i++) wake(pool, i);
}

// Call programs one after the other: each row of `calls` is an address and 63 arguments, of which a program takes what
// it declares (the others cost nothing much: tinygrad's own CPU queue calls so too).
#define A7(f, i) f(i + 1), f(i + 2), f(i + 3), f(i + 4), f(i + 5), f(i + 6), f(i + 7)
#define A63(f) A7(f, 0), A7(f, 7), A7(f, 14), A7(f, 21), A7(f, 28), A7(f, 35), A7(f, 42), A7(f, 49), A7(f, 56)
#define LONG(i) long
#define ARGUMENT(i) calls[i]
void replay(const long *calls, long count) {
  for (; count > 0; count--, calls += 64) ((void (*)(A63(LONG)))calls[0])(A63(ARGUMENT));
}

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

// ---------------------------------------------------------------------------------------------------------------------
// Element-wise functions.

// e^x: 2^n times a polynomial on [-ln2/2, ln2/2]; relative error about 1e-7. Clamped: never infinite, never a NaN
// from finite x.
INLINE vec exp_vec(vec x) {
  x = where(x < -87.0f, splat(-87.0f), x);
  x = where(x > 88.0f, splat(88.0f), x);
  vec n = x * 1.44269504f + 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
  ivec shift = (ivec)n << 23;
  n -= 12582912.0f;
  x = x - n * 0.693145752f - n * 1.42860677e-6f;
  vec p = x * 1.3981999e-3f + 8.3334519e-3f;
  p = p * x + 4.1665772e-2f;
  p = p * x + 1.6666667e-1f;
  p = p * x + 0.5f;
  p = p * x * x + x + 1.0f;
  return (vec)((ivec)p + shift);
}

// activate(x, kind), its derivative slope(x, kind) and EACH_ACTIVATION: source.py writes them from models/activations.py.
#define LINEAR 0 // no activation
INLINE vec sigmoid(vec x) { return 1.0f / (1.0f + exp_vec(-x)); }
#include "activations.h"

// Run BODY for every vector of [0, n): `i` is its place, READ(p) loads p[i ..], WRITE(p, v) stores it. The last,
// partial vector goes through a buffer.
INLINE vec load_some(const float *p, long n) {
  vec v = {};
  for (long i = 0; i < n; i++) v[i] = p[i];
  return v;
}
INLINE vec first_lanes(vec v, long n) { // zero beyond
  for (long i = n; i < LANES; i++) v[i] = 0;
  return v;
}
INLINE void store_some(float *p, vec v, long n) {
  for (long i = 0; i < n; i++) p[i] = v[i];
}
#define READ(p) (whole ? load((p) + i) : load_some((p) + i, left))
#define WRITE(p, v)                                                                                                \
  do {                                                                                                             \
    if (whole) store((p) + i, v);                                                                                  \
    else store_some((p) + i, v, left);                                                                             \
  } while (0)
#define FOR_VECTORS(n, ...)                                                                                        \
  do {                                                                                                             \
    long i = 0;                                                                                                    \
    for (; i + LANES <= (n); i += LANES) {                                                                         \
      const int whole = 1;                                                                                         \
      const long left = LANES;                                                                                     \
      (void)left;                                                                                                  \
      __VA_ARGS__                                                                                                  \
    }                                                                                                              \
    if (i < (n)) {                                                                                                 \
      const int whole = 0;                                                                                         \
      const long left = (n) - i;                                                                                   \
      __VA_ARGS__                                                                                                  \
    }                                                                                                              \
  } while (0)

INLINE float sum_of(vec v) {
  float lanes[LANES];
  store(lanes, v);
  for (int width = LANES / 2; width; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

// active[i] = activation(x[i] = x[i] + bias[i]); bias may be NULL.
INLINE void finish_row_kind(float *x, float *active, const float *bias, long n, const long kind) {
  FOR_VECTORS(n, {
    vec v = READ(x);
    if (bias) {
      v += READ(bias);
      WRITE(x, v);
    }
    if (active) WRITE(active, activate(v, kind));
  });
}
KERNEL NOINLINE void finish_row(float *x, float *active, const float *bias, long n, long kind) {
  if (!bias && !active) return;
#define CASE(k) case k: finish_row_kind(x, active, bias, n, k); return;
  switch (active ? kind : LINEAR) { EACH_ACTIVATION(CASE) }
#undef CASE
}

// out[i] = gradient[i] * activation'(x[i]); x is not read where the activation is LINEAR.
INLINE void through_activation_kind(float *out, const float *gradient, const float *x, long n, const long kind) {
  FOR_VECTORS(n, WRITE(out, READ(gradient) * slope(READ(x), kind)););
}
KERNEL NOINLINE void through_activation(float *out, const float *gradient, const float *x, long n, long kind) {
#define CASE(k) case k: through_activation_kind(out, gradient, x, n, k); return;
  switch (kind) { EACH_ACTIVATION(CASE) }
#undef CASE
}

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
      // a whole vector, of which the next row's overwrites what is too much; but never past an array's end
      if (ROWS <= LANES && j * g->m + row + LANES <= g->k * g->m && (i * g->k + j) * ROWS + LANES <= strips * g->k * ROWS)
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

// ---------------------------------------------------------------------------------------------------------------------
// Convolution: valid, stride 1.  z[image][oc][y][x] = bias[oc] + sum over ic, i, j of
// image[ic][y + i][x + j] * weight[oc][ic][i][j], then active = activation(z).
//
// An image is turned to channels-last in scratch. There the inputs of one output point are, for each kernel row i, ONE
// contiguous run of kernel_width * ic floats, and those of its right neighbour start ic floats later: so a row of
// output points times a panel of output channels is a product that `tile` does with a row stride of ic and one segment
// for each kernel row, without copying any patch. The images are shared out.

struct convolution {
  float *z, *active;                  // active: NULL, or like z
  const float *image, *weight, *bias; // bias: NULL, or [oc]
  float *scratch;
  long images, ic, ih, iw, oc, kh, kw; // input channels, height, width; output channels; kernel height, width
  long activation;
};

struct convolution_gradient {
  float *d_image, *d_weight, *d_bias; // d_image, d_bias: NULL where not wanted
  const float *d_active, *z, *image, *weight; // d_active: gradient after the activation; z is read unless it is LINEAR
  float *scratch;
  long images, ic, ih, iw, oc, kh, kw;
  long activation;
  long shares; // how many parts the images are cut in: each sums its own d_weight and d_bias
};

// Floats of scratch for one thread's share, and in all.
static long forward_share(const struct convolution *c) {
  return c->ih * c->iw * c->ic + (c->ih - c->kh + 1) * (c->iw - c->kw + 1) * round_up(c->oc, PANEL);
}
static long gradient_share(const struct convolution_gradient *c) {
  long points = (c->ih - c->kh + 1) * (c->iw - c->kw + 1), pixels = c->ih * c->iw, wide = round_up(c->oc, PANEL);
  return pixels * (c->ic + round_up(c->ic, PANEL)) + points * (c->oc + wide);
}
static long gradient_weights(const struct convolution_gradient *c) {
  return c->kh * c->kw * c->oc * round_up(c->ic, PANEL);
}
static long gradient_sums(const struct convolution_gradient *c) { // of one share: of d_weight, then of d_bias
  return (c->kh * c->kw * c->ic + 1) * round_up(c->oc, PANEL);
}
long convolution_scratch(const struct convolution *c, long threads) {
  return c->kh * c->kw * c->ic * round_up(c->oc, PANEL) + threads * forward_share(c);
}
long convolution_gradient_scratch(const struct convolution_gradient *c, long threads) {
  return c->shares * gradient_sums(c) + gradient_weights(c) + threads * gradient_share(c);
}

KERNEL static void clear(float *p, long n) { FOR_VECTORS(n, WRITE(p, (vec){});); }

// rows[r][c] += row[c], and row[c] += sum over r of rows[r][c], where rows lie `stride` apart: the bias, and its gradient.
KERNEL static void add_to_rows(float *rows, long stride, const float *row, long count, long columns) {
  FOR_VECTORS(columns, {
    vec v = READ(row);
    for (long r = 0; r < count; r++) WRITE(rows + r * stride, READ(rows + r * stride) + v);
  });
}
KERNEL static void add_rows(float *row, const float *rows, long stride, long count) {
  FOR_VECTORS(stride, {
    vec sum = READ(row);
    for (long r = 0; r < count; r++) sum += READ(rows + r * stride);
    WRITE(row, sum);
  });
}

// The gradient of one image's z, channels first: in `scratch`, or where it lies if nothing is to be done.
static const float *before_activation(float *scratch, const struct convolution_gradient *c, long image, long points) {
  const float *gradient = c->d_active + image * c->oc * points;
  if (c->activation == LINEAR) return gradient;
  through_activation(scratch, gradient, c->z + image * c->oc * points, c->oc * points, c->activation);
  return scratch;
}

// Multiply `width` neighbouring points, in as few and as equal tiles as can be. `t` describes the first point;
// from one point to the next A and C move by their row strides.
static void tile_row(struct tile t, long width) {
  long tiles = ceil_div(width, ROWS);
  const float *a = t.a;
  float *c = t.c;
  for (long i = 0; i < tiles; i++) {
    long x = tile_start(width, i, tiles);
    t.a = a + x * t.a_stride;
    t.c = c + x * t.c_stride;
    tile(&t, tile_start(width, i + 1, tiles) - x);
  }
}

// Weights to [panel][i][j][ic][PANEL].
KERNEL void convolution_pack(struct team *team, long index, const struct convolution *c) {
  const long ic = c->ic, oc = c->oc, taps = c->kh * c->kw, panels = ceil_div(oc, PANEL);
  long from, to;
  share(panels * taps, index, team->count, &from, &to);
  for (long p = from; p < to; p++) {
    long first = p / taps * PANEL, tap = p % taps;
    float *packed = c->scratch + p * ic * PANEL;
    for (long i = 0; i < ic; i++)
      for (long o = 0; o < PANEL; o++)
        packed[i * PANEL + o] = first + o < oc ? c->weight[((first + o) * ic + i) * taps + tap] : 0.0f;
  }
}

KERNEL void convolution(struct team *team, long index, const struct convolution *c) {
  const long ic = c->ic, oc = c->oc, ih = c->ih, iw = c->iw, kh = c->kh, kw = c->kw, taps = kh * kw;
  const long oh = ih - kh + 1, ow = iw - kw + 1, wide = round_up(oc, PANEL), panels = wide / PANEL;
  long from, to;
  float *last = c->scratch + wide * taps * ic + team->thread * forward_share(c); // the image, channels last
  float *out = last + ih * iw * ic;                                       // the result, likewise
  share(c->images, index, team->count, &from, &to);
  for (long n = from; n < to; n++) {
    const float *image = c->image + n * ic * ih * iw;
    if (ic > 1) {
      transpose(last, ic, image, ih * iw, ic, ih * iw);
      image = last;
    }
    for (long p = 0; p < panels; p++) {
      struct tile t = {.c_stride = wide, .a_stride = ic, .a_step = 1, .a_segment = iw * ic, .b_stride = PANEL,
                       .b = c->scratch + p * taps * ic * PANEL, .run = kw * ic, .segments = kh};
      for (long y = 0; y < oh; y++) {
        t.a = image + y * iw * ic;
        t.c = out + y * ow * wide + p * PANEL;
        tile_row(t, ow);
      }
    }
    float *z = c->z + n * oc * oh * ow, *active = c->active ? c->active + n * oc * oh * ow : 0;
    if (c->bias) add_to_rows(out, wide, c->bias, oh * ow, oc);
    transpose(z, oh * ow, out, wide, oh * ow, oc);
    finish_row(z, active, 0, oc * oh * ow, c->activation);
  }
}

// Both gradients, one image after the other, from its gradient g turned channels-last once:
// - d_weight[i][j][ic][oc] += sum over points of image[y + i][x + j][ic] * g[y][x][oc]: `tile` with (j, ic) as rows
//   (contiguous in the image), the points of a row as its run, and one segment for each row of points. Every share
//   sums its own images; the shares' sums are then added in the order of the shares.
// - d_image[y][x + j][ic] += sum over i, oc of g[y - i][x][oc] * weight[i][j][oc][ic], for one j after the other:
//   points as rows, oc as the run, one segment for each kernel row i that falls inside g: no product is wasted on a
//   border.

// Weights to [panel of ic][j][i, last first][oc][PANEL].
KERNEL void convolution_gradient_pack(struct team *team, long index, const struct convolution_gradient *c) {
  const long ic = c->ic, oc = c->oc, kh = c->kh, kw = c->kw, taps = kh * kw;
  long from, to;
  share(c->d_image ? ceil_div(ic, PANEL) * taps : 0, index, team->count, &from, &to);
  for (long p = from; p < to; p++) {
    long first = p / taps * PANEL, tap = (kh - 1 - p % kh) * kw + p % taps / kh;
    float *packed = c->scratch + c->shares * gradient_sums(c) + p * oc * PANEL;
    for (long o = 0; o < oc; o++)
      for (long i = 0; i < PANEL; i++)
        packed[o * PANEL + i] = first + i < ic ? c->weight[(o * ic + first + i) * taps + tap] : 0.0f;
  }
}

KERNEL void convolution_gradient(struct team *team, long index, const struct convolution_gradient *c) {
  const long ic = c->ic, oc = c->oc, ih = c->ih, iw = c->iw, kh = c->kh, kw = c->kw, taps = kh * kw;
  const long oh = ih - kh + 1, ow = iw - kw + 1, points = oh * ow;
  const long wide = round_up(oc, PANEL), deep = round_up(ic, PANEL);
  long from, to;
  const float *weights = c->scratch + c->shares * gradient_sums(c);
  float *sums = c->scratch + index * gradient_sums(c);
  float *bias_sums = sums + taps * ic * wide;
  float *g_first = c->scratch + c->shares * gradient_sums(c) + gradient_weights(c) + team->thread * gradient_share(c);
                                        // one image's gradient before the activation, channels first
  float *g = g_first + points * oc;     // the same, channels last, `wide` channels
  float *last = g + points * wide;      // the image, channels last
  float *d_last = last + ih * iw * ic;  // its gradient, channels last, `deep` channels
  clear(sums, (taps * ic + 1) * wide);
  if (wide > oc) clear(g, points * wide);
  share(c->images, index, team->count, &from, &to);
  for (long n = from; n < to; n++) {
    const float *d_z = before_activation(g_first, c, n, points);
    transpose(g, wide, d_z, points, oc, points);
    add_rows(bias_sums, g, wide, points);
    const float *image = c->image + n * ic * ih * iw;
    if (ic > 1) {
      transpose(last, ic, image, ih * iw, ic, ih * iw);
      image = last;
    }
    for (long i = 0; i < kh; i++)
      for (long o = 0; o < wide; o += PANEL) {
        struct tile t = {.c = sums + i * kw * ic * wide + o, .c_stride = wide, .a = image + i * iw * ic,
                         .a_stride = 1, .a_step = ic, .a_segment = iw * ic, .b = g + o, .b_stride = wide,
                         .run = ow, .segments = oh, .accumulate = 1};
        tile_row(t, kw * ic);
      }
    if (!c->d_image) continue;
    clear(d_last, ih * iw * deep);
    for (long p = 0; p < deep / PANEL; p++)
      for (long y = 0; y < ih; y++) {
        long low = max_long(0, y - oh + 1), high = min_long(kh - 1, y); // the i with a row y - i in g
        for (long j = 0; j < kw; j++) {
          struct tile t = {.c = d_last + (y * iw + j) * deep + p * PANEL, .c_stride = deep,
                           .a = g + (y - high) * ow * wide, .a_stride = wide, .a_step = 1, .a_segment = ow * wide,
                           .b = weights + ((p * kw + j) * kh + kh - 1 - high) * oc * PANEL, .b_stride = PANEL,
                           .run = oc, .segments = high - low + 1, .accumulate = 1};
          tile_row(t, ow);
        }
      }
    transpose(c->d_image + n * ic * ih * iw, ih * iw, d_last, deep, ih * iw, ic);
  }
}

KERNEL void convolution_gradient_sum(struct team *team, long index, const struct convolution_gradient *c) {
  const long ic = c->ic, oc = c->oc, taps = c->kh * c->kw, wide = round_up(oc, PANEL);
  const float *sums = c->scratch;
  long from, to;
  share(taps * ic, index, team->count, &from, &to);
  for (long k = from; k < to; k++)
    for (long o = 0; o < oc; o++) {
      float sum = 0;
      for (long t = 0; t < c->shares; t++) sum += sums[t * gradient_sums(c) + k * wide + o];
      c->d_weight[(o * ic + k % ic) * taps + k / ic] = sum;
    }
  if (index || !c->d_bias) return;
  for (long o = 0; o < oc; o++) {
    c->d_bias[o] = 0;
    for (long t = 0; t < c->shares; t++) c->d_bias[o] += sums[t * gradient_sums(c) + taps * ic * wide + o];
  }
}

#include "winograd.c"

// ---------------------------------------------------------------------------------------------------------------------
// Element-wise kernels.

// dz[r][c] = d_active[r][c] * activation'(z[r][c]) and d_bias[c] = sum over r of dz[r][c] (dz, d_bias: NULL where not
// wanted; dz may be d_active; z is read unless activation is LINEAR). Threads share the columns.
struct activation_gradient {
  float *dz, *d_bias;
  const float *d_active, *z;
  long rows, columns, activation;
};

INLINE void activation_gradient_kind(const struct activation_gradient *a, long from, long n, const long kind) {
  const float *d_active = a->d_active + from, *z = a->z + from;
  float *dz = a->dz + from, *d_bias = a->d_bias + from;
  FOR_VECTORS(n, {
    vec sum = {};
    for (long r = 0; r < a->rows; r++) {
      vec g = READ(d_active + r * a->columns);
      if (kind != LINEAR) g *= slope(READ(z + r * a->columns), kind);
      if (a->dz) WRITE(dz + r * a->columns, g);
      sum += g;
    }
    if (a->d_bias) WRITE(d_bias, sum);
  });
}
KERNEL void activation_gradient(struct team *team, long index, const struct activation_gradient *a) {
  long from, to;
  share(ceil_div(a->columns, LANES), index, team->count, &from, &to);
  from *= LANES;
  to = min_long(to * LANES, a->columns);
#define CASE(k) case k: activation_gradient_kind(a, from, to - from, k); return;
  switch (a->activation) { EACH_ACTIVATION(CASE) }
#undef CASE
}

// ---------------------------------------------------------------------------------------------------------------------
// Batch normalisation of the batch's own statistics, with an optional 2x2 maximum pooling after it:
//   y = (x - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c], then the maximum over 2x2 if `pool`
// (an odd last row or column is dropped). Threads share the channels; one channel's planes stay in cache between the
// passes over them. normalize = 0 pools only (mean, variance, weight, bias are not touched).
// Where several of the four values are the maximum, the gradient is divided among them, as tinygrad does it.
// Scratch: threads * (height * width + width + 2 * LANES) floats, where `pool`.

#define EPSILON 1e-5f

struct batchnorm {
  float *y, *mean, *variance; // variance: that of the batch (divided by the number of values), without epsilon
  const float *x, *weight, *bias;
  float *scratch;
  long images, channels, height, width, normalize, pool;
};

struct batchnorm_gradient {
  float *dx, *d_weight, *d_bias;
  const float *dy, *x, *mean, *variance, *weight, *bias;
  float *scratch;
  long images, channels, height, width, normalize, pool;
};

static long batchnorm_share(long height, long width) { return height * width + width + 2 * LANES; }
long batchnorm_scratch(long height, long width, long threads) { return threads * batchnorm_share(height, width); }

INLINE float square_root(float x) { return __builtin_sqrtf(x); }

// y = x * scale + shift over one plane.
KERNEL static void affine(float *y, const float *x, float scale, float shift, long n) {
  FOR_VECTORS(n, WRITE(y, READ(x) * scale + shift););
}

// A plane of one value: the channels lie side by side, so whole vectors of channels go row by row, BLOCK at a time.
#define BLOCK (16 * LANES)

KERNEL static void batchnorm_rows(const struct batchnorm *b, long from, long n) {
  const float *first = b->x + from, *weight = b->weight + from, *bias = b->bias + from;
  float *mean = b->mean + from, *variance = b->variance + from, scale[BLOCK];
  const long row = b->channels, rows = b->images;
  clear(mean, n);
  for (const float *x = first; x < first + rows * row; x += row) FOR_VECTORS(n, WRITE(mean, READ(mean) + READ(x)););
  FOR_VECTORS(n, WRITE(mean, READ(mean) / (float)rows););
  clear(variance, n);
  for (const float *x = first; x < first + rows * row; x += row)
    FOR_VECTORS(n, {
      vec d = READ(x) - READ(mean);
      WRITE(variance, READ(variance) + d * d);
    });
  FOR_VECTORS(n, WRITE(variance, READ(variance) / (float)rows););
  for (long c = 0; c < n; c++) scale[c] = weight[c] / square_root(variance[c] + EPSILON);
  for (long r = 0; r < rows; r++) {
    const float *x = first + r * row;
    float *y = b->y + from + r * row;
    FOR_VECTORS(n, WRITE(y, (READ(x) - READ(mean)) * READ(scale) + READ(bias)););
  }
}

KERNEL void batchnorm(struct team *team, long index, const struct batchnorm *b) {
  const long plane = b->height * b->width, w = b->width, oh = b->height / 2, ow = w / 2;
  const float count = (float)(b->images * plane);
  float *normal = b->scratch + team->thread * batchnorm_share(b->height, w);
  long from, to;
  share(b->channels, index, team->count, &from, &to);
  if (plane == 1 && !b->pool) {
    for (long c = from; c < to; c += BLOCK) batchnorm_rows(b, c, min_long(BLOCK, to - c));
    return;
  }
  for (long c = from; c < to; c++) {
    float scale = 1, shift = 0;
    if (b->normalize) {
      float mean = 0, variance = 0; // summed plane by plane: the error grows with the planes, not with the values
      for (long n = 0; n < b->images; n++) {
        const float *x = b->x + (n * b->channels + c) * plane;
        vec sum = {};
        FOR_VECTORS(plane, sum += READ(x););
        mean += sum_of(sum);
      }
      mean /= count;
      for (long n = 0; n < b->images; n++) {
        const float *x = b->x + (n * b->channels + c) * plane;
        vec sum = {};
        FOR_VECTORS(plane, {
          vec d = READ(x) - mean;
          if (!whole) d = first_lanes(d, left);
          sum += d * d;
        });
        variance += sum_of(sum);
      }
      variance /= count;
      b->mean[c] = mean;
      b->variance[c] = variance;
      scale = b->weight[c] / square_root(variance + EPSILON);
      shift = b->bias[c] - mean * scale;
    }
    for (long n = 0; n < b->images; n++) {
      const float *x = b->x + (n * b->channels + c) * plane;
      if (!b->pool) {
        affine(b->y + (n * b->channels + c) * plane, x, scale, shift, plane);
        continue;
      }
      affine(normal, x, scale, shift, plane);
      float *y = b->y + (n * b->channels + c) * oh * ow;
      // The maximum of every 2x2 window of the flat plane, those across its edge or at odd places included: whole
      // vectors cost less than picking. Values past the plane's end only ever reach places that are not picked.
      for (long i = 0; i < plane - w; i += LANES) {
        vec top = load(normal + i), under = load(normal + i + w);
        vec right = load(normal + i + 1), under_right = load(normal + i + w + 1);
        top = where(top > under, top, under);
        right = where(right > under_right, right, under_right);
        store(normal + i, where(top > right, top, right));
      }
      for (long i = 0; i < oh; i++)
        for (long j = 0; j < ow; j++) y[i * ow + j] = normal[2 * i * w + 2 * j];
    }
  }
}

// The gradient of pooling: each window's g is divided among the places of its maximum; zero elsewhere.
KERNEL static void unpool(float *dy, const float *y, const float *g, long height, long w) {
  static const float share_of[5] = {0, 1, 1.0f / 2, 1.0f / 3, 1.0f / 4};
  const long oh = height / 2, ow = w / 2;
  if (height % 2) clear(dy + (height - 1) * w, w);
  for (long i = 0; i < oh; i++, y += 2 * w, dy += 2 * w, g += ow) {
    for (long j = 0; j < ow; j++) {
      float a = y[2 * j], b = y[2 * j + 1], c = y[w + 2 * j], d = y[w + 2 * j + 1];
      float top = a > b ? a : b, under = c > d ? c : d, most = top > under ? top : under;
      float is_a = a == most, is_b = b == most, is_c = c == most, is_d = d == most; // no branches: they are random
      float part = g[j] * share_of[(int)(is_a + is_b + is_c + is_d)];
      dy[2 * j] = is_a * part;
      dy[2 * j + 1] = is_b * part;
      dy[w + 2 * j] = is_c * part;
      dy[w + 2 * j + 1] = is_d * part;
    }
    if (w % 2) dy[w - 1] = dy[2 * w - 1] = 0;
  }
}

// With n = (x - mean) / deviation: d_bias = sum dy, d_weight = sum dy * n,
// dx = weight / deviation * (dy - d_bias / count - n * d_weight / count).
KERNEL static void batchnorm_rows_gradient(const struct batchnorm_gradient *b, long from, long n) {
  const float *first = b->x + from, *first_dy = b->dy + from, *mean = b->mean + from;
  float *d_bias = b->d_bias + from, *d_weight = b->d_weight + from, scale[BLOCK], slope_x[BLOCK], constant[BLOCK];
  const long row = b->channels, rows = b->images;
  clear(d_bias, n);
  clear(d_weight, n);
  for (long r = 0; r < rows; r++) {
    const float *x = first + r * row, *dy = first_dy + r * row;
    FOR_VECTORS(n, {
      vec g = READ(dy);
      WRITE(d_bias, READ(d_bias) + g);
      WRITE(d_weight, READ(d_weight) + g * (READ(x) - READ(mean)));
    });
  }
  for (long c = 0; c < n; c++) {
    float inverse = 1 / square_root(b->variance[from + c] + EPSILON);
    d_weight[c] *= inverse;
    scale[c] = b->weight[from + c] * inverse;
    slope_x[c] = -scale[c] * inverse * d_weight[c] / (float)rows;
    constant[c] = -scale[c] * d_bias[c] / (float)rows;
  }
  for (long r = 0; r < rows; r++) {
    const float *x = first + r * row, *dy = first_dy + r * row;
    float *dx = b->dx + from + r * row;
    FOR_VECTORS(n, WRITE(dx, READ(dy) * READ(scale) + ((READ(x) - READ(mean)) * READ(slope_x) + READ(constant))););
  }
}

KERNEL void batchnorm_gradient(struct team *team, long index, const struct batchnorm_gradient *b) {
  const long plane = b->height * b->width, w = b->width, pooled = (b->height / 2) * (w / 2);
  const float count = (float)(b->images * plane);
  float *normal = b->scratch + team->thread * batchnorm_share(b->height, w);
  long from, to;
  share(b->channels, index, team->count, &from, &to);
  if (plane == 1 && !b->pool) {
    for (long c = from; c < to; c += BLOCK) batchnorm_rows_gradient(b, c, min_long(BLOCK, to - c));
    return;
  }
  for (long c = from; c < to; c++) {
    float inverse = 0, scale = 1, shift = 0, mean = 0, d_bias = 0, d_weight = 0;
    if (b->normalize) {
      mean = b->mean[c];
      inverse = 1 / square_root(b->variance[c] + EPSILON);
      scale = b->weight[c] * inverse;
      shift = b->bias[c] - mean * scale;
    }
    for (long n = 0; n < b->images; n++) {
      const float *x = b->x + (n * b->channels + c) * plane, *dy = b->dy + (n * b->channels + c) * plane;
      if (b->pool) { // the gradient before pooling is kept in dx for the second pass
        float *dx = b->dx + (n * b->channels + c) * plane;
        affine(normal, x, scale, shift, plane);
        unpool(dx, normal, b->dy + (n * b->channels + c) * pooled, b->height, w);
        dy = dx;
      }
      if (!b->normalize) continue;
      vec sum = {}, product = {};
      FOR_VECTORS(plane, {
        vec g = READ(dy);
        sum += g;
        product += g * (READ(x) - mean);
      });
      d_bias += sum_of(sum);
      d_weight += sum_of(product);
    }
    if (!b->normalize) continue;
    d_weight *= inverse;
    b->d_bias[c] = d_bias;
    b->d_weight[c] = d_weight;
    // dx = scale * dy + slope_x * x + constant
    float slope_x = -scale * inverse * d_weight / count, constant = -scale * d_bias / count - mean * slope_x;
    for (long n = 0; n < b->images; n++) {
      long place = (n * b->channels + c) * plane;
      const float *x = b->x + place, *dy = b->pool ? b->dx + place : b->dy + place;
      float *dx = b->dx + place;
      FOR_VECTORS(plane, WRITE(dx, READ(dy) * scale + (READ(x) * slope_x + constant)););
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Softmax and cross-entropy: loss[0] = mean over rows of -log softmax(x[row])[label[row]], correct[0] = how many rows
// have their largest value (the first of equals) at the label, dx = gradient of the mean loss (NULL: not wanted).
// Small: thread 0 does it alone.
struct cross_entropy {
  float *loss, *correct, *dx;
  const float *x;
  const int32 *labels;
  long rows, classes;
};

// Natural logarithm of x > 0, about 1e-7: x = m * 2^e with m in [sqrt(1/2), sqrt(2)), log m by the series of atanh.
static float log_of(float x) {
  union { float f; int32 i; } bits = {x};
  int32 e = (bits.i - 0x3f3504f3) >> 23;
  bits.i -= e << 23;
  float s = (bits.f - 1) / (bits.f + 1), q = s * s;
  return (float)e * 0.69314718f + 2 * s * (1 + q * (0.33333333f + q * (0.2f + q * (0.14285714f + q * 0.11111111f))));
}

KERNEL void cross_entropy(struct team *team, long index, const struct cross_entropy *s) {
  (void)team;
  if (index) return;
  float loss = 0, correct = 0;
  for (long r = 0; r < s->rows; r++) {
    const float *x = s->x + r * s->classes;
    long best = 0, label = s->labels[r];
    for (long j = 1; j < s->classes; j++)
      if (x[j] > x[best]) best = j;
    correct += best == label;
    vec sum = {};
    const float most = x[best];
    FOR_VECTORS(s->classes, {
      vec e = exp_vec(READ(x) - most);
      if (!whole) e = first_lanes(e, left);
      sum += e;
    });
    float total = sum_of(sum);
    loss += log_of(total) - (x[label] - most);
    if (!s->dx) continue;
    float *dx = s->dx + r * s->classes, part = 1 / (float)s->rows, scale = part / total;
    FOR_VECTORS(s->classes, WRITE(dx, exp_vec(READ(x) - most) * scale););
    dx[label] -= part;
  }
  s->loss[0] = loss / (float)s->rows;
  s->correct[0] = correct;
}

// ---------------------------------------------------------------------------------------------------------------------
// Optimizers over one flat array, everything in one pass over memory. source.py writes optimizer_kind and EACH_OPTIMIZER
// from the rules in explorer/rules/optimizers.py. `scalars` are that file's SCALARS; state0 and state1 are a rule's state
// tensors in its order (NULL where it keeps fewer).

struct optimizer {
  float *weights, *state0, *state1;
  const float *gradient, *scalars;
  long n, kind;
};

INLINE vec square_roots(vec v) {
  UNROLL for (int i = 0; i < LANES; i++) v[i] = square_root(v[i]);
  return v;
}
// The running mean of x. 1 - decay is taken in double: in float32 1 - 0.999 is off by 3e-5 of itself.
#define RUNNING_MEAN(mean, x, decay) ((mean) * (float)(decay) + (x) * (float)(1 - (decay)))
#include "optimizers.h"

KERNEL void optimizer(struct team *team, long index, const struct optimizer *o) {
  long from, to;
  share(o->n, index, team->count, &from, &to);
#define CASE(k) case k: optimizer_kind(o, from, to - from, k); return;
  switch (o->kind) { EACH_OPTIMIZER(CASE) }
#undef CASE
}
