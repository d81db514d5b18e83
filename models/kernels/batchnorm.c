// ---------------------------------------------------------------------------------------------------------------------
// Batch normalisation of the batch's own statistics, with an optional 2x2 maximum pooling after it:
//   y = (x - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c], then the maximum over 2x2 if `pool`
// (an odd last row or column is dropped). Threads share the channels; one channel's planes stay in cache between the
// passes over them. normalize = 0 pools only (mean, variance, weight, bias are not touched); 2 takes mean and variance as
// they are given, not the batch's own.
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

KERNEL static void batchnorm_rows(const struct batchnorm *b, long from, long n) {
  const float *first = b->x + from, *weight = b->weight + from, *bias = b->bias + from;
  float *mean = b->mean + from, *variance = b->variance + from, scale[BLOCK];
  const long row = b->channels, rows = b->images;
  if (b->normalize == 1) {
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
  }
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
    if (b->normalize == 1) {
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
    }
    if (b->normalize) {
      scale = b->weight[c] / square_root(b->variance[c] + EPSILON);
      shift = b->bias[c] - b->mean[c] * scale;
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

// The gradient of pooling: each window's g is divided among the places of its maximum; zero elsewhere. A vector holds the
// upper or the lower halves of LANES / 2 windows side by side.
#if LANES == 16
#define SWAPPED 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
#define TWICE 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7
#elif LANES == 8
#define SWAPPED 1, 0, 3, 2, 5, 4, 7, 6
#define TWICE 0, 0, 1, 1, 2, 2, 3, 3
#else
#define SWAPPED 1, 0, 3, 2
#define TWICE 0, 0, 1, 1
#endif

INLINE void unpool_vector(float *dy, const float *y, const float *g, long w) {
  const vec upper = load(y), lower = load(y + w), column = where(upper > lower, upper, lower);
  const vec beside = __builtin_shufflevector(column, column, SWAPPED), most = where(column > beside, column, beside);
  const ivec is_upper = upper == most, is_lower = lower == most, in_column = is_upper + is_lower; // -1: it is
  const ivec places = in_column + __builtin_shufflevector(in_column, in_column, SWAPPED);
  const vec few = where(places == -1, splat(1.0f), splat(1.0f / 2)), many = where(places == -3, splat(1.0f / 3), splat(1.0f / 4));
  const part own = *(const part *)g;
  const vec each = __builtin_shufflevector(own, own, TWICE) * where(places < -2, many, few);
  const ivec one = (ivec)splat(1.0f);
  store(dy, (vec)(is_upper & one) * each);
  store(dy + w, (vec)(is_lower & one) * each);
}

KERNEL static void unpool(float *dy, const float *y, const float *g, long height, long w) {
  static const float share_of[5] = {0, 1, 1.0f / 2, 1.0f / 3, 1.0f / 4};
  const long oh = height / 2, ow = w / 2;
  if (height % 2) clear(dy + (height - 1) * w, w);
  for (long i = 0; i < oh; i++, y += 2 * w, dy += 2 * w, g += ow) {
    // the last vector is moved back to end at the edge: it writes some values twice
    for (long j = 0; ow >= LANES / 2 && j < ow; j += LANES / 2) {
      const long at = min_long(j, ow - LANES / 2);
      unpool_vector(dy + 2 * at, y + 2 * at, g + at, w);
    }
    for (long j = 0; ow < LANES / 2 && j < ow; j++) {
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
