// ---------------------------------------------------------------------------------------------------------------------
// Augmentation: each image turned, zoomed and shifted by its own draws, as explorer/training/augment.py says it. Each
// pixel of the result looks up where it comes from; what comes from outside is black. The images are shared out.
//
// An image is first copied to floats within a border of two black pixels. A place further out is moved to the border:
// it is black there too, so nothing has to be asked of any pixel.
// Scratch: threads * (height + 4) * (width + 4) floats.

#define BORDER 2

struct augment {
  float *to;
  const uint8 *images;
  const float *draws;                  // 4 an image, in [-1, 1]: rotation, zoom, shift across, shift down
  const float *angle, *scale, *shift;  // the extremes: degrees, share, pixels
  float *scratch;
  long count, height, width, bilinear, corner; // corner: rotation and zoom about (0, 0), not about the middle
};

static long augment_share(long height, long width) { return (height + 2 * BORDER) * (width + 2 * BORDER); }
long augment_scratch(long height, long width, long threads) { return threads * augment_share(height, width); }

// Sine and cosine of an angle of a few turns: Taylor's series on [-pi/4, pi/4], to 1e-10.
static void sine_cosine(double x, double *sine, double *cosine) {
  const long quarter = (long)(x * 0.63661977236758134 + (x < 0 ? -0.5 : 0.5));
  x -= (double)quarter * 1.57079632679489662;
  const double q = x * x;
  const double s = x * (1 + q * (-1.0 / 6 + q * (1.0 / 120 + q * (-1.0 / 5040 + q * (1.0 / 362880)))));
  const double c = 1 + q * (-1.0 / 2 + q * (1.0 / 24 + q * (-1.0 / 720 + q * (1.0 / 40320 + q * (-1.0 / 3628800)))));
  const double sines[4] = {s, c, -s, -c};
  *sine = sines[quarter & 3];
  *cosine = sines[(quarter + 1) & 3];
}

INLINE long whole_below(float x, long least, long most) { // the largest whole number <= x, within [least, most]
  if (!(x > (float)least)) return least; // what is no number, too
  if (x >= (float)most) return most;
  const long n = (long)x;
  return n - ((float)n > x);
}

KERNEL void augment(struct team *team, long index, const struct augment *a) {
  const long height = a->height, width = a->width, wide = width + 2 * BORDER;
  const float middle_x = a->corner ? 0 : (float)(width - 1) / 2, middle_y = a->corner ? 0 : (float)(height - 1) / 2;
  float *image = a->scratch + team->thread * augment_share(height, width), *inner = image + BORDER * wide + BORDER;
  long from, to;
  share(a->count, index, team->count, &from, &to);
  clear(image, augment_share(height, width));
  for (long n = from; n < to; n++) {
    const uint8 *source = a->images + n * height * width;
    for (long y = 0; y < height; y++)
      for (long x = 0; x < width; x++) inner[y * wide + x] = (float)source[y * width + x];
    const float *draws = a->draws + 4 * n, zoom = 1 + draws[1] * a->scale[0];
    const float across = draws[2] * a->shift[0], down = draws[3] * a->shift[0];
    double sine, cosine;
    sine_cosine((double)(draws[0] * a->angle[0] * 0.017453292519943295f), &sine, &cosine);
    const float turn_x = (float)cosine / zoom, turn_y = (float)sine / zoom;
    float *out = a->to + n * height * width;
    for (long row = 0; row < height; row++) {
      const float y = (float)row - middle_y - down;
      for (long column = 0; column < width; column++) {
        const float x = (float)column - middle_x - across;
        const float source_x = x * turn_x + y * turn_y + middle_x, source_y = y * turn_x - x * turn_y + middle_y;
        if (!a->bilinear) {
          const long left = whole_below(source_x + 0.5f, -BORDER, width), top = whole_below(source_y + 0.5f, -BORDER, height);
          *out++ = inner[top * wide + left];
          continue;
        }
        const long left = whole_below(source_x, -BORDER, width), top = whole_below(source_y, -BORDER, height);
        const float *p = inner + top * wide + left, right = source_x - (float)left, bottom = source_y - (float)top;
        const float upper = p[0] * (1 - right) + p[1] * right, lower = p[wide] * (1 - right) + p[wide + 1] * right;
        *out++ = upper * (1 - bottom) + lower * bottom;
      }
    }
  }
}
