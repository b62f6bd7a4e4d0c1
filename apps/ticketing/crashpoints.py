"""Named places at which a test may kill the process, to prove that a purchase survives it there.

Nothing happens in production. Elsewhere a test names a point, and the process that reaches it dies by SIGKILL, with
nothing flushed and nothing rolled back by us: `FOYER_CRASH_AT=<name>` for every process that is started with it, or a
file of the point's name in `FOYER_CRASH_FOLDER`, which the one process that dies takes with it.
"""

from __future__ import annotations

import os
import signal

from django.conf import settings


def crashpoint(name: str) -> None:
    """Die here when a test asked for it."""
    if settings.IS_PRODUCTION:
        return
    if os.environ.get("FOYER_CRASH_AT") == name or _is_armed(name):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_armed(name: str) -> bool:
    folder = os.environ.get("FOYER_CRASH_FOLDER")
    if not folder:
        return False
    try:
        os.unlink(os.path.join(folder, name))  # one of several that come here at once
    except FileNotFoundError:
        return False
    return True
