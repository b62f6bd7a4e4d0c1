"""A phone's own judgement of ticket codes, in a real browser: the same as the server's, code by code."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opener
from tests.proofs import Proof
from tests.ticketing.test_credential_vectors import CASES, FACTS, hold_keys, judge
from tests.ticketing.test_credentials import mutate
from tests.vectors import credentials as vectors

pytestmark = pytest.mark.django_db(transaction=True)

JUDGE = """async ([keys, codes]) => {
  const { verifier } = await import("/static/checkin/credential.js");
  const judge = verifier(keys);
  return Promise.all(codes.map(judge));
}"""
BATCH = 1_000


@pytest.fixture
def page(open_tab: Opener) -> Page:
    return open_tab().goto("/livez")


def judged_by_phone(page: Page, codes: list[str]) -> list[dict[str, Any]]:
    """The browser's verdicts, in the words of the vectors."""
    told = page.evaluate(JUDGE, [FACTS["keys"]["live"], codes])
    return [{("key_id" if name == "keyId" else name): value for name, value in one.items()} for one in told]


def test_the_browser_judges_as_the_vectors_say(page: Page) -> None:
    found = judged_by_phone(page, [case["code"] for case in CASES])

    expected = [{key: value for key, value in case.items() if key not in ("name", "code")} for case in CASES]
    by_name = {case["name"]: (was, should) for case, was, should in zip(CASES, found, expected, strict=True)}
    assert {name: pair for name, pair in by_name.items() if pair[0] != pair[1]} == {}


@pytest.mark.proof(
    "qr_browser", what="A phone's browser judges every altered ticket code as the server does", full=100_000, small=400
)
def test_browser_and_server_agree_about_mutated_codes(page: Page, proof: Proof) -> None:
    hold_keys()
    genuine = [case["code"] for case in CASES if case["verdict"] == "claim"]
    told: dict[str, int] = {}
    apart: list[tuple[str, Any, Any]] = []

    while sum(told.values()) < proof.n:
        codes = [_maybe_altered(genuine, proof) for _ in range(min(BATCH, proof.n - sum(told.values())))]
        for code, by_phone in zip(codes, judged_by_phone(page, codes), strict=True):
            by_server = judge(code)
            told[by_server["verdict"]] = told.get(by_server["verdict"], 0) + 1
            if by_phone != by_server:
                apart.append((code, by_phone, by_server))

    proof.record(apart=len(apart), **{f"told_{verdict.replace(' ', '_')}": n for verdict, n in sorted(told.items())})
    assert apart == []
    assert set(told) == {"claim", "forged", "unknown key"}


def _maybe_altered(genuine: list[str], proof: Proof) -> str:
    """One code in twenty is left as it is: to say no to everything is no agreement. One in twenty names another key."""
    code, other = proof.random.sample(genuine, 2)
    way = proof.random.randrange(20)
    if way == 0:
        return code
    if way == 1:
        body = vectors.body(vectors.DINNER, proof.random.randrange(2**16), proof.random.randrange(256))
        return vectors.write45(body + proof.random.randbytes(64))
    return mutate(code, other, proof.random)


NO_ED25519 = "() => { crypto.subtle.importKey = async () => { throw new DOMException('', 'NotSupportedError'); }; }"
NO_HTTPS = "() => { Object.defineProperty(crypto, 'subtle', { value: undefined }); }"


@pytest.mark.parametrize("missing", [pytest.param(NO_ED25519, id="no-ed25519"), pytest.param(NO_HTTPS, id="no-https")])
def test_a_browser_without_ed25519_says_that_it_cannot_tell(page: Page, missing: str) -> None:
    page.evaluate(missing)

    found = judged_by_phone(page, [case["code"] for case in CASES])

    by_name = dict(zip([case["name"] for case in CASES], [one["verdict"] for one in found], strict=True))
    assert by_name["signed by the older live key"] == "cannot tell"
    assert by_name["one bit of the ticket turned"] == "cannot tell"
    # What needs no signature to be seen is still told.
    assert by_name["names key 0"] == "unknown key"
    assert by_name["one character too many"] == "forged"
    assert "claim" not in by_name.values()


def test_a_key_that_is_no_key_makes_nothing_genuine(page: Page) -> None:
    told = page.evaluate(
        JUDGE, [{"7": "not hex", "8": FACTS["keys"]["live"]["8"]}, [CASES[0]["code"], CASES[1]["code"]]]
    )

    assert [one["verdict"] for one in told] == ["cannot tell", "claim"]
