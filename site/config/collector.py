"""Python's garbage collector, in processes that stay."""

import gc


def leave_alone_what_is_loaded() -> None:
    """All that is loaded by now stays as long as the process: the collector need not walk over it again."""
    gc.collect()
    gc.freeze()
