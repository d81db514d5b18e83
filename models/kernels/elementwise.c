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
// 1/x, to 1e-7 of itself: with long vectors a division takes longer than all the rest of an activation.
INLINE vec reciprocal(vec x) {
#if defined(__AVX512F__)
  vec near = (vec)__builtin_ia32_rcp14ps512_mask(x, (vec){}, (unsigned short)-1);
  return near * (2.0f - x * near); // Newton's step doubles the 14 right bits
#else
  return 1.0f / x;
#endif
}
INLINE vec sigmoid(vec x) { return reciprocal(1.0f + exp_vec(-x)); }
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
