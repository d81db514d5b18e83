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

#include "threads.c"
#include "tile.c"
#include "elementwise.c"
#include "gemm.c"
#include "convolution.c"
#include "winograd.c"
#include "batchnorm.c"
#include "loss.c"
#include "optimizers.c"
#include "augment.c"
