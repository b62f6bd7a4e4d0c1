"""A house with Connect and an empty Stripe beside it, for tests of accounts that organisations have there."""

from __future__ import annotations

from typing import Any

from apps.events.models import Organisation
from apps.ticketing import clock
from apps.ticketing.models import StripeAccount
from apps.ticketing.payments import connect_onboarding
from tests.fake_stripe import Fake


def set_up(settings: Any, fake: Fake) -> None:
    """Foyer speaks to the fake, and wants an account of each organisation's own."""
    settings.STRIPE_CONNECT = True
    settings.STRIPE_SECRET_KEY = fake.KEY
    settings.STRIPE_PUBLISHABLE_KEY = fake.PUBLISHABLE_KEY
    settings.STRIPE_API_BASE = fake.url
    settings.STRIPE_JS_URL = f"{fake.url}/endive/stripe.js"


def begun(organisation: Organisation) -> str:
    """The organisation has an account, with nothing filled in; its id."""
    connect_onboarding.begin(
        organisation, actor=None, return_url="http://localhost/back", refresh_url="http://localhost/again"
    )
    return StripeAccount.objects.get(organisation=organisation).account


def connected(organisation: Organisation, fake: Fake) -> str:
    """The organisation has an account that may charge; its id."""
    account = begun(organisation)
    fake.onboard(account)
    connect_onboarding.look(organisation)
    return account


def written(organisation: Organisation, **facts: Any) -> StripeAccount:
    """An account as we remember it, without asking anybody."""
    return StripeAccount.objects.create(
        organisation=organisation, account="acct_1written", begun_at=clock.now(), **facts
    )
