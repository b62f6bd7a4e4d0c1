#!/usr/bin/env python
"""Django's command line for Foyer. `site/` and this folder are source roots, installed or not."""

import gc
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(path) for path in (ROOT / "site", ROOT) if str(path) not in sys.path]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    gc.disable()  # while all is loaded that stays: walking over it again and again takes a third of the start
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.FOYER_ENV  # noqa: B018 - reads the environment
    except ImproperlyConfigured as error:
        sys.exit(f"{error}. Beside the running demo: make manage ARGS='...'")
    django.setup()
    gc.enable()
    gc.freeze()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
