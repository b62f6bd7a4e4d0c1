"""What the house says of its plugins, and that it does not open with one that does not load."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, environment

pytestmark = pytest.mark.django_db


class Installation:
    """A folder of packages, each installed as far as Python can tell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, app: str = "", version: str = "1.0", **files: str) -> None:
        """A distribution with the files of a package: `__init__="…"` is `<name>/__init__.py`."""
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[foyer.plugins]\n{name} = {app or name}\n")
        for file, text in files.items():
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / f"{file}.py").write_text(text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(self.folder), str(ROOT / "site"), str(ROOT)])
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT, env=environment(PYTHONPATH=paths, LOG_LEVEL="ERROR"), capture_output=True, text=True, timeout=90,
        )  # fmt: skip


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def app_config(name: str, ready: str) -> str:
    return (
        "from django.apps import AppConfig\n\n"
        f"class Config(AppConfig):\n    name = {name!r}\n\n    def ready(self):\n        {ready}\n"
    )


def test_without_plugins_it_says_so(installation: Installation) -> None:
    done = installation.run("manage.py", "plugins")

    assert (done.returncode, done.stdout) == (0, "No plugin is installed.\n")


def test_each_plugin_is_listed_with_all_that_it_registered(installation: Installation) -> None:
    installation.add("specimen", "tests.specimen_plugin", "2.1")
    installation.add("quiet", __init__="")

    done = installation.run("manage.py", "plugins")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "quiet 1.0",
        "  app   quiet",
        f"  from  {installation.folder / 'quiet'}",
        "specimen 2.1",
        "  app   tests.specimen_plugin",
        f"  from  {ROOT / 'tests/specimen_plugin'}",
        "  accounts.my_page_panels: specimen_cloakroom",
        "  accounts.personal_data: specimen_cloakroom",
        "  checkin.credential_readers: specimen_wristband",
        "  events.offerings: specimen_cloakroom",
        "  ticketing.event_templates: specimen_quiz",
        "  ticketing.fulfilments: specimen_hook",
        "  ticketing.payment_providers: specimen_vouchers",
        "  ticketing.preview_persons: specimen_stranger",
        "  ticketing.price_rules: specimen_early_bird",
        "  ticketing.purchase_gates: specimen_no_strangers",
        "  event blocks: specimen_note",
    ]


TAKEN = "from apps.ticketing.extensions import fulfilments as all; all.register(all.get('issue'))"
BROKEN = {
    "gone": ({}, "ModuleNotFoundError: No module named 'broken_gone'"),
    "import": ({"__init__": "import nowhere"}, "ModuleNotFoundError: No module named 'nowhere'"),
    "settings": (
        {"__init__": "from django.conf import settings\nif settings.DEBUG:\n    pass"},
        "It reads the settings on import, while they are being made. That can be done in ready().",
    ),
    "models": ({"__init__": "", "models": "1 / 0"}, "ZeroDivisionError: division by zero"),
    "hooks": ({"__init__": "", "wagtail_hooks": "raise KeyError('icon')"}, "KeyError: 'icon'"),
    "ready": (
        {"__init__": "", "apps": app_config("broken_ready", "raise OSError('no reader')"), "wagtail_hooks": "1 / 0"},
        "OSError: no reader",
    ),
    "slug_taken": (
        {"__init__": "", "apps": app_config("broken_slug_taken", TAKEN)},
        "AlreadyRegistered: ticketing.fulfilments already has an entry called “issue”.",
    ),
}


def test_plugins_that_do_not_load_are_listed_each_with_its_reason(installation: Installation) -> None:
    """All at once, so that each is also told from the others; the one that loads is not blamed."""
    for name, (files, _reason) in BROKEN.items():
        installation.add(f"broken_{name}", **files)
    installation.add("quiet", __init__="")

    listed = installation.run("manage.py", "plugins")

    told = {part.split(" ")[0]: part for part in re.split(r"^(?=\S)", listed.stdout, flags=re.M) if part}
    assert listed.returncode == 1
    assert sorted(told) == sorted([*(f"broken_{name}" for name in BROKEN), "quiet"]), listed.stdout
    for name, (_files, reason) in BROKEN.items():
        assert f"  does not load: {reason}" in told[f"broken_{name}"]
    assert "does not load" not in told["quiet"]
    assert "Traceback" not in listed.stderr


def test_nothing_opens_with_a_plugin_that_does_not_load(installation: Installation) -> None:
    files, reason = BROKEN["import"]
    installation.add("broken", **files)

    for arguments in (["manage.py", "check"], ["manage.py", "cron"]):
        refused = installation.run(*arguments)
        assert refused.returncode == 1
        assert f"The plugin broken does not load. {reason}" in refused.stderr
    served = installation.run("-c", "import config.wsgi")
    assert served.returncode == 1
    assert "config.plugins.PluginFailed: The plugin broken does not load." in served.stderr


def test_a_plugin_whose_blocks_cannot_be_made_is_listed_too(installation: Installation) -> None:
    hook = "from wagtail import hooks\n\n@hooks.register('register_event_blocks')\ndef blocks():\n    return 1 / 0\n"
    installation.add("broken", __init__="", wagtail_hooks=hook)

    listed = installation.run("manage.py", "plugins")

    assert "  does not load: ZeroDivisionError: division by zero" in listed.stdout
    assert listed.returncode == 1


def test_a_house_whose_plugins_load_opens(installation: Installation) -> None:
    installation.add("specimen", "tests.specimen_plugin")

    assert installation.run("manage.py", "check").returncode == 0
    served = installation.run("-c", "import config.wsgi; print(callable(config.wsgi.application))")
    assert served.stdout.strip() == "True", served.stderr
