"""Static files are sent without our comments, and still mean the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config.statics import LeanFinder, lean
from django.conf import LazySettings


@pytest.mark.parametrize(
    ("name", "text", "sent"),
    [
        ("a.js", "// why\nconst a = 1; // stays\n\n  // and this\n  run(`x`);\n", "const a = 1; // stays\nrun(`x`);\n"),
        ("a.js", "const text = `\n  // no comment\n`;\n", "const text = `\n  // no comment\n`;\n"),
        ("a.js", 'const url = "https://foyer.example";\n', 'const url = "https://foyer.example";\n'),
        ("a.css", "/* .a: two\n   lines */\n.a {\n  color: red; /* why */\n}\n", ".a {\ncolor: red; \n}\n"),
        ("a.svg", "<svg>\n  <!-- kept -->\n</svg>", "<svg>\n  <!-- kept -->\n</svg>"),
    ],
)
def test_what_is_sent(name: str, text: str, sent: str) -> None:
    assert lean(name, text) == sent


@pytest.fixture
def finder(tmp_path: Path, settings: LazySettings) -> LeanFinder:
    """Finds files of ours in `tmp_path`/source."""
    source = tmp_path / "source"
    for name, text in {
        "foyer/css/site.css": '/* all */\n@import "a.css";\n@import "print.css" print;\n',
        "foyer/css/a.css": "/* why */\n.a {\n  color: red;\n}\n",
        "foyer/css/print.css": ".a {\n  color: black;\n}\n",
        "foyer/js/a.js": "// why\nrun();\n",
        "wagtailadmin/js/a.js": "// why\nrun();\n",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    settings.STATICFILES_DIRS = [source]
    settings.VAR = tmp_path / "var"
    return LeanFinder()


def test_finder_gives_a_style_whole_and_a_script_lean(finder: LeanFinder) -> None:
    style, script = finder.find("foyer/css/site.css"), finder.find("foyer/js/a.js")

    assert Path(style).read_text() == ".a {\ncolor: red;\n}\n@media print {\n.a {\ncolor: black;\n}\n}\n"
    assert Path(script).read_text() == "run();\n"


def test_finder_leaves_the_files_of_others_to_others(finder: LeanFinder) -> None:
    assert finder.find("wagtailadmin/js/a.js") == []
    assert finder.find("foyer/css/nothing.css") == finder.find("foyer/css/nothing.css", find_all=True) == []
    assert finder.find("foyer/js/a.js", find_all=True) == [finder.find("foyer/js/a.js")]


def test_finder_makes_a_style_anew_when_a_part_has_changed(finder: LeanFinder, tmp_path: Path) -> None:
    part = tmp_path / "source/foyer/css/a.css"
    finder.find("foyer/css/site.css")

    part.write_text(".a {\n  color: blue;\n}\n")
    os.utime(part, ns=(1, part.stat().st_mtime_ns + 1))

    assert "color: blue" in Path(finder.find("foyer/css/site.css")).read_text()
    assert [file for file in (tmp_path / "var").rglob("*") if file.is_file() and file.suffix != ".css"] == []


def test_what_is_collected_and_listed_is_what_is_found(finder: LeanFinder) -> None:
    listed = {name: storage.path(name) for name, storage in finder.list([])}

    assert listed["foyer/css/site.css"] == finder.find("foyer/css/site.css")
    assert listed["ticketing/ticket-form.css"] == finder.find("ticketing/ticket-form.css")
    assert "wagtailadmin/js/a.js" not in listed
