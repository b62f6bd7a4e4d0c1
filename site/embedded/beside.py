"""A command beside the running demo: `make manage ARGS='sale pause lucia --say "..."'`.

The demo leaves a note of what its processes were given, in its folder and readable by its user alone; `manage` starts
`manage.py` with that. Standard library only, since `make` asks here before it knows of an environment.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from embedded import keys, places
from embedded.errors import EmbeddedError

NOT_RUNNING = "No demo of this checkout is running; start one with: make demo"
STILL_STARTING = "The demo is still starting; it can be joined once it says that it is ready."


@contextlib.contextmanager
def open_to_commands(folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Let commands in while the block runs. The caller holds the lock of the demo's `folder`."""
    note = {"process": str(os.getpid()), "python": sys.executable, "variables": dict(variables)}
    path = _note_in(folder)
    keys.write_private(path, json.dumps(note))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def manage(arguments: Sequence[str]) -> int:
    """Become `manage.py ARGUMENTS...` in the environment of the demo's own processes; the code it ends with is ours.

    Raises EmbeddedError when no demo of this checkout is ready.
    """
    python, variables = _read_note(places.CHECKOUT / "var" / "demo")
    sys.stdout.flush()
    os.execve(python, [python, str(places.CHECKOUT / "manage.py"), *arguments], variables)


def _read_note(folder: Path) -> tuple[str, dict[str, str]]:
    lock = places.Lock(folder)
    if not lock.is_held():
        raise EmbeddedError(NOT_RUNNING)
    try:
        note = json.loads(_note_in(folder).read_text())
    except (OSError, ValueError) as error:
        raise EmbeddedError(STILL_STARTING) from error
    if note["process"] != lock.holder():  # of a demo that was killed before this one
        raise EmbeddedError(STILL_STARTING)
    return note["python"], note["variables"]


def _note_in(folder: Path) -> Path:
    return folder / "beside.json"
