"""A campus signs in within a minute, all from one address: through the identity provider, and with passwords.

The site runs as it does in the demo, two processes of it, with passwords hashed as they are hashed there; the provider
is a process of its own. Whoever shares the address with a thousand others is not refused for it; whoever guesses at one
account is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount

from apps.accounts.models import User
from apps.accounts.passwords import Argon2
from tests.concurrency.campus import LANDED, MINUTE, Browser, by_provider, site
from tests.identity.client import running

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long password"
AT_ONCE = 16


def by_password(address: str, number: int) -> str:
    browser = Browser(address)
    answer = browser.submit("/accounts/login/", login=f"campus-{number}@example.org", password=PASSWORD)
    return answer.headers.get("Location", str(answer.status_code))


def all_at_once(one: Callable[[str, int], str], address: str, number: int) -> tuple[Counter[str], float, float]:
    """How many landed where, in how many seconds, and the slowest of them."""
    slowest = [0.0]

    def timed(each: int) -> str:
        begun = time.monotonic()
        landed = one(address, each)
        slowest[0] = max(slowest[0], time.monotonic() - begun)
        return landed

    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        landed = Counter(pool.map(timed, range(number)))
    return landed, time.monotonic() - begun, slowest[0]


@pytest.mark.proof(
    "campus_logins",
    what="A thousand people sign in through the identity provider from one address within a minute, and two hundred "
    "with passwords; nobody is refused",
    full=1000,
    small=20,
)
def test_a_campus_signs_in_from_one_address(proof, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with_password = proof.n // 5
    encoded = Argon2().encode(PASSWORD, "salt-of-the-test")
    users = User.objects.bulk_create(
        User(email=f"campus-{number}@example.org", password=encoded) for number in range(with_password)
    )
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )

    with running() as identity, site(tmp_path / "log", identity.url) as address:
        provided, seconds, slowest = all_at_once(by_provider, address, proof.n)
        typed, typing_seconds, typing_slowest = all_at_once(by_password, address, with_password)

    proof.record(
        signed_in_by_provider=provided[LANDED],
        provider_seconds=round(seconds, 1),
        provider_slowest_ms=round(slowest * 1000),
        signed_in_by_password=typed[LANDED],
        password_seconds=round(typing_seconds, 1),
        password_slowest_ms=round(typing_slowest * 1000),
    )
    assert provided == {LANDED: proof.n} and typed == {LANDED: with_password}
    assert SocialAccount.objects.filter(provider="liu").values("user").distinct().count() == proof.n
    assert seconds < MINUTE and typing_seconds < MINUTE
