"""The shape of the house: where code is found, and where settings are read."""

from __future__ import annotations

import ast
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.architecture.source import APPS, ROOT, python_files, tree


def test_site_folder_is_no_package() -> None:
    """`site` is a module of the standard library; a package of that name beside it breaks type checkers and Pythons."""
    assert not (ROOT / "site" / "__init__.py").exists()


@pytest.mark.parametrize("arguments", [[], ["-S"]], ids=["usual", "without site"])
def test_import_site_is_the_standard_library_s(arguments: list[str]) -> None:
    asked = [sys.executable, *arguments, "-c", "import site; print(site.__file__)"]

    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)

    expected = sysconfig.get_paths()["stdlib"]
    assert answer.stdout.strip().startswith(expected)
    assert (site.__file__ or "").startswith(expected)


def test_five_apps_and_accounts_are_installed() -> None:
    from django.apps import apps

    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}

    assert ours == set(APPS)


@pytest.mark.parametrize("app", APPS)
def test_app_says_what_belongs_in_it(app: str) -> None:
    assert ast.get_docstring(tree(Path("apps") / app / "__init__.py"))


def test_settings_are_one_file() -> None:
    named = [str(path) for path in python_files("apps", "site") if "settings" in path.name or "settings" in path.parts]

    assert named == ["site/config/settings.py"]


READS_THE_ENVIRONMENT = {"apps/ticketing/crashpoints.py"}  # a test tells one process where to die


def test_apps_read_no_environment() -> None:
    """What differs between machines goes through the settings."""
    found = [
        f"{path}:{node.lineno}"
        for path in python_files("apps")
        if str(path) not in READS_THE_ENVIRONMENT
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]

    assert found == []
