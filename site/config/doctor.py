"""What may be wrong with an installation, asked one thing at a time, each answered in a plain sentence with its remedy.

`manage.py doctor` prints the answers. A question that cannot be asked (because what it needs is broken) is answered by
that; no answer ever shows a secret.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.mail import get_connection
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor

from apps.accounts import keyring
from config import health, heartbeats

OK, WARN, FAIL = "ok", "warn", "FAIL"
QUEUES = ("purchases", "default", "documents")
CLOCKS_APART_SECONDS = 2.0


@dataclass(frozen=True)
class Finding:
    """One answer: `ok`, `warn` or `FAIL`, what was found, and what to do about it."""

    level: str
    subject: str
    what: str
    remedy: str = ""


Findings = Iterator[Finding]


def database() -> Findings:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0].split(" ")[0]
    if int(version.split(".")[0]) < 15:
        yield Finding(FAIL, "database", f"PostgreSQL {version} is too old.", "Foyer needs PostgreSQL 15 or newer.")
    else:
        yield Finding(OK, "database", f"PostgreSQL {version} answers.")


def migrations() -> Findings:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _back in missing[:3])
        yield Finding(
            FAIL, "migrations", f"{len(missing)} are not applied ({names}).", "Run `python manage.py migrate`."
        )
    else:
        yield Finding(OK, "migrations", "All are applied.")


def redis() -> Findings:
    if health.redis_answers():
        yield Finding(OK, "Redis", "It answers.")
    else:
        yield Finding(
            FAIL,
            "Redis",
            "It does not answer: pages work, but nothing in the queue is served.",
            "Start Redis, or correct REDIS_URL. Nothing is lost meanwhile.",
        )


def _ages(role: str) -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, extract(epoch FROM foyer_now() - beat_at) FROM ticketing_heartbeat WHERE role = %s", [role]
        )
        return {name: float(age) for name, age in cursor.fetchall()}


def workers() -> Findings:
    ages = _ages("worker")
    for queue in QUEUES:
        own = [age for name, age in ages.items() if queue in name.partition("@")[0].split("+")]
        alive = sum(age < heartbeats.LOST_AFTER_SECONDS for age in own)
        if alive:
            yield Finding(OK, f"worker for {queue}", f"{alive} alive, the last sign {min(own):.0f} s ago.")
        else:
            seen = f"the last sign was {min(own):.0f} s ago" if own else "none has been seen lately"
            yield Finding(
                FAIL,
                f"worker for {queue}",
                f"No worker is alive: {seen}.",
                f"Start one: `python manage.py rqworker --worker-class config.worker.FoyerWorker {queue}`.",
            )


def cron() -> Findings:
    from config.cron import PERIODIC, ROLE

    ages = _ages("cron")
    if not any(age < heartbeats.LOST_AFTER_SECONDS for age in ages.values()):
        yield Finding(
            FAIL,
            "cron",
            "It is not running: holds do not end and lost work is not found again.",
            "Start one: `python manage.py cron`. Several do no harm.",
        )
        return
    yield Finding(OK, "cron", f"Alive, the last sign {min(ages.values()):.0f} s ago.")
    ran = _ages(ROLE)
    for periodic in PERIODIC:
        age = ran.get(periodic.name)
        if age is not None and age > 3 * periodic.every_seconds + heartbeats.LOST_AFTER_SECONDS:
            yield Finding(
                WARN,
                f"cron: {periodic.name}",
                f"It last ran {age:.0f} s ago and should every {periodic.every_seconds} s.",
                "Look into cron's log.",
            )


def mail() -> Findings:
    mailer = get_connection(fail_silently=False)
    try:
        opened = mailer.open()
        if opened:
            mailer.close()
    except OSError as error:
        yield Finding(
            FAIL,
            "mail",
            f"The mail server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} does not take mail: {type(error).__name__}.",
            "Correct EMAIL_URL, or start the server. Mail waits and is sent later.",
        )
        return
    if "console" in settings.EMAIL_BACKEND or "dummy" in settings.EMAIL_BACKEND:
        yield Finding(
            WARN, "mail", "No mail leaves this machine.", "Set EMAIL_URL, such as smtp://user:password@host:587."
        )
    elif "resend" in settings.EMAIL_BACKEND and not settings.RESEND_WEBHOOK_SECRET:
        yield Finding(
            WARN,
            "mail",
            "Mail goes to Resend, but what comes back is not heard of.",
            f"Add a webhook for {settings.SITE_URL}/webhooks/mail/resend/ there, and set RESEND_WEBHOOK_SECRET.",
        )
    else:
        yield Finding(OK, "mail", "The mail server answers.")


def clock() -> Findings:
    from apps.ticketing.clock import now

    before = datetime.now(UTC)
    apart = abs((now() - before).total_seconds())
    if apart > CLOCKS_APART_SECONDS:
        yield Finding(
            WARN,
            "clock",
            f"This machine and the database are {apart:.1f} s apart. Foyer goes by the database.",
            "Keep both in step by NTP.",
        )
    else:
        yield Finding(OK, "clock", f"This machine and the database agree within {max(apart, 0.01):.2f} s.")


def keys() -> Findings:
    from apps.ticketing.models import SigningKey

    probe = uuid.uuid4().hex
    if keyring.decrypt(keyring.encrypt(probe)) != probe:
        yield Finding(FAIL, "keys", "The keyring does not read what it writes.", "Correct FOYER_KEYS.")
        return
    # The raw column: reading through the model would raise for the first key that cannot be opened.
    with connection.cursor() as cursor:
        cursor.execute("SELECT key_id, private_key FROM ticketing_signingkey WHERE retired_at IS NULL")
        sealed = cursor.fetchall()
    for key_id, text in sealed:
        try:
            keyring.decrypt(text)
        except (keyring.UnknownKey, InvalidTag, ValueError):
            yield Finding(
                FAIL,
                "keys",
                f"Signing key {key_id} cannot be opened with FOYER_KEYS.",
                "Put the key it was sealed with back into FOYER_KEYS, behind the newest.",
            )
            return
    if not SigningKey.objects.filter(retired_at__isnull=True).exists():
        yield Finding(WARN, "keys", "There is no key to sign tickets yet; the first ticket shown makes one.")
    else:
        yield Finding(OK, "keys", f"The keyring opens what it sealed; {len(sealed)} key(s) sign and verify tickets.")
    if settings.IS_PRODUCTION and not os.environ.get("FOYER_KEYS"):
        yield Finding(
            WARN, "keys", "FOYER_KEYS is derived from SECRET_KEY.", "Set it, so that SECRET_KEY can be changed one day."
        )


def payments() -> Findings:
    from apps.ticketing.extensions import payment_providers

    if "sandbox" in payment_providers and settings.IS_PRODUCTION:
        yield Finding(FAIL, "payments", "The sandbox gives tickets away.", "Take it out of PAYMENT_PROVIDERS.")
    elif len(payment_providers) == 0:
        yield Finding(WARN, "payments", "No provider is set: only free tickets can be sold.", "Set PAYMENT_PROVIDERS.")
    else:
        names = ", ".join(provider.slug for provider in payment_providers)
        yield Finding(OK, "payments", f"Taken through: {names}.")
        if "stripe" in payment_providers and not (settings.STRIPE_SECRET_KEY and settings.STRIPE_PUBLISHABLE_KEY):
            yield Finding(
                WARN, "Stripe", "It is switched on and has no keys, so nobody is offered it.", "Set both STRIPE_ keys."
            )
        elif "stripe" in payment_providers and not settings.STRIPE_WEBHOOK_SECRETS:
            yield Finding(
                WARN,
                "Stripe",
                "No notice of Stripe's is believed; payments are found by asking each minute.",
                "Set STRIPE_WEBHOOK_SECRETS; `manage.py doctor --stripe` says more.",
            )


def registers() -> Findings:
    """Which membership sources are set up, and whether those that a network is between answer. Asks about nobody."""
    from apps.discounts.extensions import Silent, membership_sources
    from apps.discounts.sources import is_near, is_set_up

    for source in membership_sources:
        try_out = getattr(source, "try_out", None)
        if is_near(source) or try_out is None:
            continue
        subject = f"register: {source.slug}"
        if not is_set_up(source):
            yield Finding(OK, subject, "Not set up, so that nobody is asked for there.")
            continue
        try:
            try_out()
        except Silent as error:
            yield Finding(
                WARN,
                subject,
                f"It does not tell: {error}.",
                "Sales go on by each discount's rule for this. Look at its address and key, or ask whoever runs it.",
            )
        else:
            yield Finding(OK, subject, "It answers.")


def logins() -> Findings:
    """Which providers one can sign in with, and whether those that publish keys and addresses do."""
    from apps.accounts import ways_in
    from apps.accounts.liu import keys as liu_keys
    from apps.accounts.oidc import views as oidc

    found = ways_in.apps_set_up()
    if not found:
        yield Finding(OK, "logins", "By password, by a code in the mail and by passkeys; no provider is set up.")
    for app in found:
        name = ways_in.set_up()[app.provider_id or app.provider]
        subject = f"login with {name}"
        try:
            if app.provider == "liu":
                liu_keys.read(app.settings["url"])
                what = "It publishes the keys with which it signs."
            elif app.provider == "openid_connect":
                told = oidc.ask_metadata(f"{app.settings['server_url']}/.well-known/openid-configuration")
                what = "The issuer's metadata answers."
                if told["issuer"].rstrip("/") != app.settings["server_url"]:
                    yield Finding(
                        WARN, subject, f"The issuer calls itself {told['issuer']}.", "Write that in OIDC_…_ISSUER."
                    )
            else:
                what = "Its keys are set; whether they are right shows at the first sign-in."
        except (OSError, ValueError, KeyError, TypeError, OAuth2Error) as error:
            yield Finding(
                FAIL,
                subject,
                f"It does not answer as it should: {type(error).__name__}.",
                "See whether this machine reaches it, and correct its address. Other ways to sign in work meanwhile.",
            )
        else:
            yield Finding(OK, subject, what)


def storage() -> Findings:
    for alias, what in (("default", "pictures"), ("private", "exports"), ("documents", "PDF tickets")):
        place = storages[alias]
        try:
            name = place.save(f"doctor/{uuid.uuid4().hex}.txt", ContentFile(b"written by manage.py doctor\n"))
            place.delete(name)
        except OSError as error:
            yield Finding(
                FAIL,
                f"storage for {what}",
                f"It cannot be written to: {error.strerror or type(error).__name__}.",
                "Give the site's user the right to write there, or free some space.",
            )
        else:
            yield Finding(OK, f"storage for {what}", "It can be written to.")


def documents() -> Findings:
    from apps.ticketing import documents

    if why := documents.problem():
        yield Finding(
            WARN,
            "PDF tickets",
            why,
            "Tickets are shown and mailed as pages meanwhile. As root: apt-get install " + documents.PACKAGES,
        )
    else:
        yield Finding(OK, "PDF tickets", "They can be made.")


def effects() -> Findings:
    from apps.ticketing.models import Effect
    from apps.ticketing.states import EffectState

    dead = list(Effect.objects.filter(state=EffectState.DEAD).order_by("-id").values_list("kind", "key")[:1])
    count = Effect.objects.filter(state=EffectState.DEAD).count()
    late = _late_effects()
    if count:
        kind, key = dead[0]
        yield Finding(
            WARN,
            "outbox",
            f"{count} given up after many tries; the last is {kind} ({key}).",
            "Their last_error says why; somebody has to finish them by hand.",
        )
    if late:
        yield Finding(
            WARN, "outbox", f"{late} due for more than five minutes.", "Look at the workers for default and documents."
        )
    if not count and not late:
        yield Finding(OK, "outbox", "Nothing given up, nothing overdue.")


def _late_effects() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ticketing_effect WHERE state = 'due' AND due_at < foyer_now() - interval '5 min'"
        )
        return cursor.fetchone()[0]


def promises() -> Findings:
    from apps.ticketing import invariants

    found = invariants.check()
    for violation in found:
        yield Finding(
            FAIL, "promises", f"Broken: {violation.promise}.", "`python manage.py check_invariants` names the rows."
        )
    if not found:
        yield Finding(OK, "promises", "All are kept: stock, money and tickets agree.")


QUESTIONS: tuple[Callable[[], Findings], ...] = (
    database,
    migrations,
    redis,
    workers,
    cron,
    mail,
    clock,
    keys,
    payments,
    registers,
    logins,
    storage,
    documents,
    effects,
    promises,
)


def examine() -> list[Finding]:
    """Ask everything. A question that raises is answered FAIL with what was in its way."""
    findings: list[Finding] = []
    for question in QUESTIONS:
        try:
            findings += question()
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0][:120]
            findings.append(
                Finding(
                    FAIL,
                    question.__name__,
                    f"It could not be examined: {type(error).__name__}: {first}",
                    "Mend what stands above first." if findings else f"Look at {DEFAULT_DB_ALIAS}: DATABASE_URL.",
                )
            )
            if connection.connection is not None and not connection.is_usable():
                connection.close()
    return findings
