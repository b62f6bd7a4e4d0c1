"""What the oldest browsers we promise lack, out of MDN's published browser-compat-data, for tests/look/test_oldest.py.

    npm install --prefix /tmp/bcd @mdn/browser-compat-data
    python tests/look/oldest.py /tmp/bcd/node_modules/@mdn/browser-compat-data/data.json

writes oldest.json beside this file: only what is missing, by name, with the browsers that miss it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OLDEST = {"safari_ios": ("iOS 15", "15"), "chrome": ("Chrome 90", "90")}
KEPT = Path(__file__).with_name("oldest.json")
WORD = re.compile(r"[a-z][a-z-]*")


def lacks(feature: dict[str, Any]) -> str:
    """The browsers that lack a feature, in words; empty when both have it, or when the data says nothing."""
    support = feature.get("__compat", {}).get("support", {})
    return " and ".join(name for key, (name, version) in OLDEST.items() if _is_missing(support.get(key), version))


def _is_missing(entries: Any, version: str) -> bool:
    if entries is None:
        return False
    entries = entries if isinstance(entries, list) else [entries]
    return not any(_holds(entry, version) for entry in entries)


def _holds(entry: dict[str, Any], version: str) -> bool:
    added, removed = entry.get("version_added"), entry.get("version_removed")
    if "flags" in entry or "prefix" in entry or "alternative_name" in entry or not added:
        return False
    return _number(added) <= _number(version) and (not removed or _number(removed) > _number(version))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)) or (999,)


def features(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, node) for name, node in tree.items() if name != "__compat")


def missing(data: dict[str, Any]) -> dict[str, dict[str, str]]:
    """{kind: {name: who lacks it}}."""
    css, builtins, api = data["css"], data["javascript"]["builtins"], data["api"]
    found: dict[str, dict[str, str]] = {
        "properties": {name: lacks(node) for name, node in features(css["properties"])},
        "values": {
            f"{name}: {value}": lacks(node)
            for name, tree in features(css["properties"])
            for value, node in features(tree)
            if WORD.fullmatch(value)
        },
        "selectors": {name: lacks(node) for name, node in features(css["selectors"])},
        "at-rules": {name: lacks(node) for name, node in features(css["at-rules"])},
        "media": {name: lacks(node) for name, node in features(css["at-rules"]["media"])},
        "functions": {
            name: lacks(node)
            for tree in (css["types"], css["types"]["color"], css["types"]["image"], css["types"]["gradient"])
            for name, node in features(tree)
        },
        "units": {"dvb, svb, lvb and such": lacks(css["types"]["length"]["viewport_percentage_units_dynamic"])},
        "syntax": {
            name: lacks(node)
            for part in ("classes", "operators", "regular_expressions", "statements")
            for name, node in features(data["javascript"][part])
        },
        "interfaces": {name: lacks(node) for tree in (builtins, api) for name, node in features(tree)},
    }
    found["interfaces"] = {name: who for name, who in found["interfaces"].items() if name[0].isupper()}
    members: dict[str, list[str]] = {}
    for tree in (builtins, api):
        for interface, node in features(tree):
            for member, one in features(node):
                if member.endswith("_static"):
                    found.setdefault("statics", {})[f"{interface}.{member.removesuffix('_static')}"] = lacks(one)
                elif re.fullmatch(r"[a-z]\w+", member) and "_" not in member:
                    members.setdefault(member, []).append(lacks(one))
    # A name that any interface has already may be that one's.
    found["members"] = {name: who[0] for name, who in members.items() if all(who)}
    found["globals"] = {
        name: lacks(node)
        for tree in (builtins, api, api["Window"])
        for name, node in features(tree)
        if re.fullmatch(r"[a-z]\w+", name) and "_" not in name
    }
    return {kind: {name: who for name, who in sorted(names.items()) if who} for kind, names in found.items()}


def kept() -> dict[str, dict[str, str]]:
    """What `missing` found, as it was written down."""
    facts = json.loads(KEPT.read_text(encoding="utf-8"))["missing"]
    return {
        kind: {name: who for who, names in by_browser.items() for name in names.split("|")}
        for kind, by_browser in facts.items()
    }


if __name__ == "__main__":
    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    by_browser: dict[str, dict[str, str]] = {}
    for kind, names in missing(data).items():
        for who in sorted(set(names.values())):
            by_browser.setdefault(kind, {})[who] = "|".join(name for name in names if names[name] == who)
    facts = {
        "source": f"@mdn/browser-compat-data {data['__meta']['version']}, CC0-1.0, by the MDN contributors",
        "missing": by_browser,
    }
    KEPT.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
