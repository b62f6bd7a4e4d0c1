"""A third theme, installed from a package as a stranger's would be: offered, worn by who chose it and by nobody else.
One that is broken says so, and no visitor sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from config import plugins, theming
from django.conf import LazySettings
from django.core.checks import Warning
from django.template import engines
from django.template.loader import render_to_string
from django.test import Client

from apps.events import tenancy, themes
from apps.events.models import OrganisationPage
from tests.processes import ROOT, environment

EXAMPLE = ROOT / "docs/examples/midsummer-theme"
NUMBER = count(1)  # an address that no test before has filled the cache for
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the theme in it, packed and installed by the README's command, for where no index is."""
    folder = tmp_path_factory.mktemp("installed")
    uv = str(Path(sys.executable).with_name("uv"))
    done = subprocess.run(
        [uv, "pip", "install", "--no-deps", str(EXAMPLE), "--no-build-isolation", "--offline", "--target", folder,
         "--python", sys.executable],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


SHOW = """
import django; django.setup()
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from apps.events.looks import themes
call_command("check")
print(themes(), settings.THEMES["midsummer"].folder, finders.find("themes/midsummer/theme.css") is not None)
"""
# Packages beside it that are no themes: the slug their theme.toml takes (None without a package), and what is said.
BROKEN = {
    "empty": ("", "theme.css is missing or is no text in UTF-8."),
    "taken": ("default", "Another theme is called default already."),
    "gone": (None, "There is no package gone."),
}


def test_a_theme_from_a_package_is_offered_and_broken_ones_are_set_aside(target: Path, tmp_path: Path) -> None:
    for name, (takes, _sentence) in BROKEN.items():
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[foyer.themes]\n{name} = {name}\n")
        if takes is not None:
            (tmp_path / name).mkdir()
            (tmp_path / name / "theme.toml").write_text(f'name = "{takes or name}"\ntitle = {{ sv = "T", en = "T" }}\n')
        if takes:
            shutil.copy(ROOT / "themes" / takes / "theme.css", tmp_path / name)
    paths = os.pathsep.join([str(target), str(tmp_path), str(ROOT / "site"), str(ROOT)])

    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT, env=environment(PYTHONPATH=paths), capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    ours = {slug: theme.title for slug, theme in plugins.themes().items()}
    offered = {**ours, "midsummer": {"sv": "Midsommar", "en": "Midsummer"}}
    assert done.stdout.splitlines()[-1] == f"{offered} {target / 'midsummer'} True"
    told = sorted(line.split(") ")[1] for line in done.stderr.splitlines() if "(foyer.W002)" in line)
    assert told == sorted(
        f"The theme {name} cannot be worn, and whoever chose it wears the default one. {sentence}"
        for name, (_takes, sentence) in BROKEN.items()
    )


@pytest.fixture
def worn(settings: LazySettings, target: Path, tmp_path: Path) -> Iterator[Path]:
    """The installed theme, a copy that may be broken, among the house's for the length of a test."""
    folder = Path(shutil.copytree(target / "midsummer", tmp_path / "midsummer"))
    settings.THEMES = {**settings.THEMES, "midsummer": themes.read(folder)}
    engines["django"]._dressed.pop("midsummer", None)  # type: ignore[attr-defined]
    yield folder
    engines["django"]._dressed.pop("midsummer", None)  # type: ignore[attr-defined]


def page(**values: str) -> str:
    """The page of a new organisation, as it is sent."""
    organisation = tenancy.create_organisation(f"Sällskapet {next(NUMBER)}", **values)
    found = OrganisationPage.objects.filter(organisation=organisation)[0]
    return Client().get(found.url).content.decode()


def test_its_template_shows_for_who_chose_it_and_for_nobody_else(worn: Path) -> None:
    their_page, our_page = page(theme="midsummer", accent_colour="#0B3D91"), page()

    assert 'data-theme="midsummer"' in their_page and 'class="wreath"' in their_page
    assert "/static/themes/midsummer/theme.css" in their_page and "/accents/0b3d91-midsummer.css" in their_page
    assert "wreath" not in our_page and "midsummer" not in our_page
    accent = Client().get("/accents/0b3d91-midsummer.css").content.decode()
    assert ':root[data-theme="midsummer"][data-mode="dark"] { --color-accent:' in accent


@pytest.mark.parametrize("fault", ["{% nonsense %}", '{% include "nowhere.html" %}', "{% url 'no' %}"])
def test_visitors_get_our_template_for_one_that_fails(worn: Path, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    (worn / "templates/components/site_footer.html").write_text("wreath" + fault, encoding="utf-8")

    shown = page(theme="midsummer")

    assert 'data-theme="midsummer"' in shown and "wreath" not in shown and 'class="site-footer"' in shown
    assert "the theme midsummer cannot show events/organisation_page.html" in caplog.text


def test_a_template_that_cannot_be_read_is_a_warning(worn: Path) -> None:
    (worn / "templates/components/site_footer.html").write_text("{% nonsense %}", encoding="utf-8")

    (warning,) = plugins.check_themes(None)

    assert isinstance(warning, Warning) and warning.id == "foyer.W002"
    assert warning.msg.startswith(
        "The theme midsummer is worn with our template in place of one of its own. Its components/site_footer.html"
        " cannot be read: Invalid block tag"
    )
    assert list(theming.template_problems()) == ["midsummer"]


def test_who_chose_a_theme_that_is_gone_wears_the_default() -> None:
    assert 'data-theme="default"' in page(theme="gone")


def test_what_names_no_organisation_is_ours(worn: Path) -> None:
    assert "wreath" not in render_to_string("components/site_footer.html", {})
    assert "wreath" in render_to_string("components/site_footer.html", {"theme": "midsummer"})
