"""Lighthouse on the pages that count, as a phone on a slow network sees them; median of five visits each.

Lighthouse is fetched by npm into `var/` when this row runs, and drives Debian's Chromium; nothing else of Foyer needs
it. Its network and CPU are simulated from what one quiet load did, so a busy machine does less harm than to other
rows, but some: measure alone.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

from embedded import places

from bench.frame import Figure, Row
from bench.house import House, folder_of

VISITS = int(os.environ.get("FOYER_LIGHTHOUSE_VISITS", "5"))
LIGHTHOUSE = "lighthouse@12"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
PUBLIC = ("home", "list", "event")
"""The pages that search engines are to find; the others say noindex, which Lighthouse counts against them."""


def measure(house: House) -> Sequence[Figure]:
    """Four scores a page, of 100."""
    program = _installed(places.CHECKOUT / "var" / "lighthouse")
    figures: list[Figure] = []
    logins = folder_of(house.services) / "logins.json"
    house.manage("setup_demo", FOYER_DEMO_LOGINS=str(logins))
    with house.running("site", "live"):
        for name, path in _pages().items():
            reports = [_visit(program, house.site_url + path, folder_of(house.services)) for _ in range(VISITS)]
            for category in CATEGORIES:
                if category == "seo" and name not in PUBLIC:
                    continue
                least = 95 if category == "performance" else 100
                score = statistics.median(report["categories"][category]["score"] * 100 for report in reports)
                figures.append(Figure(f"{name}: {category}", score, "points", at_least=least))
            _tell(name, reports[-1])
    return figures


def _pages() -> dict[str, str]:
    """{name: path}: the demo's event, and an order of it in each state."""
    from django.urls import reverse
    from django.utils.translation import override

    from apps.events.models import EventPage
    from apps.ticketing import payments, queue
    from apps.ticketing.models import Order, SandboxCharge, Ticket, TicketType
    from apps.ticketing.payments import sandbox
    from tests import factories

    page = EventPage.objects.filter(title__startswith="Luciasittning").select_related("event")[0]
    kind = TicketType.objects.filter(event=page.event, price_minor__gt=0).order_by("position")[0]
    answers = [(variation.choices.order_by("position")[0], 1) for variation in kind.variations.all()]

    def order(name: str) -> Order:
        return factories.order(page.event, factories.wanted(kind, 1, *answers), email=f"{name}@student.example")

    waiting, held, paid = None, order("held"), order("paid")
    queue.drain(page.event.pk)
    paid.refresh_from_db()
    payment = payments.open(payments.start(paid, "sandbox", "http://localhost/"))  # type: ignore[arg-type]
    sandbox.give_card(SandboxCharge.objects.get(public_id=payment.provider_reference).public_id, "pays")
    payments.fetch(payment.pk)
    waiting = order("queued")
    ticket = Ticket.objects.get(line__order=paid)
    with override("sv"):
        of = {name: reverse("ticketing:order", args=[one.reference, one.secret]) for name, one in
              {"order, queued": waiting, "checkout": held, "order, paid": paid}.items()}  # fmt: skip
        of["ticket"] = reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])
        listed = reverse("event_list")
    return {"home": "/sv/", "list": listed, "event": page.get_url() or "", **of}


def _visit(program: Path, address: str, folder: Path) -> dict:  # type: ignore[type-arg]
    report = folder / "lighthouse.json"
    chromium = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    assert chromium, "Lighthouse needs Debian's chromium"
    done = subprocess.run(
        ["node", program, address, "--quiet", "--output=json", f"--output-path={report}",
         f"--only-categories={','.join(CATEGORIES)}",
         "--chrome-flags=--headless --no-sandbox --disable-dev-shm-usage"],
        env={**os.environ, "CHROME_PATH": chromium}, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, f"Lighthouse failed at {address}: {done.stderr[-2000:]}"
    return json.loads(report.read_text(encoding="utf-8"))


def _tell(name: str, report: dict) -> None:  # type: ignore[type-arg]
    """What kept the page below, for whoever mends it."""
    for category in report["categories"].values():
        for reference in category["auditRefs"]:
            audit = report["audits"][reference["id"]]
            if reference["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                print(f"  {name}: {audit['id']} {audit.get('displayValue', '')} {_where(audit)}", flush=True)


def _where(audit: dict) -> str:  # type: ignore[type-arg]
    items = (audit.get("details") or {}).get("items") or []
    found = [str((item.get("node") or {}).get("snippet") or item.get("description") or "") for item in items[:3]]
    return " ".join(filter(None, found))[:300]


def _installed(folder: Path) -> Path:
    program = folder / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", LIGHTHOUSE], cwd=folder, check=True)
    return program


ROW = Row(
    name="lighthouse",
    what=f"Lighthouse's phone profile on the demo's pages, median of {VISITS} visits",
    measure=measure,
)
