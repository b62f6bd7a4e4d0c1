"""What goes wrong on somebody's machine, said in one plain sentence."""

import re

FULL_DISK = re.compile(r"No space left on device|Disk quota exceeded|File too large|disk is full", re.IGNORECASE)
BUSY_PORT = re.compile(r"Address already in use", re.IGNORECASE)
TELLING = re.compile(r"error|exception|fatal|panic|failed|can't|cannot|could not", re.IGNORECASE)
MISSING_LIBRARY = re.compile(r"error while loading shared libraries: (\S+?):")


class EmbeddedError(Exception):
    """Something this machine lacks or refuses. `str()` is one sentence for the person at the terminal."""


def explain(what: str, output: str, folder: object) -> str:
    """Turn a program's `output` into one sentence about `what` could not be done; `folder` is where its files lie."""
    if FULL_DISK.search(output):
        return f"{what} failed: the disk is full where {folder} lies. Make room there and start again."
    library = MISSING_LIBRARY.search(output)
    if library:
        return f"{what} failed: the library {library.group(1)} is missing. Install the package that holds it."
    if "Permission denied" in output or "Operation not permitted" in output:
        return f"{what} failed: permission was denied below {folder}. Give that folder to the user who starts Foyer."
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    # Indented lines are mostly the code a traceback quotes; what went wrong stands at the margin.
    at_margin = [line for line in lines if not line[0].isspace()]
    telling = [line for line in at_margin if TELLING.search(line)]
    last = (telling or at_margin or lines or ["it said nothing"])[-1]
    return f"{what} failed: {last.strip()}"
