"""Swedish and English throughout: every string has its Swedish, and no visible text escapes translation."""

from __future__ import annotations

import ast
import gettext
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

from tests.architecture import po
from tests.architecture.source import ROOT, python_files, tree

# Names, samples of a code, and the languages' own names: the same in every language.
SAME_IN_ALL = {"Foyer", "Svenska", "English", "K7M 9QA"}
SHOWN_ATTRIBUTES = re.compile(r"\b(?:aria-label|alt|title|placeholder|data-[a-z-]*text)\s*=\s*\"([^\"]*)\"")
WORD = re.compile(r"[^\W\d_]{2,}")
NAMED_FOR_PEOPLE = {"label", "help_text", "verbose_name", "verbose_name_plural", "heading"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return po.collect(tmp_path_factory.mktemp("strings"))


def _msgcmp(catalogue: Path, template: Path) -> str:
    compared = subprocess.run(["msgcmp", str(catalogue), str(template)], capture_output=True, text=True, timeout=60)
    return compared.stderr if compared.returncode else ""


def test_every_string_has_its_swedish(template: Path) -> None:
    """A missing or doubtful ("fuzzy") translation is named with its English."""
    assert _msgcmp(po.CATALOGUE, template) == ""


def test_a_string_without_swedish_would_be_noticed(template: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown.pot"
    grown.write_text(template.read_text(encoding="utf-8") + '\nmsgid "Nobody translated this."\nmsgstr ""\n', "utf-8")

    assert "Nobody translated this." in grown.read_text(encoding="utf-8")
    assert _msgcmp(po.CATALOGUE, grown) != ""


def test_strings_of_every_app_are_collected(template: Path) -> None:
    text = template.read_text(encoding="utf-8")

    for known in ("Where do you stand tonight?", "Sold out. No money was taken.", "My pages"):
        assert known in text


def test_catalogue_is_sound_and_compiled(tmp_path: Path) -> None:
    """Placeholders agree, nothing is fuzzy, and the compiled file that ships says what the readable one says."""
    po.require_gettext()
    compiled = tmp_path / "django.mo"
    made = subprocess.run(
        ["msgfmt", "--check", "-o", str(compiled), str(po.CATALOGUE)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (made.returncode, made.stderr) == (0, "")
    assert "#, fuzzy" not in po.CATALOGUE.read_text(encoding="utf-8")
    assert _catalog(compiled) == _catalog(po.CATALOGUE.with_suffix(".mo"))


def _catalog(path: Path) -> dict[object, str]:
    with path.open("rb") as file:
        return dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]


def visible_text(source: str) -> Iterator[str]:
    """Words a reader would see in a template that no translation tag surrounds."""
    kept = []
    inside = ""
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            name = token.contents.split()[0]
            if name in ("blocktranslate", "blocktrans", "comment", "verbatim"):
                inside = name
            elif name.startswith("end") and name[3:] == inside:
                inside = ""
            kept.append("\x01")
        elif token.token_type == TokenType.TEXT and not inside:
            kept.append(token.contents)
        else:
            kept.append("\x01")
    html = "".join(kept)
    html = re.sub(r"(?s)<!--.*?-->|<(script|style|svg)\b.*?</\1>", " ", html)
    shown = SHOWN_ATTRIBUTES.findall(html) + re.sub(r"(?s)<[^>]*>", "\x02", html).split("\x02")
    for piece in shown:
        text = " ".join(piece.replace("\x01", " ").replace("&nbsp;", " ").split())
        text = re.sub(r"&#?\w+;", "", text)
        if text not in SAME_IN_ALL and WORD.search(text):
            yield text


def _templates() -> list[Path]:
    roots = [ROOT / "apps", ROOT / "site" / "templates", ROOT / "themes"]
    found = [path for root in roots for path in root.rglob("*.html") if "styleguide" not in path.parts]
    found += [path for root in roots for path in root.rglob("templates/**/*.txt")]
    return sorted(path.relative_to(ROOT) for path in found)


@pytest.mark.parametrize("path", _templates(), ids=str)
def test_template_shows_no_untranslated_text(path: Path) -> None:
    assert list(visible_text((ROOT / path).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    ["<p>Buy a ticket</p>", '<img alt="A door">', '<a aria-label="Close">×</a>', "{% if x %}Hello{% endif %}"],
)
def test_scan_notices_visible_text(source: str) -> None:
    assert list(visible_text(source))


@pytest.mark.parametrize(
    "source",
    [
        '{% load i18n %}<p class="lead">{% translate "Buy" %}</p>',
        "{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}",
        "<p>{{ amount }} · 18:00 – 20:00 &nbsp;×</p>",
        "{# why #}{% comment %}Words{% endcomment %}<svg><title>x y</title></svg>",
        '<span lang="en">English</span>',
    ],
)
def test_scan_lets_translated_text_pass(source: str) -> None:
    assert list(visible_text(source)) == []


def bare_labels(module: ast.Module) -> Iterator[int]:
    """Lines on which a label for people is a plain string instead of a translated one."""
    for node in ast.walk(module):
        pairs: list[tuple[str | None, ast.expr]] = []
        if isinstance(node, ast.Call):
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            pairs = [(node.targets[0].id, node.value)]
        for name, value in pairs:
            is_words = isinstance(value, ast.Constant) and isinstance(value.value, str) and WORD.search(value.value)
            if name in NAMED_FOR_PEOPLE and is_words:
                yield value.lineno


def test_labels_in_code_are_translated() -> None:
    found = [
        f"{path}:{line}"
        for path in python_files("apps")
        if "migrations" not in path.parts and "management" not in path.parts and path.name != "apps.py"
        for line in bare_labels(tree(path))
    ]

    assert found == []


def test_rule_notices_a_bare_label() -> None:
    assert list(bare_labels(ast.parse("field = CharField(label='Name')")))
    assert list(bare_labels(ast.parse("class Meta:\n    verbose_name = 'ticket'")))
    assert not list(bare_labels(ast.parse("field = CharField(label=_('Name'))")))
