"""A campus signs in within a minute, all from one address: through the identity provider, and with passwords.

The site runs as it does in the demo, two processes of it, with passwords hashed as they are hashed there; the provider
is a process of its own. Whoever shares the address with a thousand others is not refused for it; whoever guesses at one
account is.
"""

from __future__ import annotations

import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from embedded import processes

from apps.accounts.models import User
from apps.accounts.passwords import Argon2
from tests.concurrency.test_slow_phones import answers
from tests.demo_house import free_ports
from tests.identity.client import running
from tests.processes import ROOT, environment

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long password"
AT_ONCE = 16
MINUTE = 60.0
LANDED = "/my/"


@contextmanager
def site(log: Path, provider: str) -> Iterator[str]:
    """The site on the test's database, in two processes, with LiU standing at `provider`; its address."""
    (port,) = free_ports(1)
    web = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"]
    web += ["--workers", "2", "--blocking-threads", "256", "--workers-kill-timeout", "1", "config.wsgi:application"]
    address = f"http://127.0.0.1:{port}"
    variables = environment(
        FOYER_ENV="demo",
        SITE_URL=address,
        ALLOWED_HOSTS="127.0.0.1",
        LOG_LEVEL="ERROR",
        LIU_CLIENT_ID="campus",
        LIU_CLIENT_SECRET="of the test",
        LIU_URL=provider,
    )
    server = processes.spawn([sys.executable, *web], log=log, environment=variables, folder=ROOT)
    try:
        assert processes.wait_until(lambda: answers(port, 1), 60), processes.tail(log)
        yield address
    finally:
        processes.end(server, (signal.SIGTERM, 3))


class Browser(requests.Session):
    """One person's. They look at the sign-in page first, as everybody does."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.trust_env = False
        page = self.get(f"{address}/accounts/login/", timeout=MINUTE)
        self.token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]  # type: ignore[index]

    def submit(self, path: str, **values: str) -> requests.Response:
        sent = {"csrfmiddlewaretoken": self.token, **values}
        return self.post(f"{self.address}{path}", sent, allow_redirects=False, timeout=MINUTE)


def by_provider(address: str, number: int) -> str:
    """Where student number so and so lands, or the status of what refused them."""
    browser = Browser(address)
    begun = browser.submit("/accounts/liu/login/")
    if begun.status_code != 200:
        return str(begun.status_code)
    there = begun.headers["Refresh"].removeprefix("0; url=")
    back = browser.post(there, {"person": f"student-{number}"}, allow_redirects=False, timeout=MINUTE)
    answer = browser.get(back.headers["Location"], allow_redirects=False, timeout=MINUTE)
    return answer.headers.get("Location", str(answer.status_code))


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
