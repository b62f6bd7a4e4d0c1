"""docs/extending.md lists every extension point, and every point is used by somebody."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source import ROOT, python_files, tree
from tests.architecture.test_imports import PUBLIC

DOCS = (ROOT / "docs/extending.md").read_text(encoding="utf-8")


def registries() -> dict[str, str]:
    """{documented name: variable} of every `Registry("name")` in our apps."""
    found = {}
    for path in python_files("apps"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Registry":
                name = node.args[0].value  # type: ignore[attr-defined]
                found[name] = name.rsplit(".", 1)[1]
    return found


def sent_signals() -> set[str]:
    """Names of the signals defined in ticketing.signals."""
    module = tree((ROOT / "apps/ticketing/signals.py").relative_to(ROOT))
    return {node.targets[0].id for node in module.body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]


def contracts() -> dict[str, str]:
    """{"Contract.method": method} of what an answer must bring, in every app's `extensions`."""
    found: dict[str, str] = {}
    for path in python_files("apps"):
        if path.name == "extensions.py":
            for contract in (node for node in tree(path).body if isinstance(node, ast.ClassDef)):
                if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in contract.bases):
                    methods = (node.name for node in contract.body if isinstance(node, ast.FunctionDef))
                    found |= {f"{contract.name}.{method}": method for method in methods}
    return found


def uses() -> tuple[set[str], set[str], set[str]]:
    """In our apps: attributes that are read or called, what is sent, and the signals of the state machine's tables."""
    read, sent, given = set(), set(), set()
    for path in python_files("apps"):
        if path.name == "extensions.py":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute):
                read.add(node.attr)
                if node.attr in ("send", "send_robust"):
                    sent.add(ast.unparse(node.value).removeprefix("signals."))
                if path.name == "transitions.py" and ast.unparse(node.value) == "signals":
                    given.add(node.attr)
    return read, sent, given


READ, SENT, GIVEN = uses()
# Contracts' methods that nobody in apps/ calls, and why they stay.
NOT_CALLED_YET: dict[str, str] = {}


def source_without(name: str) -> str:
    """All source of apps, project and specimen, but for the file that defines `name`."""
    files = python_files("apps", "site/config", "tests/specimen_plugin")
    return "\n".join((ROOT / path).read_text(encoding="utf-8") for path in files if path.name != name)


def test_every_module_that_plugins_may_use_is_named() -> None:
    (paragraph,) = re.findall(r"^A plugin uses `apps\.ticketing`'s (.+?)\n\n", DOCS, re.DOTALL | re.MULTILINE)

    assert set(" ".join(re.findall(r"`(.+?)`", paragraph, re.DOTALL)).split()) == PUBLIC


def test_there_are_registries_to_document() -> None:
    assert len(registries()) >= 9


@pytest.mark.parametrize("name", sorted(registries()))
def test_registry_is_documented(name: str) -> None:
    row = next((line for line in DOCS.splitlines() if line.startswith(f"| `{name}` |")), "")

    assert row, f"docs/extending.md has no row for {name}"
    assert "not called" in row.lower(), f"{name}: say when it is NOT called"


@pytest.mark.parametrize(("name", "variable"), sorted(registries().items()))
def test_registry_is_answered_and_asked(name: str, variable: str) -> None:
    source = source_without("extensions.py")

    answers = re.search(rf"\b{variable}\.register\(", source)
    asks = re.search(rf"\bin {variable}\b|\b{variable}\.get\(", source)
    assert answers, f"nobody registers in {name}"
    assert asks, f"nobody asks {name}"


def test_documented_registries_exist() -> None:
    documented = set(re.findall(r"^\| `((?:accounts|events|ticketing|checkin|discounts)\.[\w.]+)` \|", DOCS, re.M))

    assert documented == set(registries())


@pytest.mark.parametrize("signal", sorted(sent_signals()))
def test_signal_is_documented_and_sent(signal: str) -> None:
    assert re.search(rf"^\| `{signal}` \|", DOCS, re.M)
    assert signal in SENT or (signal in GIVEN and "signal" in SENT), f"nobody sends {signal}"


@pytest.mark.parametrize(("name", "method"), sorted(contracts().items()))
def test_contracts_method_is_called(name: str, method: str) -> None:
    assert (method in READ) != (name in NOT_CALLED_YET), f"{name}: call it, or say in NOT_CALLED_YET why it waits"


def test_contracts_are_found() -> None:
    assert {"PriceRule.reprice", "Fulfilment.fulfil", "PersonalData.erase"} <= contracts().keys()


@pytest.mark.parametrize("word", ["foyer.plugins", "foyer.themes", "register_event_blocks", "register_states"])
def test_other_points_are_documented_and_used(word: str) -> None:
    assert word in DOCS
    assert len(re.findall(re.escape(word), source_without(""))) >= 1
