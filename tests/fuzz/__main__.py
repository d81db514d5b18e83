"""``python -m tests.fuzz``: cases until the time is up; exit code 1 if any did not end well."""

import argparse
import itertools
import subprocess
import time

from tests import fuzz
from tests.conftest import PROJECT
from tests.fuzz import inside, outside

SHARE = 12  # one case in so many is a command line: each takes as long as a hundred of the others


def git_state() -> str:
    """What this working tree holds besides what is committed, and caches."""
    words = ["git", "-C", str(PROJECT), "status", "--porcelain", "--ignored"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return "\n".join(line for line in lines if not line.endswith("cache__/") and not line.endswith("_cache/"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=fuzz.__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="the first case")
    parser.add_argument("--cases", type=int, help="so many cases at most")
    parser.add_argument("--only", choices=("inside", "outside"))
    options = parser.parse_args()
    kinds = {
        "inside": inside.KINDS,
        "outside": outside.KINDS,
        None: [*inside.KINDS * SHARE, *outside.KINDS * len(inside.KINDS)],
    }[options.only]
    until = time.monotonic() + 60 * options.minutes
    before = git_state()
    found = cases = 0
    for seed in itertools.count(options.seed):
        if time.monotonic() > until or cases == options.cases:
            break
        cases += 1
        for _, what in fuzz.failures([seed], kinds):
            found += 1
            print(f"seed {seed}: {what}\n", flush=True)
    if git_state() != before:
        found += 1
        print(f"the working tree was changed:\n{git_state()}")
    print(f"{found} failures in {cases} cases; command lines: {dict(outside.counted)}")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
