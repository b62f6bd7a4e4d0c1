"""The signed code: ours verifies, anything else does not."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ticketing import base45, clock, credentials
from apps.ticketing.credentials import Claim, Forged, UnknownKey
from apps.ticketing.models import SigningKey, Ticket
from tests import factories
from tests.proofs import Proof


@pytest.fixture
def ticket(db):
    return factories.paid_order().lines.get().tickets.get()


@pytest.mark.parametrize(
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"", "")]
)
def test_base45_agrees_with_the_examples_of_rfc_9285(data, text):
    assert (base45.encode(data), base45.decode(text)) == (text, data)


@given(st.binary(max_size=200))
def test_base45_reads_what_it_writes(data):
    assert base45.decode(base45.encode(data)) == data


@pytest.mark.parametrize("text", ["A", "GGW", "::", "ab8", "BB8A", "Å00"], ids=str)
def test_base45_refuses_what_it_never_writes(text):
    with pytest.raises(ValueError):
        base45.decode(text)


def test_sign_says_ticket_version_and_key_and_fits_its_size(ticket):
    code = credentials.sign(ticket)

    assert credentials.verify(code) == Claim(ticket.public_id, 1, 1)
    assert len(code) == 126
    assert credentials.sign(ticket) == code


def test_sign_says_nothing_about_a_person(ticket):
    raw = base45.decode(credentials.sign(ticket))

    assert raw[2:18] == ticket.public_id.bytes
    assert len(raw) == 84
    assert ticket.holder_email.encode() not in raw


def test_a_new_version_gives_a_new_code(ticket):
    old = credentials.sign(ticket)
    ticket.credential_version = 2

    assert credentials.verify(credentials.sign(ticket)).version == 2
    assert credentials.verify(old).version == 1


def test_private_key_is_stored_sealed(ticket):
    credentials.sign(ticket)
    key = SigningKey.objects.get()

    stored = SigningKey.objects.extra(select={"raw": "private_key::text"}).values_list("raw", flat=True).get()

    assert stored.startswith("enc1.")
    assert key.private_key not in stored


def test_rotation_signs_anew_and_verifies_both(ticket):
    old = credentials.sign(ticket)

    call_command("rotate_ticket_key")

    new = credentials.sign(ticket)
    assert [credentials.verify(code).key_id for code in (old, new)] == [1, 2]
    assert sorted(credentials.public_keys()) == [1, 2]


def test_a_retired_key_verifies_nothing(ticket):
    old = credentials.sign(ticket)

    call_command("rotate_ticket_key", retire_older=True)

    with pytest.raises(UnknownKey):
        credentials.verify(old)
    assert sorted(credentials.public_keys()) == [2]


def test_rotation_ends_with_the_last_key_id(db):
    SigningKey.objects.create(key_id=255, private_key="00", public_key="00", created_at=clock.now())

    with pytest.raises(credentials.NoKeyIdLeft):
        credentials.rotate()


def test_a_key_made_by_another_process_is_noticed(ticket, monkeypatch):
    old = credentials.sign(ticket)
    kept = credentials._kept
    credentials.rotate()
    new = credentials.sign(ticket)
    monkeypatch.setattr(credentials, "_kept", kept)
    monkeypatch.setattr(credentials, "REREAD_SECONDS", 0)

    assert credentials.verify(new).key_id == 2
    assert credentials.verify(old).key_id == 1


def test_made_up_key_ids_do_not_become_queries(ticket, django_assert_num_queries):
    raw = bytearray(base45.decode(credentials.sign(ticket)))
    raw[1] = 99
    code = base45.encode(bytes(raw))

    with django_assert_num_queries(0):
        for _ in range(20):
            with pytest.raises(UnknownKey):
                credentials.verify(code)


@pytest.mark.parametrize("code", ["", "HELLO", "https://example.org/", "0" * 126, "K7M2QA", "\x00" * 126], ids=ascii)
def test_verify_refuses_what_is_no_code_of_ours(db, code):
    with pytest.raises(Forged):
        credentials.verify(code)


def mutate(code: str, other: str, chance: random.Random) -> str:
    """A code with a changed, swapped, missing or added character, spliced with another, or with changed bytes."""
    way = chance.randrange(6)
    place = chance.randrange(len(code))
    if way == 0:
        return code[:place] + chance.choice(base45.ALPHABET) + code[place + 1 :]
    if way == 1:
        return code[:place] + code[place + 1 :]
    if way == 2:
        return code[:place] + chance.choice(base45.ALPHABET) + code[place:]
    if way == 3:
        return code[:place] + other[place:]
    raw = bytearray(base45.decode(code))
    for _ in range(chance.randrange(1, 4)):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return base45.encode(bytes(raw)) if way == 4 else base45.encode(bytes(raw))[: chance.randrange(1, 127)]


@pytest.mark.proof("qr_mutants", what="No altered ticket code is ever accepted", full=1_000_000, small=2_000)
def test_mutated_codes_never_verify(ticket, proof: Proof):
    other = Ticket(public_id=factories.event().public_id, credential_version=3)
    genuine = {credentials.sign(ticket), credentials.sign(other)}
    code, spliced = credentials.sign(ticket), credentials.sign(other)
    tried = accepted = 0

    while tried < proof.n:
        mutant = mutate(code, spliced, proof.random)
        if mutant in genuine:
            continue
        tried += 1
        try:
            credentials.verify(mutant)
            accepted += 1
        except Forged:
            continue

    proof.record(tried=tried, accepted=accepted)
    assert accepted == 0


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet=base45.ALPHABET, max_size=160))
def test_verify_refuses_any_text_and_never_breaks(text):
    credentials._kept = credentials._Keys(None, {}, 1e12)  # no key at all: no database needed

    with pytest.raises(Forged):
        credentials.verify(text)


def test_qr_is_a_picture_with_quiet_zone_and_name(ticket):
    svg = str(credentials.qr_svg(credentials.sign(ticket), title='Code of "K7M" & co'))

    picture = ElementTree.fromstring(svg)
    assert picture.get("viewBox") == "0 0 49 49"  # version 6 has 41 modules, and four on each side are quiet
    assert picture.get("role") == "img"
    assert picture.findtext("title") == 'Code of "K7M" & co'
    assert "style" not in svg
    assert picture[-1].get("d", "").startswith("M4 4.5h7m")  # the first finder pattern begins behind the quiet zone
