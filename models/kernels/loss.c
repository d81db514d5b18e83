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
