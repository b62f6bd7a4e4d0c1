"""Fixtures every test shares."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from config import policies
from django.conf import settings
from django.core.signals import setting_changed
from django.test import Client
from django.utils import translation
from playwright.sync_api import Browser

from apps.discounts import facts as discount_facts
from apps.events import legal, looks
from apps.resale import market
from apps.ticketing import (
    alike,
    blank_forms,
    catalogue,
    credentials,
    event_face,
    invariants,
    kept_rows,
    queue,
    sale_control,
    standing,
)
from apps.ticketing.payments import manual
from tests import browsers, emptying, fake_stripe, second_steps
from tests.guard import no_network_in_transactions  # noqa: F401 - guards every test

TESTS = Path(__file__).parent
# What a process keeps for a moment, to show it to thousands.
SHOWN = (
    legal.shown, standing.shown, sale_control.shown, looks.kept_links, manual.account_of, queue.line,
    market.kept_events, market.kept_counts, market.kept_posters, market.kept_generation,
    market.kept_currencies,
)  # fmt: skip
# Folders and files whose tests start a house, a browser or a crowd, or wait for something. Begun first, they leave no
# process with a slow file at the end, while the others have nothing left to do.
SLOW = (
    *("journeys/", "concurrency/", "embedded/", "extending/", "browser/", "faults/", "tenancy/", "look/"),
    *("ticketing/test_documents", "ticketing/test_live", "ticketing/test_views_without_redis", "ticketing/test_mails"),
    *("ticketing/test_doctor", "ticketing/test_caching", "ticketing/test_worker", "ticketing/test_cron"),
    "ticketing/test_money_machine",
)
# How long an example takes to be drawn or tried tells of the machine, not of us.
hypothesis.settings.register_profile("foyer", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("foyer")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not walk over Django and 3,000 tests again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_configure() -> None:
    emptying.replace_flush()
    setting_changed.connect(_forget_policies, dispatch_uid="policies")


def _forget_policies(setting: str, **_: Any) -> None:
    """Headers are put together once; a test that gives its pages another policy sees that one."""
    if setting in ("CONTENT_SECURITY_POLICY", "STRIPE_API_BASE", "STRIPE_JS_URL", "STRIPE_CONNECT"):
        policies.header_of.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow first, in the order of `SLOW`; otherwise the order stays. Every process of a run sorts alike."""

    def rank(item: pytest.Item) -> int:
        name = str(item.path.relative_to(TESTS))
        return next((number for number, slow in enumerate(SLOW) if name.startswith(slow)), len(SLOW))

    items.sort(key=rank)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The browser stays for the next module if that begins with a test that uses it."""
    if nextitem is None or (nextitem.path != item.path and "kept_browser" not in getattr(nextitem, "fixturenames", ())):
        browsers.close()


@pytest.fixture(scope="module")
def kept_browser() -> Browser:
    return browsers.kept()


@pytest.fixture(autouse=True)
def fresh_catalogue() -> Iterator[None]:
    """No test sees the catalogue another one left in memory, nor its discounts, nor what held for its sale."""
    sale_control.forget()
    discount_facts.forget()
    yield
    sale_control.forget()
    discount_facts.forget()


@pytest.fixture(autouse=True)
def fresh_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests sell and look again at once: no form is shown twice and no row is kept, though each is made to be."""
    alike.forget()
    for module in (blank_forms, discount_facts):
        monkeypatch.setattr(module, "KEPT_SECONDS", 0.0)
    for kept in (*kept_rows.ALL, *(kept for kept in SHOWN if kept is not sale_control.shown)):
        monkeypatch.setattr(kept, "seconds", 0.0)


@pytest.fixture
def kept_for_long(monkeypatch: pytest.MonkeyPatch, fresh_forms: None) -> None:
    """What a process keeps for a second stays until it is forgotten: queries counted are the same where the machine
    stands still between two pages."""
    for kept in (*kept_rows.ALL, *SHOWN):
        kept.forget()
        monkeypatch.setattr(kept, "seconds", 60.0)
    for module in (blank_forms, catalogue, discount_facts):
        monkeypatch.setattr(module, "KEPT_SECONDS", 60.0)
    monkeypatch.setattr(event_face, "LOOKED_AT_SECONDS", 60.0)


@pytest.fixture(autouse=True)
def treasurers_with_a_second_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who signs in to move money has shown their second step."""
    monkeypatch.setattr(Client, "force_login", second_steps.sign_in)


@pytest.fixture(autouse=True)
def fresh_keys() -> None:
    """No test signs with a key that went away with another one's database."""
    credentials.forget_keys()


@pytest.fixture(autouse=True)
def site_language() -> None:
    """No test speaks the language that another one's last request left active in the thread."""
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture
def promises_kept(db: None) -> Iterator[None]:
    """Checks every invariant when the test is over."""
    yield
    assert invariants.check() == []


@pytest.fixture(scope="session")
def stripe_process() -> Iterator[fake_stripe.Fake]:
    """The fake Stripe, one process for each of the run's; started when a test first asks for it."""
    with fake_stripe.serving() as fake:
        yield fake


@pytest.fixture
def stripe_service(stripe_process: fake_stripe.Fake) -> fake_stripe.Fake:
    """The fake Stripe as on its first day: see `tests.fake_stripe` for what it does and how it is told to fail."""
    stripe_process.empty()
    return stripe_process
