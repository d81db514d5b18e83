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
