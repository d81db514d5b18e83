"""Which seeds choose, and which only judge. A seed is a run's: initial weights, order of the data, dropout."""

MIN_RUNS = 3
"""Below it the runs themselves are shown: no interval, no verdict."""

FIRST_FRESH_SEED = 1000
"""Seeds from here on are fresh: they never choose. What leads by its choosing seeds was lucky in them, on validation
and test alike, so its figures are told from seeds that had no part in the choice."""

FIRST_SETTLING_SEED = 500
"""``--settle`` looks at these seeds alone. Whoever settles a sweep has mostly seen it with seeds 0, 1, 2, ...: those
have spent their alpha, and to look at them again would not be the test it claims to be."""


def settling(count: int) -> range:
    """The first ``count`` seeds of a settled sweep."""
    return range(FIRST_SETTLING_SEED, FIRST_SETTLING_SEED + count)


def is_fresh(seed: int) -> bool:
    """Whether runs of this seed judge a choice that was made without them."""
    return seed >= FIRST_FRESH_SEED


def fresh(count: int) -> range:
    """The first ``count`` fresh seeds."""
    return range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + count)
