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
