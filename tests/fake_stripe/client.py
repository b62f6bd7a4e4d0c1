"""What a test holds in its hand: the process for the length of a with-block, and its control as methods."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.fake_stripe.forms import PUBLISHABLE_KEY, SECRET_KEY
from tests.processes import running


class Fake:
    """The control of one running process; see the package for what each command does."""

    KEY = SECRET_KEY
    PUBLISHABLE_KEY = PUBLISHABLE_KEY

    def __init__(self, url: str, control: str) -> None:
        self.url, self._control = url, control
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def base_addresses(self) -> dict[str, str]:
        """For `stripe.StripeClient`: everything is here."""
        return {"api": self.url, "connect": self.url, "files": self.url, "meter_events": self.url}

    def _tell(self, name: str, **arguments: Any) -> Any:
        request = urllib.request.Request(
            f"{self._control}/{name}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        )
        with self._opener.open(request, timeout=60) as answer:
            told = json.loads(answer.read())
        if "error" in told:
            raise AssertionError(f"{name}({arguments}): {told['error']}")
        return told["result"]

    # Notices

    def endpoint(
        self, url: str, secrets: Sequence[str], *, connect: bool = False, types: Sequence[str] = ("*",)
    ) -> str:
        return self._tell("endpoint", url=url, secrets=list(secrets), connect=connect, types=list(types))

    def deliver(
        self, how: str = "now", *, copies: int = 1, delay_seconds: float = 0, types: Sequence[str] = ("*",)
    ) -> None:
        self._tell("deliver", how=how, copies=copies, delay_seconds=delay_seconds, types=list(types))

    def release(self, order: str = "given", *, seed: int = 0, copies: int = 1) -> int:
        return self._tell("release", order=order, seed=seed, copies=copies)

    def redeliver(self) -> int:
        return self._tell("redeliver")

    def held(self) -> list[tuple[bytes, dict[str, str]]]:
        return [(base64.b64decode(body), headers) for body, headers in self._tell("held")]

    def deliveries(self) -> list[dict[str, Any]]:
        return self._tell("deliveries")

    def quiet(self, seconds: float = 20) -> None:
        assert self._tell("quiet", seconds=seconds), "notices are still under way"

    # What happens later

    def payment(self, intent: str, outcome: str) -> dict[str, Any]:
        return self._tell("payment", intent=intent, outcome=outcome)

    def pay(self, intent: str, method: str = "pm_card_visa") -> dict[str, Any]:
        return self._tell("pay", intent=intent, method=method)

    def act(self, intent: str, *, approves: bool = True, later: bool = False) -> dict[str, Any]:
        return self._tell("act", intent=intent, approves=approves, later=later)

    def refund(self, refund: str, outcome: str) -> dict[str, Any]:
        return self._tell("refund", refund=refund, outcome=outcome)

    def dispute(self, charge: str, *, reason: str = "fraudulent", amount: int | None = None) -> dict[str, Any]:
        return self._tell("dispute", charge=charge, reason=reason, amount=amount)

    def close_dispute(self, dispute: str, outcome: str) -> dict[str, Any]:
        return self._tell("close_dispute", dispute=dispute, outcome=outcome)

    def account(self, account: str, **facts: Any) -> dict[str, Any]:
        return self._tell("account", account=account, facts=facts)

    def onboard(self, account: str) -> dict[str, Any]:
        return self._tell("onboard", account=account)

    def deauthorise(self, account: str) -> None:
        self._tell("deauthorise", account=account)

    def payout(self, account: str | None = None) -> None:
        self._tell("payout", account=account)

    def top_up(self, amount: int, currency: str = "sek", account: str | None = None) -> None:
        self._tell("top_up", amount=amount, currency=currency, account=account)

    def move_clock(self, seconds: float) -> None:
        self._tell("move_clock", seconds=seconds)

    # Faults

    def fault(self, call: str, what: str, *, times: int = 1, skip: int = 0, seconds: float = 30) -> None:
        self._tell("fault", call=call, what=what, times=times, skip=skip, seconds=seconds)

    def no_faults(self) -> None:
        self._tell("no_faults")

    def away(self, seconds: float, how: str = "refuse") -> None:
        self._tell("away", seconds=seconds, how=how)

    def set(self, **settings: Any) -> None:
        self._tell("set", **settings)

    # What it saw

    def calls(self, call: str = "*") -> list[dict[str, Any]]:
        return self._tell("calls", call=call)

    def objects(self, kind: str, account: str | None = None) -> list[dict[str, Any]]:
        return self._tell("objects", kind=kind, account=account)

    def object(self, id: str) -> dict[str, Any]:
        return self._tell("object", id=id)

    def empty(self) -> None:
        self._tell("empty")


@contextmanager
def serving() -> Iterator[Fake]:
    """The fake in a process of its own for the length of a with-block."""
    with running("-m", "tests.fake_stripe") as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert told.startswith("{"), told + process.stdout.read()
        yield Fake(**json.loads(told))
