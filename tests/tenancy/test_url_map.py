"""Every address of the site, asked for by everybody, against the table in `url_map`."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.accounts.models import User
from tests import factories
from tests.proofs import Proof
from tests.tenancy import url_map
from tests.tenancy.url_map import ROLES
from tests.tenancy.walk import Address, addresses, path_of
from tests.tenancy.world import World, sell

pytestmark = pytest.mark.django_db

OUTSIDE = ("anonymous", "stranger")
INSIDE = [role for role in ROLES if role not in OUTSIDE]
REFUSED = {"in", "desk", "400", "403", "404", "405"}
# Closes the asker's own editing session, whatever number is named, and says nothing.
HARMLESS = {"wagtailadmin_editing_sessions:release"}


def read(table: str) -> list[tuple[str, tuple[str, ...]]]:
    rows: list[tuple[str, tuple[str, ...]]] = []
    answers: tuple[str, ...] = ()
    for line in table.strip().splitlines():
        if line.startswith(" "):
            rows += [(pattern, answers) for pattern in line.split()]
        else:
            answers = tuple(line.split())
            assert len(answers) == len(ROLES), line
    return rows


PUBLIC = read(url_map.PUBLIC)
TABLE = [*PUBLIC, *read(url_map.OWN), *read(url_map.DOOR), *read(url_map.DESKS), *read(url_map.WAGTAIL)]


def fits(pattern: str, address: Address) -> bool:
    """A trailing `*` stands for any end; every other sign for itself."""
    if pattern.endswith("*") and pattern != "admin/^.*/$":
        return address.known_as.startswith(pattern[:-1])
    return address.known_as == pattern


def line_of(address: Address) -> tuple[str, ...] | None:
    return next((answers for pattern, answers in TABLE if fits(pattern, address)), None)


def answer_of(response: HttpResponse) -> str:
    if response.status_code in (301, 302, 303):
        target = response["Location"]
        return "in" if target.startswith("/accounts/login/") else "desk" if target == "/admin/" else "away"
    return str(response.status_code)


def agrees(expected: str, answer: str) -> bool:
    if expected in ("any", "no"):
        return answer in REFUSED or (expected == "any" and answer in ("200", "away"))
    return answer == {"fault": "500"}.get(expected, expected)


@pytest.fixture
def people(ours: World, theirs: World) -> dict[str, User | None]:
    buyer = factories.user(email="buyer-lyktan@example.org")
    sell(ours, user=buyer, email=buyer.email)
    ours.page.save_revision()
    ours.page.refresh_from_db()
    return {
        "anonymous": None,
        "buyer": buyer,
        "editor": ours.editor,
        "treasurer": ours.treasurer,
        "door": ours.door,
        "stranger": theirs.editor,
        "superuser": factories.user(is_superuser=True, is_staff=True),
    }


def browser_of(person: User | None) -> Client:
    client = Client(headers={"accept-language": "sv"}, raise_request_exception=False)
    if person is not None:
        client.force_login(person)
    return client


def test_every_address_has_a_line() -> None:
    assert sorted({address.known_as for address in addresses() if line_of(address) is None}) == []


def test_every_line_has_an_address() -> None:
    found = addresses()

    assert [pattern for pattern, _answers in TABLE if not any(fits(pattern, address) for address in found)] == []


def disagreement(client: Client, role: str, address: Address, world: World) -> str:
    """What this role is answered at the address, where that is not what the table says; otherwise nothing."""
    path = path_of(address, world)
    response = client.get(path)
    expected, answer = (line_of(address) or ("?",) * len(ROLES))[ROLES.index(role)], answer_of(response)
    said = [] if agrees(expected, answer) else [f"{answer} instead of {expected}"]
    is_closed = role in OUTSIDE and address.known_as not in {pattern for pattern, _answers in PUBLIC}
    if is_closed and world.mark in response.content.decode(errors="replace").replace(path, ""):
        said.append("tells of Lyktan")
    return f"{role} at {address.known_as} {path}: {', '.join(said)}" if said else ""


def in_turn() -> list[Address]:
    """Signing out comes last: it ends the session."""
    return sorted(addresses(), key=lambda address: address.name == "wagtailadmin_logout")


@pytest.mark.parametrize("role", OUTSIDE)
def test_who_is_outside_gets_what_the_table_says(role: str, ours: World, people: dict[str, User | None]) -> None:
    client = browser_of(people[role])

    said = [disagreement(client, role, address, ours) for address in in_turn()]

    assert [words for words in said if words] == []


@pytest.mark.proof("url_map", what="Each role gets what the table says, at every address", full=len(INSIDE), small=2)
def test_who_is_inside_gets_what_the_table_says(ours: World, people: dict[str, User | None], proof: Proof) -> None:
    """At each address `n` of the roles ask, others at every seed: two in the tests, everybody in the proof."""
    clients = {role: browser_of(people[role]) for role in INSIDE}
    asked = [(role, address) for address in in_turn() for role in proof.random.sample(INSIDE, proof.n)]

    said = [disagreement(clients[role], role, address, ours) for role, address in asked]

    assert [words for words in said if words] == []
    proof.record(asked=len(asked))


@pytest.mark.parametrize("role", ["anonymous", "buyer", "stranger"])
def test_what_may_not_be_read_may_not_be_written(role: str, ours: World, people: dict[str, User | None]) -> None:
    client = browser_of(people[role])
    done = []

    for address in addresses():
        expected = (line_of(address) or ("?",) * len(ROLES))[ROLES.index(role)]
        if expected not in REFUSED or not address.route.startswith(("admin/", "door/")) or address.name in HARMLESS:
            continue
        path = path_of(address, ours)
        response = client.post(path)
        if answer_of(response) not in REFUSED | {"away"} or ours.mark in response.content.decode(errors="replace"):
            done.append(f"{address.known_as} {path}: {response.status_code}")

    assert done == []


def test_the_wall_would_be_missed(ours: World, people: dict[str, User | None], settings: object) -> None:
    """Without the middleware some of Wagtail's own addresses tell a stranger: the walk above could fail."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "AdministrationWall" not in name]  # type: ignore[attr-defined]
    client = browser_of(people["stranger"])
    suspects = {"wagtailadmin_choose_page_chosen_multiple", "wagtailadmin_reports:page_types_usage"}
    told = {
        address.name
        for address in addresses()
        if address.name in suspects and ours.mark in client.get(path_of(address, ours)).content.decode()
    }

    assert told == suspects
