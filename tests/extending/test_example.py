"""The sample plugin, installed as a stranger's would be: its own tests pass, a buyer has its price, and the house goes
on when it is gone. The commands are those of its README and of docs/extending.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import TextField
from django.db.models.functions import Cast
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.events import page_cache, tenancy
from apps.events.models import EventPage, OrganisationPage
from apps.ticketing import invariants, queue
from apps.ticketing.models import Adjustment, Order
from tests import factories
from tests.clock import move_clock, reset_clock
from tests.processes import ROOT, environment
from tests.tenancy.world import page_of
from tests.ticketing.test_views import text_of

EXAMPLE = ROOT / "docs/examples/two-for-one-tuesdays"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
DOCS = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCK = {"type": "two_for_one_tuesdays", "value": {"text": "", "most_free": 1}, "id": "b1"}


def commands(text: str) -> list[list[str]]:
    """Every command in the text's shell blocks, as words."""
    return [line.split() for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.strip().splitlines()]


def command(beginning: str) -> list[str]:
    """The one command of the README that begins so, with this environment's programs."""
    (found,) = [words for words in commands(README) if " ".join(words).startswith(beginning)]
    return [
        {"python": sys.executable, "uv": str(Path(sys.executable).with_name("uv"))}.get(found[0], found[0]),
        *found[1:],
    ]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin in it, installed by the README's own command, as it says for where no index is."""
    without_index = ["--no-build-isolation", "--offline"]
    assert f"`{' '.join(without_index)}`" in README
    folder = tmp_path_factory.mktemp("installed")
    done = subprocess.run(
        [*command("uv pip install"), *without_index, "--target", folder, "--python", sys.executable],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def run(target: Path, *arguments: str, seconds: int = 300, **values: str) -> subprocess.CompletedProcess[str]:
    """A command of the README in a house that has the plugin."""
    paths = os.pathsep.join([str(target), str(ROOT / "site"), str(ROOT)])
    return subprocess.run(
        arguments,
        cwd=ROOT,
        env=environment(PYTHONPATH=paths, **values),
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def test_the_package_holds_what_it_needs_and_nothing_else(target: Path) -> None:
    found = {
        str(path.relative_to(target)) for path in target.rglob("*") if path.is_file() and ".dist-info" not in str(path)
    }

    package = {f"two_for_one_tuesdays/{name}.py" for name in ("__init__", "apps", "price", "blocks", "wagtail_hooks")}
    template = {"two_for_one_tuesdays/templates/two_for_one_tuesdays/block.html"}
    assert {name for name in found if name.startswith("two_for_one_tuesdays/")} == package | template
    assert list((EXAMPLE / "src").rglob("*.egg-info")) == []


def test_the_tutorial_shows_the_commands_and_the_code_of_the_example() -> None:
    """docs/extending.md walks through the example: what it quotes is what stands there."""
    told = {" ".join(words) for words in commands(DOCS)}

    assert {" ".join(words) for words in commands(README)} <= told
    quoted = re.findall(r"```(?:python|toml|html)\n(?:# |<!-- )(src/\S+|pyproject.toml)(?: -->)?\n(.*?)```", DOCS, re.S)
    assert len(quoted) >= 4
    for name, part in quoted:
        file = (EXAMPLE / name).read_text(encoding="utf-8")
        assert part.strip() in file, f"{name} reads otherwise"


@pytest.mark.django_db
def test_the_plugins_own_tests_pass(target: Path) -> None:
    own = f"{settings.DATABASES['default']['NAME']}_example"

    done = run(target, *command("python -m pytest"), "-p", "no:cacheprovider", FOYER_TEST_DB=own)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b2\d passed", done.stdout)


CHECK = """
import django; django.setup()
from django.core.management import call_command
call_command("check")
call_command("makemigrations", "--check", "--dry-run")
"""


@pytest.mark.django_db
def test_the_list_of_plugins_names_it(target: Path) -> None:
    done = run(target, *command("python manage.py plugins"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "foyer-two-for-one-tuesdays 1.0.0",
        "  app   two_for_one_tuesdays",
        f"  from  {target / 'two_for_one_tuesdays'}",
        "  ticketing.price_rules: two_for_one_tuesdays",
        "  event blocks: two_for_one_tuesdays",
    ]
    checked = run(target, sys.executable, "-c", CHECK)
    assert (checked.returncode, "No changes detected" in checked.stdout) == (0, True), checked.stdout + checked.stderr


SERVE = """
import django; django.setup()
from apps.ticketing import queue
queue.drain({event})
from django.test import Client
print(Client(headers={{"host": "localhost"}}).get("{page}").content.decode())
"""


@pytest.mark.django_db(transaction=True)
def test_the_house_goes_on_when_the_plugin_is_gone(target: Path, client: Client) -> None:
    """A Tuesday with the plugin, in a process of its own; then without it, here."""
    organisation = tenancy.create_organisation("Kören", slug="koren")
    event = factories.event(
        organisation=organisation, title_en="Concert", starts_at=datetime.now(UTC) + timedelta(days=60)
    )
    kind = factories.ticket_type(event, factories.quota(event, 100), price_minor=25_000)
    root = OrganisationPage.objects.get(pk=organisation.root_page_id)
    page = page_of(event, root, body=[BLOCK, {"type": "text", "value": "<p>Välkommen</p>", "id": "t1"}])
    page_cache.begin_anew()
    now = datetime.now(event.zone)
    move_clock(timedelta(days=(1 - now.weekday()) % 7, hours=12 - now.hour))
    try:
        with_plugin = factories.order(event, factories.wanted(kind, 2))
        served = run(target, sys.executable, "-c", SERVE.format(event=event.pk, page=page.url))
        without = factories.order(event, factories.wanted(kind, 2))
        queue.drain(event.pk)
    finally:
        reset_clock()

    assert "På tisdagar är varannan biljett gratis." in served.stdout, served.stderr
    with_plugin.refresh_from_db()
    without.refresh_from_db()
    assert [(order.state, order.total_minor) for order in (with_plugin, without)] == [
        ("reserved", 25_000),
        ("reserved", 50_000),
    ]
    # What was agreed stands, with its reason in both languages.
    assert [(row.label_sv, row.amount_minor) for row in Adjustment.objects.all()] == [("2 för 1 på tisdagar", -25_000)]
    assert "2 for 1 on Tuesdays" in text_of(client.get(order_address(with_plugin)))
    # The page shows the rest, and keeps the block as it was through a save.
    page_cache.begin_anew()
    told = client.get(page.url).content.decode()
    assert "Välkommen" in told and "varannan biljett" not in told
    kept = EventPage.objects.get(pk=page.pk)
    assert [block.block_type for block in kept.body] == ["missing", "text"]
    kept.save()
    stored = EventPage.objects.annotate(stored=Cast("body", TextField())).get(pk=page.pk).stored
    assert json.loads(stored)[0] == BLOCK
    assert invariants.check() == []


def order_address(order: Order) -> str:
    with override("en"):
        return reverse("ticketing:order", args=[order.reference, order.secret])
