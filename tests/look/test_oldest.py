"""What our styles and scripts use that Safari on iOS 15 or Chrome 90 lack is written down in docs/browsers.md, each
with what happens there instead. Read from the files and from published data; these browsers are not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.look.oldest import kept

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "events", "ticketing", "checkin")
PUBLIC = [
    file
    for folder in ("site/static/foyer", "themes", *(f"apps/{app}/static" for app in APPS))
    for file in sorted((ROOT / folder).rglob("*"))
    if file.suffix in (".css", ".js") and not {"admin", "vendor"} & set(file.parts)
]
CSS = {file.name: file.read_text(encoding="utf-8") for file in PUBLIC if file.suffix == ".css"}
JS = {file.name: file.read_text(encoding="utf-8") for file in PUBLIC if file.suffix == ".js"}
MISSING = kept()
# Names that a script of ours gave to something of its own, or that the style of an element has had for long.
OURS = {
    ".bytes", ".camera", ".element", ".escape", ".first", ".fontFamily", ".format", ".image", ".info", ".isError",
    ".isValid", ".locale", ".lost", ".minInlineSize", ".query", ".scan",
}  # fmt: skip
SYNTAX = {
    "nullish_coalescing_assignment": r"\?\?=",
    "logical_or_assignment": r"\|\|=",
    "logical_and_assignment": r"&&=",
    "lookbehind_assertion": r"\(\?<[=!]",
    "private_class_fields": r"this\.#",
    "private_class_methods": r"^\s+#\w+\(",
    "public_class_fields": r"^  \w+ = ",
    "top_level": r"^await ",
    "optional_chaining": r"\?\.",
}


def used_css(css: str) -> set[str]:
    """The names in a style that the oldest browsers lack."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found = set()
    for name, value in re.findall(r"([a-z-]+)\s*:\s*([^;{}]+);", css):
        if name in MISSING["properties"]:
            found.add(name)
            continue
        found |= {f"{name}: {word}" for word in re.findall(r"[a-z][a-z-]+", value)} & MISSING["values"].keys()
    for selector in re.findall(r"([^{};]+){", css):
        found |= {f":{name}" for name in re.findall(r":([a-z-]+)", selector) if name in MISSING["selectors"]}
        if "&" in selector:
            found.add("nesting")
    found |= {f"@{name}" for name in re.findall(r"@([a-z-]+)", css) if name in MISSING["at-rules"]}
    found |= {f"({name})" for name in re.findall(r"@media[^{]*?\(([a-z-]+)", css) if name in MISSING["media"]}
    found |= {f"{name}()" for name in re.findall(r"([a-z-]+)\(", css) if name in MISSING["functions"]}
    if MISSING["units"]:
        found |= {unit for unit in re.findall(r"\d([dsl]v(?:[hwbi]|min|max))\b", css)}
    return found


def used_js(script: str) -> set[str]:
    """The names in a script that the oldest browsers lack."""
    script = re.sub(r"^\s*//.*$|\s//\s.*$", "", script, flags=re.MULTILINE)
    script = script.replace("lost.at ", "")  # a moment, and no list
    found = {f".{name}" for name in re.findall(r"\.(\w+)\b", script) if name in MISSING["members"]} - OURS
    found |= {name for name in re.findall(r"\b([A-Z]\w+\.\w+)\b", script) if name in MISSING["statics"]}
    found |= {name for name in re.findall(r"\b([A-Z]\w+)\b", script) if name in MISSING["interfaces"]}
    found |= {name for name in re.findall(r"(?<![.\w])([a-z]\w+)\(", script) if name in MISSING["globals"]}
    return found | {
        name for name, sign in SYNTAX.items() if name in MISSING["syntax"] and re.search(sign, script, re.MULTILINE)
    }


def test_what_the_oldest_browsers_lack_is_written_down() -> None:
    docs = (ROOT / "docs/browsers.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([^`]+)` \|", docs, re.MULTILINE))

    used = {name: file for file, css in CSS.items() for name in used_css(css)}
    used |= {name: file for file, script in JS.items() for name in used_js(script)}

    assert {name: used.get(name, "no longer used") for name in set(used) ^ told} == {}


@pytest.mark.parametrize(
    ("css", "found"),
    [
        (".a:has(b) { color: red; }", {":has"}),
        (".a { min-block-size: 100vh; min-block-size: 100dvh; }", {"dvh"}),
        (".a { text-wrap-style: balance; inset: 0; }", {"text-wrap-style"}),
        ("@container (width > 3rem) { .a { color: red; } }", {"@container"}),
        (".a { color: color-mix(in oklch, red, blue); }", {"color-mix()"}),
        (".a { & b { color: red; } }", {"nesting"}),
        (".a:focus-visible { gap: 1px; aspect-ratio: 1; inline-size: clamp(1px, 2vw, 3px); }", {":focus-visible"}),
        (".a { color: red; margin-inline: 0; display: grid; }", set()),
    ],
)
def test_a_style_that_they_lack_is_noticed(css: str, found: set[str]) -> None:
    assert used_css(css) == found


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("fetch(url, {signal: AbortSignal.timeout(9)});", {"AbortSignal.timeout"}),
        ("const last = list.at(-1); list.lost = 1;", {".at"}),
        ("const copy = structuredClone(one);", {"structuredClone"}),
        ("dialog.showModal();", {".showModal"}),
        ("const n = text.match(/(?<=a)b/);", {"lookbehind_assertion"}),
        ("const name = one?.two ?? 3; list.flatMap((x) => x); // .at(", set()),
    ],
)
def test_a_script_that_they_lack_is_noticed(script: str, found: set[str]) -> None:
    assert used_js(script) == found
