"""Fill a demo with two associations, their people, events in every state and pages in both languages.

May be run again and again: what is there stays, passwords are set anew, and events whose day has passed are moved on.
Refuses to run in production. Writes the logins to the file named by FOYER_DEMO_LOGINS.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt, encrypt
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.text import slugify
from wagtail.models import Page

from apps.accounts.models import User
from apps.checkin import passes
from apps.checkin.models import GatePass
from apps.discounts import presale, presale_mails
from apps.discounts.models import Audience, PresaleLink
from apps.discounts.models.presale import index_of
from apps.events import tenancy
from apps.events.legal_start import START
from apps.events.models import (
    Event,
    EventPage,
    HomePage,
    LegalKind,
    LegalText,
    Organisation,
    OrganisationPage,
    PlainPage,
)
from apps.ticketing import clock
from apps.ticketing.models import Choice, Question, Quota, TicketType, TransferAccount, Variation
from config import demo_discounts, demo_gifts, demo_members, demo_refunds, demo_resale, demo_waiting
from config.demo_orders import sell
from config.demo_pictures import picture_of

PASSWORD = "lucia-i-foajen"
SONGS = "Songs by candlelight"
GASQUE = "Winter gasque"
NAMES = uuid.UUID("6f0e7f2e-4f0e-4a52-9d5c-1f6c1b0a1200")  # makes the same public id of the same name every time


def public_id(name: str) -> uuid.UUID:
    return uuid.uuid5(NAMES, name)


class Command(BaseCommand):
    help = "Fill the database with demo data. Safe to repeat; never in production."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError("Demo data is for demos: set FOYER_ENV=demo.")
        home = tenancy.ensure_site()
        with transaction.atomic():
            page, logins = fill(home, clock.now())
        demo_discounts.make(Event.objects.get(public_id=public_id(GASQUE)), clock.now())
        demo_gifts.offer_for_more(Event.objects.get(public_id=public_id(GASQUE)), clock.now())
        demo_refunds.make_rule(page.event)
        demo_refunds.make_orders(page.event)
        songs = Event.objects.get(public_id=public_id(SONGS))
        sell(songs)
        demo_resale.put_up(songs)
        demo_resale.put_up(page.event)
        demo_gifts.offer(songs)
        demo_waiting.make(songs)
        for login in logins:
            address = (page.url if login["role"] == "buyer" else login["url"]) or "/"
            login["url"] = settings.SITE_URL + address
            if login["role"] == "buyer":
                login["presale_link"] = make_presale(Event.objects.get(public_id=public_id("winter ball")))
            if login["role"] == "door":
                login["gate_pass"] = settings.SITE_URL + make_gate_pass(page.event)
        target = os.environ.get("FOYER_DEMO_LOGINS")
        if target:
            Path(target).write_text(json.dumps(logins, indent=2, ensure_ascii=False), encoding="utf-8")
        if options["verbosity"]:
            for login in logins:
                self.stdout.write(f"{login['role']:<12} {login['email']:<28} {login['password']:<16} {login['url']}")


def fill(home: Page, at: datetime) -> tuple[EventPage, list[dict[str, str]]]:
    """Make what is missing; return the page that sells and the logins."""
    make_plain_pages()
    lyktan = make_organisation(
        home,
        "Festföreningen Lyktan",
        "lyktan",
        legal_name="Festföreningen Lyktan",
        organisation_number="802999-0000",
        address="Campusvägen 3\n581 83 Linköping",
        email="lyktan@example.org",
        introduction=("<p>Vi tänder ljus i mörkret.</p>", "<p>We light candles in the dark.</p>"),
    )
    sexsidan = make_organisation(
        home,
        "Spelklubben Sexsidan",
        "sexsidan",
        legal_name="Spelklubben Sexsidan",
        organisation_number="802998-0001",
        address="Campusvägen 5\n581 83 Linköping",
        email="sexsidan@example.org",
        accent_colour="#0B3D91",
        introduction=("<p>Brädspel varje fredag.</p>", "<p>Board games every Friday.</p>"),
    )
    make_own_terms(lyktan)
    page = make_lucia(lyktan, at)
    make_winter_ball(lyktan, at)
    make_mulled_wine(lyktan, at)
    make_crayfish_party(lyktan, at)
    make_spring_concert(lyktan, at)
    make_board_games(sexsidan, at)
    kulissen = make_organisation(
        home,
        "Spexlaget Kulissen",
        "kulissen",
        email="kulissen@example.org",
        accent_colour="#C01F3F",
        introduction=("<p>Spex sedan lagom länge.</p>", "<p>Student comedy, on stage.</p>"),
    )
    istappen = make_organisation(
        home,
        "Vokalensemblen Istappen",
        "istappen",
        email="istappen@example.org",
        accent_colour="#16437A",
        introduction=("<p>Åtta röster och en stämgaffel.</p>", "<p>Eight voices and a tuning fork.</p>"),
    )
    make_small_event(
        lyktan, at, 54, 19, ("Visor i ljussken", SONGS), "Kapellet", "bars", 12_000
    )  # with buyers, to be cancelled or moved
    make_small_event(lyktan, at, 33, 18, ("Vintergasque", GASQUE), "Kårhuset Fyren", "arches", 24_000)
    for organisation, evenings in ((kulissen, PLAYS), (istappen, CONCERTS), (sexsidan, GAMES)):
        for row in evenings:
            make_small_event(organisation, at, *row)
    make_transfer_account(kulissen)
    demo_members.make_bodies(lyktan)
    return page, make_people(lyktan, sexsidan, kulissen)


# --- People --------------------------------------------------------------------------------------------------------


def make_people(lyktan: Organisation, sexsidan: Organisation, kulissen: Organisation) -> list[dict[str, str]]:
    assert lyktan.editors and lyktan.treasurers and lyktan.door and sexsidan.editors  # made with the organisation
    assert kulissen.treasurers
    books = [lyktan.treasurers, kulissen.treasurers]
    hashed = make_password(PASSWORD)
    people = [
        ("organiser", "organiser@example.org", "Alva Ahlin", "/admin/events/", [lyktan.editors, lyktan.door]),
        ("treasurer", "treasurer@example.org", "Bo Berg", "/admin/to-do/", books),
        ("treasurer-2", "treasurer-2@example.org", "Cilla Ceder", "/admin/orders/", [lyktan.treasurers]),
        ("door", "door@example.org", "Robin Ros", "/door/", [lyktan.door]),
        ("buyer", "buyer@example.org", "Kim Karlsson", "/", []),
        ("organiser-b", "organiser-b@example.org", "Ville Virtanen", "/admin/events/", [sexsidan.editors]),
        ("superuser", "admin@example.org", "Maja Mård", "/admin/", None),
    ]
    logins = []
    for role, email, name, url, groups in people:
        user, _made = User.objects.get_or_create(email=email, defaults={"name": name})
        user.password, user.is_active = hashed, True
        user.is_staff = user.is_superuser = groups is None
        user.save()
        user.groups.add(*(groups or []))
        EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
        if groups and lyktan.treasurers in groups:
            give_second_step(user)
        logins.append({"role": role, "email": email, "password": PASSWORD, "url": url})
    return logins


def make_transfer_account(organisation: Organisation) -> None:
    """Buyers may send the money themselves: numbers that are well formed, and nobody's."""
    ways = {"offers_transfer": True, "bankgiro": "9912346", "offers_swish": True, "swish_number": "1239009999"}
    TransferAccount.objects.get_or_create(organisation=organisation, defaults={**ways, "offers_invoice": True})


def give_second_step(user: User) -> None:
    """An app for codes, whose secret hangs on the demo's own (var/demo/secrets.json): the same at every start.
    `make manage ARGS='totp E-MAIL'` says what it shows."""
    secret = base64.b32encode(salted_hmac("demo second step", user.email, algorithm="sha256").digest()[:20]).decode()
    kept = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if kept is None or decrypt(kept.data["secret"]) != secret:
        Authenticator.objects.update_or_create(
            user=user, type=Authenticator.Type.TOTP, defaults={"data": {"secret": encrypt(secret)}}
        )


def make_gate_pass(event: Event) -> str:
    """A pass to the door of `event`, and the address that opens it: the same every time, because only its hash is kept.
    One that was taken back or has run out is made good again."""
    secret = salted_hmac("demo gate pass", str(event.public_id), algorithm="sha256").hexdigest()
    facts = {"holder_name": "Robin", "gate": "Entré B", "expires_at": passes.default_end(event)}
    GatePass.objects.update_or_create(
        secret_hash=passes.hash_of(secret),
        defaults={**facts, "revoked_at": None},
        create_defaults={**facts, "event": event, "created_at": clock.now()},
    )
    return reverse("checkin:pass", args=[secret])


def make_presale(event: Event) -> str:
    """Two tickets of the winter ball that strangers do not see: one by a link, whose address is returned and is always
    the same, and one for members, of whom the demo's buyer is one."""
    quota = make_quota(event, "Platser", 120)
    facts = {"price_minor": 49_500, "vat_percent": 12}
    alumni = make_type(event, 1, quota, ("Alumni", "Alumni"), visibility="link", max_per_order=4, **facts)
    members = make_type(event, 2, quota, ("Medlem i Lyktan", "Member of Lyktan"), visibility="members", **facts)
    body = demo_members.listed_body(event.organisation)
    Audience.objects.get_or_create(ticket_type=members, body=body)
    demo_members.make_member(body, User.objects.get(email="buyer@example.org"), clock.now())
    secret = salted_hmac("demo presale link", str(event.public_id), algorithm="sha256").hexdigest()[:48]
    link = PresaleLink.objects.filter(secret_index=index_of(secret)).first()
    closes_at = event.starts_at - timedelta(days=7)
    if link is None:
        what = {"label": "Alumni 2016", "email": "alumni@example.org", "size": 20, "max_per_person": 4}
        link = presale.create(event, types=[alumni], secret=secret, closes_at=closes_at, sets_aside=True, **what)
    elif link.closes_at != closes_at and link.revoked_at is None:
        link = presale.change(link, seen=link.edition, types=[alumni], closes_at=closes_at)
    return presale_mails.address_of(link)


# --- Organisations and pages -----------------------------------------------------------------------------------------


def make_organisation(home: Page, name: str, slug: str, *, introduction: tuple[str, str], **facts: Any) -> Organisation:
    organisation = Organisation.objects.filter(slug=slug).first()
    if organisation is None:
        organisation = Organisation(name=name, slug=slug, **facts)
        tenancy.equip(organisation, home)
        for root in OrganisationPage.objects.filter(organisation=organisation).select_related("locale"):
            root.introduction = introduction[0 if root.locale.language_code == "sv" else 1]
            root.save_revision().publish()
    return organisation


PLAIN_PAGES = (
    (
        (
            "Hjälp och kontakt",
            "<p>Frågor om ett evenemang besvaras av föreningen som håller i det. Adressen står på "
            "evenemangets sida och i mejlet med biljetterna.</p>",
        ),
        (
            "Help and contact",
            "<p>Questions about an event are answered by the association that arranges it. Its address "
            "stands on the event's page and in the mail with the tickets.</p>",
        ),
    ),
)


def make_plain_pages() -> None:
    homes = {page.locale.language_code: page for page in HomePage.objects.select_related("locale")}
    for swedish, english in PLAIN_PAGES:
        key = public_id(swedish[0])
        for language, (title, text) in (("sv", swedish), ("en", english)):
            if PlainPage.objects.filter(translation_key=key, locale__language_code=language).exists():
                continue
            parent = homes[language]
            page = PlainPage(title=title, slug=slugify(title), text=text, show_in_menus=True, locale=parent.locale)
            page.translation_key = key
            Page.objects.get(pk=parent.pk).add_child(instance=page)


OWN_TERMS = (
    (
        "<h2>Byta namn</h2>",
        "<p>Vill du ge platsen till en vän? Skriv till {email} senast dagen före, så byter vi namnet utan kostnad.</p>",
    ),
    (
        "<h2>Another name</h2>",
        "<p>Do you want a friend to have your place? Write to {email} at the latest the day before, and we change the "
        "name for free.</p>",
    ),
)


def make_own_terms(organisation: Organisation) -> None:
    """Terms with a rule of the association's own. The others have the house's, and the house the start texts."""
    row = LegalText.objects.get(organisation=organisation, kind=LegalKind.TERMS)
    if not row.text_sv:
        row.text_sv, row.text_en = (
            start + "".join(own) for start, own in zip(START[LegalKind.TERMS], OWN_TERMS, strict=True)
        )
        row.save()


def make_event(name: str, organisation: Organisation, starts_at: datetime, hours: int, **facts: Any) -> Event:
    """The event, or the one that was made before, moved on when its day has passed (or should have)."""
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=hours)}
    event = Event.objects.filter(public_id=public_id(name)).first()
    if event is None:
        return Event.objects.create(public_id=public_id(name), organisation=organisation, **times, **facts)
    if abs(event.starts_at - starts_at) > timedelta(days=14):
        Event.objects.filter(pk=event.pk).update(**times, doors_at=facts.get("doors_at"))
        event.refresh_from_db()
    return event


def make_page(
    event: Event, swedish: list[dict[str, Any]], english: list[dict[str, Any]], *, live: bool = True
) -> EventPage:
    """The event's page in both languages; returns the Swedish one."""
    key = public_id(f"page of {event.public_id}")
    for root in OrganisationPage.objects.filter(organisation=event.organisation).select_related("locale"):
        language = root.locale.language_code
        if EventPage.objects.filter(event=event, locale=root.locale).exists():
            continue
        title = event.title_sv if language == "sv" else event.title_en
        body = json.dumps(swedish if language == "sv" else english)
        page = EventPage(
            title=title, slug=slugify(title), event=event, locale=root.locale, translation_key=key, body=body, live=live
        )
        Page.objects.get(pk=root.pk).add_child(instance=page)
    return EventPage.objects.get(event=event, locale__language_code="sv")


def block(kind: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "id": str(uuid.uuid4())}


TICKETS = {"heading": "", "event": None}


def hero(motif: str, kicker: str = "") -> dict[str, Any]:
    return block("hero", {"kicker": kicker, "motif": motif, "photo": None})


def shown(organisation: Organisation, name: str, alt: str) -> dict[str, Any]:
    return {"image": picture_of(organisation, name).pk, "alt_text": alt, "decorative": not alt}


def programme(heading: str, *rows: tuple[str, str, str, Any]) -> dict[str, Any]:
    keys = ("time", "title", "text", "picture")
    return block("programme", {"heading": heading, "rows": [dict(zip(keys, row, strict=True)) for row in rows]})


def gallery(organisation: Organisation, heading: str, *pictures: tuple[str, str, str]) -> dict[str, Any]:
    rows = [{"picture": shown(organisation, name, alt), "caption": caption} for name, alt, caption in pictures]
    return block("gallery", {"heading": heading, "pictures": rows})


def partners(organisation: Organisation) -> dict[str, Any]:
    names = [("norra", "Studentkåren Norra"), ("trasten", "Kafé Trasten"), ("tryckeriet", "Tryckeriet Blå")]
    rows = [
        {"name": name, "logo": picture_of(organisation, kind).pk, "address": "https://example.org/"}
        for kind, name in names
    ]
    return block("partners", {"heading": "", "partners": rows})


def evening(at: datetime, days: int, hour: int, minute: int = 0) -> datetime:
    """`days` from now at an hour in Sweden, on the Saturday at or after that day."""
    day = timezone.localtime(at) + timedelta(days=days)
    day += timedelta(days=(5 - day.weekday()) % 7)
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)


# --- Events --------------------------------------------------------------------------------------------------------


def make_type(event: Event, position: int, quota: Quota, names: tuple[str, str], **facts: Any) -> TicketType:
    kind, made = TicketType.objects.get_or_create(
        event=event, position=position, defaults={"name_sv": names[0], "name_en": names[1], **facts}
    )
    if made:
        kind.quotas.add(quota)
    return kind


def make_choices(
    kind: TicketType,
    names: tuple[str, str],
    *answers: tuple[str, str, int],
    preselected: int | None = None,
    few: tuple[str, int] | None = None,
) -> None:
    """A question with its answers; `preselected` is the place of the one that nobody has to tap, and of the last there
    are as `few` as that, by a quota of its own."""
    variation, made = Variation.objects.get_or_create(
        ticket_type=kind, position=0, defaults={"name_sv": names[0], "name_en": names[1]}
    )
    if made:
        Choice.objects.bulk_create(
            Choice(
                variation=variation,
                position=place,
                name_sv=swedish,
                name_en=english,
                delta_minor=delta,
                is_default=place == preselected,
            )
            for place, (swedish, english, delta) in enumerate(answers)
        )
        if few is not None:
            variation.choices.order_by("position").last().quotas.add(make_quota(kind.event, *few))  # type: ignore[union-attr]


def make_snaps(kind: TicketType) -> None:
    """Up to three with the dinner, for those who like."""
    variation, made = Variation.objects.get_or_create(
        ticket_type=kind,
        position=1,
        defaults={"name_sv": "Till maten", "name_en": "With the food", "kind": Variation.Kind.MANY},
    )
    if made:
        Choice.objects.create(variation=variation, name_sv="Snaps", name_en="Snaps", delta_minor=3_000, max_quantity=3)


def make_diet(kind: TicketType) -> None:
    """What the kitchen must know, asked of each guest after the purchase, and a song for those who like."""
    asked: dict[int, dict[str, Any]] = {
        0: {"text_sv": "Vad äter du inte?", "text_en": "What do you not eat?", "kind": Question.Kind.DIET,
            "is_required": True, "is_sensitive": True, "ask_again_on_resale": True},
        1: {"text_sv": "Vilken visa vill du höra?", "text_en": "Which song would you like to hear?"},
    }  # fmt: skip
    for place, facts in asked.items():
        Question.objects.get_or_create(ticket_type=kind, position=place, defaults=facts)


def make_quota(event: Event, name: str, size: int) -> Quota:
    return Quota.objects.get_or_create(event=event, name=name, defaults={"size": size})[0]


def make_lucia(organisation: Organisation, at: datetime) -> EventPage:
    """On sale now: a free ticket, and one with choices that change its price."""
    starts_at = evening(at, 20, 18)
    event = make_event(
        "lucia",
        organisation,
        starts_at,
        8,
        title_sv=f"Luciasittning {starts_at.year}",
        title_en=f"Lucia dinner {starts_at.year}",
        doors_at=starts_at - timedelta(minutes=30),
        venue="Kårhuset Fyren",
        venue_address="Campusvägen 3, Linköping",
        max_per_person=6,
    )
    quota = make_quota(event, "Platser", 40)
    dinner = make_type(
        event,
        0,
        quota,
        ("Sittning", "Dinner"),
        price_minor=25_000,
        vat_percent=12,
        vat_split=[["6.00", 5_000]],  # the choir and the band
        minimum_age=18,
        description_sv="Trerätters, gyckel och dans.",
        description_en="Three courses, songs and dancing.",
    )
    make_choices(
        dinner,
        ("Dryck", "Beverage"),
        ("Öl", "Beer", 0),
        ("Cider", "Cider", 0),
        ("Alkoholfritt", "Alcohol-free", -1_000),
        ("Vin, en halvflaska", "Wine, half a bottle", 9_000),
        preselected=0,
        few=("Vin", 12),
    )
    make_snaps(dinner)
    make_diet(dinner)
    make_type(
        event,
        1,
        quota,
        ("Funktionär", "Helper"),
        price_minor=0,
        max_per_person=1,
        description_sv="Du hjälper till i köket och äter med oss efteråt.",
        description_en="You help in the kitchen and eat with us afterwards.",
    )
    return make_page(
        event,
        [
            hero("lucia"),
            block("tickets", TICKETS),
            block(
                "text",
                "<p>När mörkret är som djupast tänder vi allt vi har. Trerätters middag, luciatåg på riktigt, "
                "gyckel mellan rätterna och dans som håller liv i natten.</p>"
                "<p>Klädsel: mörk kostym med något som lyser. Sångböcker ligger på borden.</p>",
            ),
            programme(
                "Så blir kvällen",
                ("17:30:00", "Insläpp", "Glögg i foajén, garderob 20 kr", None),
                ("18:00:00", "Sittningen börjar", "Vi går till bords tillsammans", None),
                ("20:15:00", "Luciatåget", "Vokalensemblen Istappen", shown(organisation, "kör", "")),
                ("22:30:00", "Dans", "Storbandet Orgelpiporna", shown(organisation, "band", "")),
            ),
            gallery(
                organisation,
                "Förra året",
                ("långbord", "Ett långbord med ljus, under vimplar", "112 gäster, 300 ljus"),
                ("krona", "Lucia med ljuskrona", "Lucia själv"),
                ("följe", "Två i luciatåget med ljus i händerna", "Tåget kommer in"),
                ("stjärna", "En pappersstjärna", "Stjärnan i fönstret"),
                ("scen", "Scenen mellan två ridåer", "Före gycklet"),
            ),
            block(
                "practical_info",
                {"heading": "", "age": 18, "map": "", "notes": [{"title": "Garderob", "text": "20 kr, bara kort"}]},
            ),
            block("countdown", {"until": "doors"}),
            block(
                "faq",
                {
                    "heading": "",
                    "questions": [
                        {
                            "question": "Jag är allergisk, vad gör jag?",
                            "answer": "<p>Skriv till oss en vecka innan, så ordnar köket det.</p>",
                        },
                        {
                            "question": "Är lokalen tillgänglig med rullstol?",
                            "answer": "<p>Ja. Ramp vid entré B och hiss till matsalen.</p>",
                        },
                    ],
                },
            ),
            partners(organisation),
        ],
        [
            hero("lucia"),
            block("tickets", TICKETS),
            block(
                "text",
                "<p>When the dark is deepest we light all we have. A dinner of three courses, a real Lucia "
                "procession, songs between the courses and dancing that keeps the night alive.</p>"
                "<p>Dress: a dark suit with something that shines. Song books are on the tables.</p>",
            ),
            programme(
                "The evening",
                ("17:30:00", "Doors open", "Mulled wine in the foyer, cloakroom 20 kr", None),
                ("18:00:00", "Dinner begins", "We sit down together", None),
                ("20:15:00", "The Lucia procession", "The vocal ensemble Istappen", shown(organisation, "kör", "")),
                ("22:30:00", "Dancing", "The big band Orgelpiporna", shown(organisation, "band", "")),
            ),
            gallery(
                organisation,
                "Last year",
                ("långbord", "A long table with candles below bunting", "112 guests, 300 candles"),
                ("krona", "Lucia with her crown of candles", "Lucia herself"),
                ("följe", "Two of the procession with candles in their hands", "The procession enters"),
                ("stjärna", "A paper star", "The star in the window"),
                ("scen", "The stage between two curtains", "Before the songs"),
            ),
            block(
                "practical_info",
                {"heading": "", "age": 18, "map": "", "notes": [{"title": "Cloakroom", "text": "20 kr, cards only"}]},
            ),
            block("countdown", {"until": "doors"}),
            block(
                "faq",
                {
                    "heading": "",
                    "questions": [
                        {
                            "question": "I have an allergy, what do I do?",
                            "answer": "<p>Write to us a week before, and the kitchen will see to it.</p>",
                        },
                        {
                            "question": "Can I come in a wheelchair?",
                            "answer": "<p>Yes. There is a ramp at entrance B and a lift to the hall.</p>",
                        },
                    ],
                },
            ),
            partners(organisation),
        ],
    )


def make_winter_ball(organisation: Organisation, at: datetime) -> None:
    """Not open yet: the sale opens in two days."""
    event = make_event(
        "winter ball",
        organisation,
        evening(at, 60, 19),
        7,
        title_sv="Vinterbalen",
        title_en="The Winter Ball",
        venue="Kårhuset Fyren",
        venue_address="Campusvägen 3, Linköping",
    )
    opens = (timezone.localtime(at) + timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)
    quota = make_quota(event, "Platser", 120)
    kind = make_type(event, 0, quota, ("Bal", "Ball"), price_minor=59_500, vat_percent=12, sale_opens_at=opens)
    if kind.sale_opens_at is not None and kind.sale_opens_at <= at:
        TicketType.objects.filter(pk=kind.pk).update(sale_opens_at=opens)
    make_page(
        event,
        [
            hero("curtain"),
            block("tickets", TICKETS),
            block("text", "<p>Frack eller folkdräkt. Orkestern börjar 21.</p>"),
        ],
        [hero("curtain"), block("tickets", TICKETS), block("text", "<p>White tie. The orchestra begins at 21:00.</p>")],
    )


def make_mulled_wine(organisation: Organisation, at: datetime) -> None:
    """Free, with two places: easily sold out. Guests' browsers do a calculation first."""
    event = make_event(
        "mulled wine",
        organisation,
        evening(at, 27, 17),
        4,
        title_sv="Glöggmingel med stjärngossar",
        title_en="Mulled wine with star boys",
        venue="Foajén",
        venue_address="Campusvägen 3, Linköping",
        challenges_guests=True,
    )
    make_type(event, 0, make_quota(event, "Platser", 2), ("Mingel", "Mingle"), price_minor=0, max_per_order=2)
    make_page(
        event,
        [hero("star"), block("tickets", TICKETS), block("text", "<p>Glögg, pepparkakor och sång.</p>")],
        [hero("star"), block("tickets", TICKETS), block("text", "<p>Mulled wine, ginger biscuits and songs.</p>")],
    )


def make_crayfish_party(organisation: Organisation, at: datetime) -> None:
    """Over."""
    event = make_event(
        "crayfish party",
        organisation,
        evening(at, -40, 18),
        6,
        title_sv="Kräftskivan",
        title_en="The crayfish party",
        venue="Kårhuset Fyren",
        venue_address="Campusvägen 3, Linköping",
    )
    make_type(event, 0, make_quota(event, "Platser", 80), ("Kräftskiva", "Crayfish party"), price_minor=18_000)
    make_page(
        event,
        [hero("quarters"), block("tickets", TICKETS), block("text", "<p>Tack alla som kom!</p>")],
        [hero("quarters"), block("tickets", TICKETS), block("text", "<p>Thank you, all who came!</p>")],
    )


def make_spring_concert(organisation: Organisation, at: datetime) -> None:
    """A draft that cannot be published yet: one ticket takes from no quota, of another more must be bought than are."""
    event = make_event(
        "spring concert",
        organisation,
        evening(at, 90, 19),
        4,
        title_sv="Vårkonserten",
        title_en="The spring concert",
        venue="Kårhuset Fyren",
        venue_address="Campusvägen 3, Linköping",
    )
    names = {"name_sv": "Stå på parkett", "name_en": "Standing", "price_minor": 12_000, "vat_percent": 6}
    TicketType.objects.get_or_create(event=event, position=0, defaults=names)
    tables = make_quota(event, "Bordsplatser", 6)
    make_type(
        event,
        1,
        tables,
        ("Plats vid bord", "At a table"),
        price_minor=18_000,
        vat_percent=6,
        min_per_order=8,
        max_per_order=8,
    )
    make_page(
        event,
        [hero("hills"), block("tickets", TICKETS), block("text", "<p>Storbandet, kören och vårens första kväll.</p>")],
        [hero("hills"), block("tickets", TICKETS), block("text", "<p>Big band, choir and the first spring night.</p>")],
        live=False,
    )


def make_board_games(organisation: Organisation, at: datetime) -> None:
    """The other association's event, in its own colours."""
    event = make_event(
        "board games",
        organisation,
        evening(at, 68, 17),
        6,
        title_sv="Brädspelskväll med turneringsfinal",
        title_en="Board games with the final",
        venue="Källaren",
        venue_address="Campusvägen 5, Linköping",
    )
    make_type(
        event,
        0,
        make_quota(event, "Stolar", 60),
        ("Plats vid bordet", "A seat"),
        price_minor=3_000,
        vat_percent=25,
        description_sv="Kaffe och saft ingår. Vi lottar borden i dörren.",  # in Swedish alone: its desk lists the gap
    )
    make_page(
        event,
        [hero("dice"), block("tickets", TICKETS), block("text", "<p>Ta med ett spel eller låna ett av våra 200.</p>")],
        [hero("dice"), block("tickets", TICKETS), block("text", "<p>Bring a game or borrow one of our 200.</p>")],
    )


# For the list to have something to be searched: days from now, hour, titles, venue, motif, price.
Row = tuple[int, int, tuple[str, str], str, str, int]
PLAYS: tuple[Row, ...] = (
    (33, 18, ("Den glömda garderoben", "The Forgotten Wardrobe"), "Teater Ridån", "curtain", 14_000),
    (-75, 18, ("Sommarspexet", "The summer play"), "Teater Ridån", "curtain", 12_000),
)
CONCERTS: tuple[Row, ...] = (
    (40, 19, ("Istappar och ackord", "Icicles and chords"), "Kapellet", "bars", 8_000),
    (-12, 19, ("Höststämmor", "Autumn voices"), "Kapellet", "bars", 8_000),
)
GAMES: tuple[Row, ...] = (
    (47, 17, ("Nybörjarkväll", "Beginners' night"), "Källaren", "quarters", 0),
    (124, 12, ("Vårturneringen", "The spring tournament"), "Källaren", "hills", 5_000),
    (-110, 17, ("Spelmaraton", "Games marathon"), "Källaren", "dice", 3_000),
)


def make_small_event(
    organisation: Organisation,
    at: datetime,
    days: int,
    hour: int,
    titles: tuple[str, str],
    venue: str,
    motif: str,
    price_minor: int,
) -> None:
    """One that is only there to be found."""
    event = make_event(
        titles[1],
        organisation,
        evening(at, days, hour),
        4,
        title_sv=titles[0],
        title_en=titles[1],
        venue=venue,
        venue_address="Campusvägen 7, Linköping",
    )
    make_type(event, 0, make_quota(event, "Platser", 90), ("Biljett", "Ticket"), price_minor=price_minor)
    make_page(
        event,
        [hero(motif), block("tickets", TICKETS), block("text", "<p>Dörrarna öppnar en halvtimme innan.</p>")],
        [hero(motif), block("tickets", TICKETS), block("text", "<p>Doors open half an hour before.</p>")],
    )
