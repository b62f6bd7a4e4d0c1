"""`manage.py doctor --stripe` against a Stripe in which nothing is wrong, and with each thing that may be."""

from __future__ import annotations

from io import StringIO

import pytest
from config import doctor, doctor_stripe
from config.doctor import FAIL, OK, WARN
from django.conf import LazySettings
from django.core.management import call_command

from apps.ticketing.extensions import payment_providers
from apps.ticketing.payments import stripe_provider
from apps.ticketing.payments.stripe_provider import StripeProvider
from tests.fake_stripe import Fake

SECRET = "whsec_of_the_endpoint"


@pytest.fixture(autouse=True)
def fake(stripe_service: Fake, settings: LazySettings) -> Fake:
    settings.SITE_URL = "https://tickets.example"
    settings.STRIPE_SECRET_KEY = stripe_service.KEY
    settings.STRIPE_PUBLISHABLE_KEY = stripe_service.PUBLISHABLE_KEY
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    settings.STRIPE_API_BASE = stripe_service.url
    settings.STRIPE_JS_URL = f"{stripe_service.url}/endive/stripe.js"
    stripe_provider._client.cache_clear()
    stripe_service.deliver("lose")
    stripe_service.set(domains=["tickets.example"])
    stripe_service.endpoint("https://tickets.example/webhooks/stripe/", secrets=[SECRET])
    return stripe_service


def levels() -> dict[str, str]:
    return {finding.subject: finding.level for finding in doctor_stripe.examine()}


WELL = {
    "Stripe's keys": OK,
    "Stripe's account": OK,
    "Stripe's endpoint": OK,
    "ways to pay": OK,
    "wallets": OK,
    "Stripe's script": OK,
}


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    out = StringIO()

    call_command("doctor", stripe=True, stdout=out)

    assert levels() == WELL
    assert "docs/stripe.md" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_what_is_wrong_at_stripe_is_found_one_by_one(fake: Fake, settings: LazySettings) -> None:
    fake.set(domains=[], ways=["swish"])
    settings.STRIPE_WEBHOOK_SECRETS = []
    settings.SITE_URL = "https://moved.example"
    settings.STRIPE_JS_URL = f"{fake.url}/nowhere.js"

    assert levels() == {
        **WELL,
        "Stripe's notices": FAIL,
        "Stripe's endpoint": FAIL,
        "ways to pay": WARN,
        "wallets": WARN,
        "Stripe's script": FAIL,
    }


def test_an_endpoint_that_is_not_told_everything_is_named(fake: Fake, settings: LazySettings) -> None:
    settings.SITE_URL = "https://other.example"
    fake.endpoint(
        "https://other.example/webhooks/stripe/", secrets=[SECRET], types=["payment_intent.*", "refund.failed"]
    )

    [finding] = doctor_stripe.notices()

    assert (finding.level, "charge.dispute.created" in finding.what) == (WARN, True)


@pytest.mark.parametrize(
    ("secret", "public", "level"),
    [("", "", FAIL), ("sk_test_a", "", FAIL), ("sk_live_a", "pk_test_a", FAIL), ("rk_live_a", "pk_live_a", OK)],
)
def test_keys_are_of_one_mode(settings: LazySettings, secret: str, public: str, level: str) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_PUBLISHABLE_KEY = secret, public

    assert [finding.level for finding in doctor_stripe.api_keys()] == [level]


def test_test_keys_in_production_are_a_warning(settings: LazySettings) -> None:
    settings.IS_PRODUCTION = True

    assert [finding.level for finding in doctor_stripe.api_keys()] == [WARN]


def test_a_wrong_key_and_a_silent_stripe_are_answers_too(fake: Fake, settings: LazySettings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    refused = {finding.what for finding in doctor_stripe.examine() if finding.level == FAIL}
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    silent = {finding.what for finding in doctor_stripe.examine() if finding.level == FAIL}

    assert refused == {"Stripe does not know the key."}
    assert silent == {"Stripe did not answer: APIConnectionError."}


def test_the_installation_says_when_stripe_is_on_and_not_set_up(settings: LazySettings) -> None:
    def said() -> list[str]:
        with payment_providers.temporarily(StripeProvider()):
            return [finding.what[:10] for finding in doctor.payments() if finding.subject == "Stripe"]

    well = said()
    settings.STRIPE_WEBHOOK_SECRETS = []
    unheard = said()
    settings.STRIPE_SECRET_KEY = ""

    assert (well, unheard, said()) == ([], ["No notice "], ["It is swit"])
