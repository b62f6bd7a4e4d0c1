"""A line per step with its time, for a person who waits. Standard library only: it runs before all else is there."""

import contextlib
import sys
import time
from collections.abc import Iterator

WIDTH = 58


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Print `what` before the block and the seconds it took after it; "failed" when it raised."""
    begun = time.monotonic()
    print(f"  {what} ".ljust(WIDTH, "."), end=" ", flush=True)
    try:
        yield
    except BaseException as error:
        print("failed" if isinstance(error, Exception) else "interrupted", flush=True)
        raise
    print(f"{time.monotonic() - begun:5.1f} s", flush=True)


def fail(sentence: object) -> int:
    """Say in one sentence why we stop; returns the exit code."""
    sys.stdout.flush()
    print(sentence, file=sys.stderr, flush=True)
    return 1
