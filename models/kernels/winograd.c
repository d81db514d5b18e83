// ---------------------------------------------------------------------------------------------------------------------
// Convolutions by Winograd's minimal filtering: F(2x2, 3x3) on windows of 4x4, F(4x4, 3x3) on 6x6, F(4x4, 5x5) on 8x8.
// Winograd 1980, "Arithmetic complexity of computations"; for nets: Lavin and Gray 2015, arXiv 1509.09308.
//
// How it works. Filtering is multiplying polynomials. A polynomial of degree n - 1 is known by its values at n points,
// and there the product is a product of values: n multiplications where a filter of r on a result of n + 1 - r takes
// r * (n + 1 - r). Here n is 4, 6 or 8, in each direction, and the points are 0, +-1, (+-2, (+-1/2,)) and infinity.
// Three small matrices do it:
//
//   U = G w G'     the weights' values     w: one filter of r x r for one pair of channels
//   V = W d W'     the windows' values     d: n x n of the image; neighbouring windows are `step` = n + 1 - r apart
//   M = sum over input channels of U * V   point by point: for each of the n * n points a product of matrices
//   z = A' M A     step x step of the result
//
// A[j][i] = p_j^i for point p_j (infinity: 1 at the last i); G[j][i] = A[j][i] / N_j with N_j = product over the other
// points of p_j - p_l; W[j] = the coefficients of the product over the other points of x - p_l.
//
// The gradients are the same three maps transposed, for z is linear in w and in d. With g the gradient of z:
//
//   m = A g A'                     (`spread`, its transpose is `gather`)
//   gradient of V = m * U, gradient of d = W' (that) W, overlapping windows added up     (`window`, `window_transposed`)
//   gradient of U = sum over windows of V * m, gradient of w = G' (that) G
//
// A point and its negative share their even and odd halves, which halves the work of the maps.
//
// Rounding. A sum of k products, in any order, fused or not, is off by at most k u S to first order, with u = 2^-24 and
// S the sum of the products' sizes (Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1); a factor
// that was itself rounded adds u S. The algorithm is a chain of such sums, each linear in what comes in. So an error made
// early is carried on by the later maps, at most by their entries' sizes, and the bound of the chain is the sum of its
// links' factors times what the chain makes of sizes alone (|.| is element by element):
//
//   |error of z| <= u (ic + maps) |A|' (sum over input channels of |G| |w| |G|' * |W| |d| |W|') |A|
//   maps = 2 (r + n + n + 4): G's sums have r terms, W's and A's n at most, each is applied in both directions; 4 for the
//          rounding of G's entries (A's and W's are exact), of their product, of U * V, and of the bias
//   |error of the gradient of w| <= u (windows + maps) |G|' (sum over windows of |W| |d| |W|' * |A| |g| |A|') |G|
//   |error of the gradient of d| <= u (oc + maps + n n) |W|' (sum over output channels of |A| |g| |A|' * |G| |w| |G|') |W|,
//          overlapping windows added up: n n of them at most lie over one pixel
//
// The tests hold the kernels to these bounds. The maps' entries are up to 21/4 and cancel, so that a typical error is 10 to
// 50 times that of the direct sum: up to 3e-5 of the result's root mean square, where TF32 and bfloat16 train with 5e-4
// and 4e-3.
//
// Layout: images, windows and results lie channels-last, channels rounded up to PANEL, and the maps go over whole
// vectors of channels. The values lie [point][window][channel], for a group of images at a time: enough windows to make
// the products efficient, few enough that all stays in the second-level cache.

#define GROUP_WINDOWS 32   // windows multiplied at once, where images are small
#define LARGEST 8          // the largest n
#define LINE 16            // floats of a cache line

static const float POINTS[3] = {1, 2, 0.5f};
static const float POWERS[3][5] = {{1, 1, 1, 1, 1}, {1, 2, 4, 8, 16}, {1, 0.5f, 0.25f, 0.125f, 0.0625f}};
// The product of x - p over the finite points is x * sum of ALL[k] * x^2k; without the pair +-p, and without x, it is
// the sum of OTHERS[pair][k] * x^2k.
static const float ALL_4[2] = {-1, 1}, ALL_6[3] = {4, -5, 1}, ALL_8[4] = {-1, 5.25f, -5.25f, 1};
static const float OTHERS_4[1][1] = {{1}};
static const float OTHERS_6[2][2] = {{-4, 1}, {-1, 1}};
static const float OTHERS_8[3][3] = {{1, -4.25f, 1}, {0.25f, -1.25f, 1}, {4, -5, 1}};
// 1 / N_j, in the order 0, 1, -1, 2, -2, (1/2, -1/2,) infinity
static const float SCALES_4[4] = {-1, 1.0f / 2, 1.0f / 2, 1};
static const float SCALES_6[6] = {1.0f / 4, -1.0f / 6, -1.0f / 6, 1.0f / 24, 1.0f / 24, 1};
static const float SCALES_8[8] = {-1, -2.0f / 9, -2.0f / 9, 1.0f / 90, 1.0f / 90, 32.0f / 45, 32.0f / 45, 1};
#define ALL(n, k) ((n) == 4 ? ALL_4[k] : (n) == 6 ? ALL_6[k] : ALL_8[k])
#define OTHERS(n, pair, k) ((n) == 4 ? OTHERS_4[pair][k] : (n) == 6 ? OTHERS_6[pair][k] : OTHERS_8[pair][k])
#define SCALE(n, j) ((n) == 4 ? SCALES_4[j] : (n) == 6 ? SCALES_6[j] : SCALES_8[j])
#define PAIRS(n) ((n) / 2 - 1)

// t = W d
INLINE void window(vec *t, const vec *d, const int n) {
  t[0] = t[n - 1] = (vec){};
  UNROLL for (int k = 0; k <= PAIRS(n); k++) {
    t[0] += ALL(n, k) * d[2 * k];
    t[n - 1] += ALL(n, k) * d[2 * k + 1];
  }
  UNROLL for (int pair = 0; pair < PAIRS(n); pair++) {
    vec even = {}, odd = {};
    UNROLL for (int k = 0; k < PAIRS(n); k++) {
      even += OTHERS(n, pair, k) * d[2 * k + 2];
      odd += POINTS[pair] * OTHERS(n, pair, k) * d[2 * k + 1];
    }
    t[1 + 2 * pair] = even + odd;
    t[2 + 2 * pair] = even - odd;
  }
}

// d = W' t
INLINE void window_transposed(vec *d, const vec *t, const int n) {
  UNROLL for (int k = 0; k <= PAIRS(n); k++) {
    d[2 * k] = ALL(n, k) * t[0];
    d[2 * k + 1] = ALL(n, k) * t[n - 1];
  }
  UNROLL for (int pair = 0; pair < PAIRS(n); pair++) {
    vec sum = t[1 + 2 * pair] + t[2 + 2 * pair], difference = t[1 + 2 * pair] - t[2 + 2 * pair];
    UNROLL for (int k = 0; k < PAIRS(n); k++) {
      d[2 * k + 2] += OTHERS(n, pair, k) * sum;
      d[2 * k + 1] += POINTS[pair] * OTHERS(n, pair, k) * difference;
    }
  }
}

// t = A g, of `count` coefficients
INLINE void spread(vec *t, const vec *g, const int count, const int n) {
  t[0] = g[0];
  t[n - 1] = g[count - 1];
  UNROLL for (int pair = 0; pair < PAIRS(n); pair++) {
    vec even = {}, odd = {};
    UNROLL for (int i = 0; i < count; i += 2) even += POWERS[pair][i] * g[i];
    UNROLL for (int i = 1; i < count; i += 2) odd += POWERS[pair][i] * g[i];
    t[1 + 2 * pair] = even + odd;
    t[2 + 2 * pair] = even - odd;
  }
}

// g = A' t
INLINE void gather(vec *g, const vec *t, const int count, const int n) {
  UNROLL for (int i = 0; i < count; i++) g[i] = i == 0 ? t[0] : i == count - 1 ? t[n - 1] : (vec){};
  UNROLL for (int pair = 0; pair < PAIRS(n); pair++) {
    vec sum = t[1 + 2 * pair] + t[2 + 2 * pair], difference = t[1 + 2 * pair] - t[2 + 2 * pair];
    UNROLL for (int i = 0; i < count; i++) g[i] += POWERS[pair][i] * (i % 2 ? difference : sum);
  }
}

// Each map in both directions, over a vector of channels: columns first, then rows. A square's element (i, j) is at
// i * row + j * column, a point's values are `point` apart.
INLINE void window_square(float *values, long point, const float *from, long row, long column, const int n) {
  vec half[LARGEST][LARGEST], a[LARGEST], b[LARGEST];
  for (int j = 0; j < n; j++) {
    UNROLL for (int i = 0; i < n; i++) a[i] = load(from + i * row + j * column);
    window(b, a, n);
    UNROLL for (int i = 0; i < n; i++) half[i][j] = b[i];
  }
  for (int i = 0; i < n; i++) {
    window(b, half[i], n);
    UNROLL for (int j = 0; j < n; j++) store(values + (i * n + j) * point, b[j]);
  }
}

INLINE void add_window_square_transposed(float *to, long row, long column, const float *values, long point, const int n) {
  vec half[LARGEST][LARGEST], a[LARGEST], b[LARGEST];
  for (int j = 0; j < n; j++) {
    UNROLL for (int i = 0; i < n; i++) a[i] = load(values + (i * n + j) * point);
    window_transposed(b, a, n);
    UNROLL for (int i = 0; i < n; i++) half[i][j] = b[i];
  }
  for (int i = 0; i < n; i++) {
    window_transposed(b, half[i], n);
    UNROLL for (int j = 0; j < n; j++) {
      float *p = to + i * row + j * column;
      store(p, load(p) + b[j]);
    }
  }
}

INLINE void spread_square(float *values, long point, const float *from, long row, long column, const int count,
                          const int n) {
  vec half[LARGEST][LARGEST], a[LARGEST], b[LARGEST];
  for (int j = 0; j < count; j++) {
    UNROLL for (int i = 0; i < count; i++) a[i] = load(from + i * row + j * column);
    spread(b, a, count, n);
    UNROLL for (int i = 0; i < n; i++) half[i][j] = b[i];
  }
  for (int i = 0; i < n; i++) {
    spread(b, half[i], count, n);
    UNROLL for (int j = 0; j < n; j++) store(values + (i * n + j) * point, b[j]);
  }
}

INLINE void gather_square(float *to, long row, long column, const float *values, long point, const int count,
                          const int n) {
  vec half[LARGEST][LARGEST], a[LARGEST], b[LARGEST];
  for (int j = 0; j < n; j++) {
    UNROLL for (int i = 0; i < n; i++) a[i] = load(values + (i * n + j) * point);
    gather(b, a, count, n);
    UNROLL for (int i = 0; i < count; i++) half[i][j] = b[i];
  }
  for (int i = 0; i < count; i++) {
    gather(b, half[i], count, n);
    UNROLL for (int j = 0; j < count; j++) store(to + i * row + j * column, b[j]);
  }
}

// What both directions need to know of the shape. `high`, `wide`: the result and the image as the windows cover them,
// padded with zeros at the bottom and on the right where `step` does not divide the result. All `point`s are a line more
// than a power of two, or all values of a window would meet in one set of the cache.
struct windows {
  long side, step;                              // n, and how far neighbouring windows are apart
  long down, across, each, group;               // windows of an image, and images of a group
  long high, wide, image_high, image_wide;      // padded
  long deep, deep_out;                          // channels, rounded up
  long squares;                                 // points of a window: side * side
  long point, point_out;                        // floats of one point's values of a group, in and out
  long weight_point;                            // and of the weights
  long last, last_out;                          // floats of a padded image and result
};

static struct windows windows_of(long images, long ic, long ih, long iw, long oc, long r) {
  const long oh = ih - r + 1, ow = iw - r + 1;
  // For 3x3 small windows take 16 products for 4 results where large ones take 36 for 16, but waste less at the edge,
  // and their weights' values take less than half the cache.
  const long small = 16 * ceil_div(oh, 2) * ceil_div(ow, 2), large = 36 * ceil_div(oh, 4) * ceil_div(ow, 4);
  struct windows w = {.side = r == 5 ? 8 : 4 * small <= 5 * large ? 4 : 6};
  w.step = w.side + 1 - r, w.squares = w.side * w.side;
  w.down = ceil_div(oh, w.step), w.across = ceil_div(ow, w.step), w.each = w.down * w.across;
  w.group = min_long(images, max_long(1, GROUP_WINDOWS / w.each));
  w.high = w.down * w.step, w.wide = w.across * w.step;
  w.image_high = w.high + r - 1, w.image_wide = w.wide + r - 1;
  w.deep = round_up(ic, PANEL), w.deep_out = round_up(oc, PANEL);
  w.point = round_up(w.group * w.each * w.deep, LINE) + LINE;
  w.point_out = round_up(w.group * w.each * w.deep_out, LINE) + LINE;
  w.weight_point = round_up(max_long(ic * w.deep_out, oc * w.deep), LINE) + LINE;
  w.last = round_up(w.image_high * w.image_wide * w.deep, LINE);
  w.last_out = round_up(w.high * w.wide * w.deep_out, LINE);
  return w;
}
static struct windows forward_windows(const struct convolution *c) {
  return windows_of(c->images, c->ic, c->ih, c->iw, c->oc, c->kh);
}
static struct windows gradient_windows(const struct convolution_gradient *c) {
  return windows_of(c->images, c->ic, c->ih, c->iw, c->oc, c->kh);
}

// Bring the part-th of `parts` equal parts of an array to the cache: what the next group begins with is fetched while
// this one is multiplied.
INLINE void fetch(const float *p, long floats, long part, long parts) {
  for (long i = floats * part / parts; i < floats * (part + 1) / parts; i += LINE) __builtin_prefetch(p + i, 0, 2);
}

// [channel][row][column] -> the upper left of [row][column][channel], whose rows are `wide` long; and back.
static void to_last(float *to, long wide, long deep, const float *from, long channels, long height, long width) {
  if (wide == width) transpose(to, deep, from, height * width, channels, height * width);
  else
    for (long y = 0; y < height; y++)
      transpose(to + y * wide * deep, deep, from + y * width, height * width, channels, width);
}
static void from_last(float *to, const float *from, long wide, long deep, long channels, long height, long width) {
  if (wide == width) transpose(to, height * width, from, deep, height * width, channels);
  else
    for (long y = 0; y < height; y++)
      transpose(to + y * width, height * width, from + y * wide * deep, deep, width, channels);
}

// The weights' values as right-hand sides of the products: [point][panel of columns][row][PANEL], zero beyond the last
// column. The filter of (row, column) starts at row * row_step + column * column_step.
INLINE void weight_values(float *values, long point, const float *weight, long rows, long columns, long row_step,
                          long column_step, long from, long to, const int r, const int n) {
  const long vectors = round_up(columns, PANEL) / LANES;
  for (long i = from; i < to; i++) {
    const long row = i / vectors, first = i % vectors * LANES, panel = first / PANEL * PANEL;
    float filters[25 * LANES], *to_values = values + panel * rows + row * PANEL + first - panel;
    for (long c = 0; c < LANES; c++)
      for (long tap = 0; tap < r * r; tap++)
        filters[tap * LANES + c] = first + c < columns ? weight[row * row_step + (first + c) * column_step + tap] : 0.0f;
    spread_square(to_values, point, filters, r * LANES, LANES, r, n);
    for (int j = 0; j < n * n; j++) {
      float *p = to_values + j * point;
      store(p, load(p) * (SCALE(n, j / n) * SCALE(n, j % n)));
    }
  }
}

// The point-by-point products of `rows` windows: out[row][column] = sum over k of in[row][k] * weights[k][column].
static void multiply_values(float *out, long out_stride, const float *in, long in_stride, const float *weights, long rows,
                            long columns, long inner) {
  for (long p = 0; p < columns; p += PANEL) {
    struct tile t = {.c = out + p, .c_stride = out_stride, .a = in, .a_stride = in_stride, .a_step = 1,
                     .b = weights + p * inner, .b_stride = PANEL, .run = inner, .segments = 1};
    tile_row(t, rows);
  }
}

#define WINOGRAD(kernel, ...)                                                                                      \
  do {                                                                                                             \
    if (w.side == 4) kernel(__VA_ARGS__, 3, 4);                                                                    \
    else if (w.side == 6) kernel(__VA_ARGS__, 3, 6);                                                               \
    else kernel(__VA_ARGS__, 5, 8);                                                                                \
  } while (0)

// Scratch: the weights' values; then for each thread an image and its result channels-last, and both values.
static long winograd_share(const struct windows *w) {
  return w->last + w->last_out + w->squares * (w->point + w->point_out);
}
long winograd_scratch(const struct convolution *c, long threads) {
  struct windows w = forward_windows(c);
  return w.squares * w.weight_point + threads * winograd_share(&w);
}

KERNEL void winograd_pack(struct team *team, long index, const struct convolution *c) {
  const struct windows w = forward_windows(c);
  const long taps = c->kh * c->kw;
  long from, to;
  share(c->ic * w.deep_out / LANES, index, team->count, &from, &to);
  WINOGRAD(weight_values, c->scratch, w.weight_point, c->weight, c->ic, c->oc, taps, c->ic * taps, from, to);
}

INLINE void winograd_forward(struct team *team, long index, const struct convolution *c, const struct windows w,
                             const int r, const int n) {
  const long ic = c->ic, oc = c->oc, ih = c->ih, iw = c->iw, oh = ih - r + 1, ow = iw - r + 1;
  float *last = c->scratch + n * n * w.weight_point + team->thread * winograd_share(&w);
  float *last_out = last + w.last, *values = last_out + w.last_out, *values_out = values + n * n * w.point;
  long from, to;
  share(c->images, index, team->count, &from, &to);
  clear(last, w.last); // the padding: the rest is overwritten
  for (long first = from; first < to; first += w.group) {
    const long images = min_long(w.group, to - first), rows = images * w.each;
    for (long i = 0; i < rows; i++) {
      const long at = i % w.each, y = at / w.across * w.step, x = at % w.across * w.step;
      if (!at) to_last(last, w.image_wide, w.deep, c->image + (first + i / w.each) * ic * ih * iw, ic, ih, iw);
      for (long v = 0; v < ic; v += LANES)
        window_square(values + i * w.deep + v, w.point, last + (y * w.image_wide + x) * w.deep + v,
                      w.image_wide * w.deep, w.deep, n);
    }
    const long next = first + images, next_images = min_long(w.group, to - next);
    for (long p = 0; p < n * n; p++) {
      multiply_values(values_out + p * w.point_out, w.deep_out, values + p * w.point, w.deep,
                      c->scratch + p * w.weight_point, rows, w.deep_out, ic);
      fetch(c->image + next * ic * ih * iw, next_images * ic * ih * iw, p, n * n);
    }
    for (long i = 0; i < rows; i++) {
      const long at = i % w.each, y = at / w.across * w.step, x = at % w.across * w.step;
      for (long v = 0; v < oc; v += LANES)
        gather_square(last_out + (y * w.wide + x) * w.deep_out + v, w.wide * w.deep_out, w.deep_out,
                      values_out + i * w.deep_out + v, w.point_out, n + 1 - r, n);
      if (at < w.each - 1) continue;
      const long place = (first + i / w.each) * oc * oh * ow;
      if (c->bias) add_to_rows(last_out, w.deep_out, c->bias, w.high * w.wide, oc);
      from_last(c->z + place, last_out, w.wide, w.deep_out, oc, oh, ow);
      finish_row(c->z + place, c->active ? c->active + place : 0, 0, oc * oh * ow, c->activation);
    }
  }
}

KERNEL void winograd(struct team *team, long index, const struct convolution *c) {
  const struct windows w = forward_windows(c);
  WINOGRAD(winograd_forward, team, index, c, w);
}

// Scratch: the shares' sums, as of the direct convolution; the weights' values; then for each thread the gradient
// channels first, the image, its gradient and the result's gradient channels-last, both values, and the gradient of the
// weights' values.
static long winograd_gradient_share(const struct convolution_gradient *c, const struct windows *w) {
  const long points = (c->ih - c->kh + 1) * (c->iw - c->kh + 1);
  return round_up(points * c->oc, LINE) + 2 * w->last + w->last_out +
         w->squares * (w->point + w->point_out + w->weight_point);
}
static long winograd_gradient_sums(const struct convolution_gradient *c) {
  return round_up(c->shares * gradient_sums(c), LINE);
}
long winograd_gradient_scratch(const struct convolution_gradient *c, long threads) {
  struct windows w = gradient_windows(c);
  return winograd_gradient_sums(c) + w.squares * w.weight_point + threads * winograd_gradient_share(c, &w);
}

KERNEL void winograd_gradient_pack(struct team *team, long index, const struct convolution_gradient *c) {
  const struct windows w = gradient_windows(c);
  const long taps = c->kh * c->kw;
  long from, to;
  if (!c->d_image) return;
  share(c->oc * w.deep / LANES, index, team->count, &from, &to);
  WINOGRAD(weight_values, c->scratch + winograd_gradient_sums(c), w.weight_point, c->weight, c->oc, c->ic, c->ic * taps,
           taps, from, to);
}

INLINE void winograd_backward(struct team *team, long index, const struct convolution_gradient *c,
                              const struct windows w, const int r, const int n) {
  const long ic = c->ic, oc = c->oc, ih = c->ih, iw = c->iw, oh = ih - r + 1, ow = iw - r + 1;
  const float *weights = c->scratch + winograd_gradient_sums(c);
  float *sums = c->scratch + index * gradient_sums(c), *bias_sums = sums + r * r * ic * w.deep_out;
  float *d_weights = c->scratch + winograd_gradient_sums(c) + n * n * w.weight_point +
                     team->thread * winograd_gradient_share(c, &w);
  float *values = d_weights + n * n * w.weight_point, *g_values = values + n * n * w.point;
  float *last = g_values + n * n * w.point_out, *d_last = last + w.last, *g = d_last + w.last, *g_first = g + w.last_out;
  long from, to;
  share(c->images, index, team->count, &from, &to);
  clear(bias_sums, w.deep_out);
  clear(d_weights, n * n * w.weight_point);
  clear(last, w.last); // the padding: the rest is overwritten
  clear(g, w.last_out);
  for (long first = from; first < to; first += w.group) {
    const long images = min_long(w.group, to - first), rows = images * w.each;
    for (long i = 0; i < rows; i++) {
      const long at = i % w.each, y = at / w.across * w.step, x = at % w.across * w.step;
      if (!at) {
        const long image = first + i / w.each;
        to_last(g, w.wide, w.deep_out, before_activation(g_first, c, image, oh * ow), oc, oh, ow);
        add_rows(bias_sums, g, w.deep_out, w.high * w.wide);
        to_last(last, w.image_wide, w.deep, c->image + image * ic * ih * iw, ic, ih, iw);
      }
      for (long v = 0; v < ic; v += LANES)
        window_square(values + i * w.deep + v, w.point, last + (y * w.image_wide + x) * w.deep + v,
                      w.image_wide * w.deep, w.deep, n);
      for (long v = 0; v < w.deep_out; v += LANES)
        spread_square(g_values + i * w.deep_out + v, w.point_out, g + (y * w.wide + x) * w.deep_out + v,
                      w.wide * w.deep_out, w.deep_out, n + 1 - r, n);
    }
    const long next = first + images, next_images = min_long(w.group, to - next);
    for (long p = 0; p < n * n; p++) {
      float *of_images = values + p * w.point;
      const float *of_g = g_values + p * w.point_out;
      for (long o = 0; o < w.deep_out; o += PANEL) {
        struct tile t = {.c = d_weights + p * w.weight_point + o, .c_stride = w.deep_out, .a = of_images, .a_stride = 1,
                         .a_step = w.deep, .b = of_g + o, .b_stride = w.deep_out, .run = rows, .segments = 1,
                         .accumulate = 1};
        tile_row(t, ic);
      }
      if (c->d_image) // the images' values have served: their gradient takes their place
        multiply_values(of_images, w.deep, of_g, w.deep_out, weights + p * w.weight_point, rows, w.deep, oc);
      fetch(c->image + next * ic * ih * iw, next_images * ic * ih * iw, p, n * n);
      fetch(c->d_active + next * oc * oh * ow, next_images * oc * oh * ow, p, n * n);
      if (c->activation != LINEAR) fetch(c->z + next * oc * oh * ow, next_images * oc * oh * ow, p, n * n);
    }
    for (long i = 0; c->d_image && i < rows; i++) {
      const long at = i % w.each, y = at / w.across * w.step, x = at % w.across * w.step;
      if (!at) clear(d_last, w.last);
      for (long v = 0; v < ic; v += LANES)
        add_window_square_transposed(d_last + (y * w.image_wide + x) * w.deep + v, w.image_wide * w.deep, w.deep,
                                     values + i * w.deep + v, w.point, n);
      if (at == w.each - 1)
        from_last(c->d_image + (first + i / w.each) * ic * ih * iw, d_last, w.image_wide, w.deep, ic, ih, iw);
    }
  }
  for (long i = 0; i < ic; i++)
    for (long v = 0; v < w.deep_out; v += LANES) {
      float *d_values = d_weights + i * w.deep_out + v;
      for (int j = 0; j < n * n; j++) {
        float *p = d_values + j * w.weight_point;
        store(p, load(p) * (SCALE(n, j / n) * SCALE(n, j % n)));
      }
      gather_square(sums + i * w.deep_out + v, r * ic * w.deep_out, ic * w.deep_out, d_values, w.weight_point, r, n);
    }
}

KERNEL void winograd_gradient(struct team *team, long index, const struct convolution_gradient *c) {
  const struct windows w = gradient_windows(c);
  WINOGRAD(winograd_backward, team, index, c, w);
}
