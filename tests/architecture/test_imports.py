"""Who may import whom (DESIGN 1), read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from django.apps import apps

from apps.accounts.privacy import fields
from tests.architecture.source import APPS, imported, package_of, python_files, tree

BELOW = {
    "accounts": set(),
    "events": {"accounts"},
    "ticketing": {"accounts", "events"},
    "discounts": {"accounts", "events", "ticketing"},
    "resale": {"accounts", "events", "ticketing"},
    "checkin": {"accounts", "events", "ticketing"},
}
# What plugins, ours or a stranger's, use of ticketing. The rest is private.
PUBLIC = fields(
    "answers extensions signals money states transitions context clock reasons models pricing tickets credentials"
    " refunds ordering reservations outbox ledger mails documents live requoting giving gift_terms holders changes"
    " guest_tickets"
    # What is on sale and to whom, whether it is paused, and the lists that are served when nothing is left.
    " catalogue sale lists tokens second_hand sale_control sale_notice"
    # Of pages beside an order's, and of verbs that meet others at the same rows.
    " visitors event_face price_field way_back retries crashpoints guards"
)
PLUGINS = ("discounts", "resale", "checkin")


def trespasses(app: str, module: ast.Module, package: str) -> Iterator[str]:
    """Each import that `app` may not make, as `line: name`."""
    for line, name in imported(module, package):
        parts = name.split(".")
        if parts[0] in ("config", "embedded", "tests"):
            yield f"{line}: {name} is above every app"
        if parts[0] != "apps" or len(parts) < 2 or parts[1] == app:
            continue
        if parts[1] not in BELOW[app]:
            yield f"{line}: {name} is beside or above {app}"
        elif parts[1] == "ticketing" and app in PLUGINS and (len(parts) < 3 or parts[2] not in PUBLIC):
            yield f"{line}: {name} is private to ticketing"


@pytest.mark.parametrize("app", APPS)
def test_app_imports_only_what_is_below_it(app: str) -> None:
    found = [
        f"{path}:{trespass}"
        for path in python_files(f"apps/{app}")
        for trespass in trespasses(app, tree(path), package_of(path))
    ]

    assert found == []


@pytest.mark.parametrize("app", APPS)
def test_model_relates_only_to_what_is_below_it(app: str) -> None:
    ours = set(APPS) - BELOW[app] - {app}
    found = [
        f"{field.model.__name__}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and field.related_model._meta.app_label in ours
    ]

    assert found == []


def test_specimen_plugin_uses_only_what_is_public() -> None:
    found = [
        f"{path}:{line}: {name}"
        for path in python_files("tests/specimen_plugin")
        for line, name in imported(tree(path), package_of(path))
        if name.startswith("apps.ticketing.")
        and name.split(".")[2] not in PUBLIC
        or name.startswith(("config", "embedded"))
        or name.startswith("tests.")
        and not name.startswith("tests.specimen_plugin")
    ]

    assert found == []
    assert python_files("tests/specimen_plugin")


@pytest.mark.parametrize(
    ("app", "line"),
    [
        ("accounts", "from apps.events.models import Event"),
        ("events", "import apps.ticketing.models"),
        ("checkin", "from apps.resale import listings"),
        ("checkin", "from apps.ticketing import queue"),
        ("checkin", "from apps.ticketing.queue import drain"),
        ("checkin", "from ..ticketing import queue"),
        ("ticketing", "def late():\n    from apps.discounts.rules import rule"),
        ("ticketing", "from config import settings"),
    ],
)
def test_rule_notices_a_trespass(app: str, line: str) -> None:
    assert list(trespasses(app, ast.parse(line), f"apps.{app}"))


@pytest.mark.parametrize(
    ("app", "line"),
    [
        ("checkin", "from apps.ticketing import clock, tickets"),
        ("checkin", "from apps.ticketing.models import Ticket"),
        ("checkin", "from .models import Scan"),
        ("events", "from apps.accounts.ids import new_secret"),
    ],
)
def test_rule_allows_what_is_allowed(app: str, line: str) -> None:
    assert list(trespasses(app, ast.parse(line), f"apps.{app}")) == []
