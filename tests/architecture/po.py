"""Collects every interface string of ours with Django's own `makemessages`, in a copy, so that no file of ours changes.

    .venv/bin/python -m tests.architecture.po    take new strings into the Swedish catalogue, drop old ones, compile

Then write the Swedish of what it names, and run it again. Needs gettext's programs (Debian package `gettext`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.architecture.source import ROOT

CATALOGUE = ROOT / "site" / "locale" / "sv" / "LC_MESSAGES" / "django.po"
SOURCES = ("apps", "site/config", "site/templates", "themes")
NOT_SHOWN = ("migrations", "styleguide", "static", "__pycache__")

_COLLECT = """
import sys
from django.conf import settings
settings.configure(LOCALE_PATHS=[sys.argv[1]], USE_I18N=True, INSTALLED_APPS=[])
import django
django.setup()
from django.core.management import call_command
call_command("makemessages", locale=["sv"], keep_pot=True, no_location=True, no_wrap=True, no_obsolete=True,
             verbosity=0, extensions=["html", "txt", "py"])
"""


def require_gettext() -> None:
    """Raises AssertionError with one sentence when the programs are missing."""
    missing = [name for name in ("xgettext", "msgcmp", "msgfmt", "msgmerge", "msgattrib") if not shutil.which(name)]
    assert not missing, f"{', '.join(missing)} not found: install the system package gettext."


def collect(into: Path) -> Path:
    """Copy our sources into `into` and return the catalogue template (`django.pot`) made from them."""
    require_gettext()
    for source in SOURCES:
        shutil.copytree(ROOT / source, into / source, ignore=shutil.ignore_patterns(*NOT_SHOWN))
    locale = into / "locale"
    locale.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(
        [sys.executable, "-c", _COLLECT, str(locale)],
        cwd=into,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return locale / "django.pot"


def update() -> str:
    """Bring the Swedish catalogue up to date with the source and compile it. Returns what is still to be translated."""
    with tempfile.TemporaryDirectory() as folder:
        template, merged = collect(Path(folder)), Path(folder) / "merged.po"
        options = ["--quiet", "--no-fuzzy-matching", "--no-wrap", "--no-location", "--sort-output"]
        subprocess.run(["msgmerge", *options, "-o", merged, CATALOGUE, template], check=True, timeout=60)
        subprocess.run(["msgattrib", "--no-obsolete", "--no-wrap", "-o", CATALOGUE, merged], check=True, timeout=60)
    lines = CATALOGUE.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith('"Report-Msgid-Bugs-To')]
    CATALOGUE.write_text("".join(kept), encoding="utf-8")
    compiled = CATALOGUE.with_suffix(".mo")
    subprocess.run(["msgfmt", "--check", "-o", compiled, CATALOGUE], check=True, timeout=60)
    untranslated = ["msgattrib", "--untranslated", "--no-wrap", str(CATALOGUE)]
    return subprocess.run(untranslated, check=True, capture_output=True, text=True, timeout=60).stdout


if __name__ == "__main__":
    print(update() or "Every string has its Swedish.")
