"""What buyers fill in: the ticket form and the checkout. Bad input of any kind becomes a sentence beside its field.

The ticket form is built from the catalogue and read back with the same names: `type-<id>` how many, then for each
ticket `choice-<id>-<n>-<variation>`, `extra-<id>-<n>-<choice>`, `guest-<id>-<n>` (all ids public). `edition-<id>` says
which prices and choices the buyer was shown, `seen-<id>-<n>` what that ticket cost in the sum (your_price). Next:
ordering.place.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.accounts.plain_text import one_line
from apps.events.models import Event
from apps.ticketing import challenges, code_guesses, reasons, typed_codes
from apps.ticketing.catalogue import Catalogue, ChoiceFacts, TypeFacts, VariationFacts
from apps.ticketing.context import PurchaseContext
from apps.ticketing.ordering import Problem, WantedTicket
from apps.ticketing.sale import Sale, TypeOffer
from apps.ticketing.shown_prices import edition, is_overtaken, own_price
from apps.ticketing.your_price import YourPrice

KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
NEGATIVE_NUMBER = re.compile(r"[-\u2212][0-9]+([.,][0-9]+)?")
TYPE_FIELD = re.compile(r"type-(.*)")
LONGEST_EMAIL = 254
LONGEST_NAME = 120

STALE_FORM = reasons.register(
    "stale_form",
    gettext_lazy("This ticket has changed, or costs more, since you loaded the page. Nothing was charged. Look at it "
                 "and send again."),
)  # fmt: skip
CHALLENGE_REASONS = {
    challenges.Verdict.MISSING: reasons.CHALLENGE_MISSING,
    challenges.Verdict.OVER: reasons.CHALLENGE_OVER,
    challenges.Verdict.WRONG: reasons.CHALLENGE_WRONG,
}
CONFLICT_REASONS = frozenset({STALE_FORM, reasons.KEY_OF_ANOTHER, reasons.SALE_STOPPED})


def new_key() -> str:
    """A fresh idempotency key: one per form shown."""
    return secrets.token_urlsafe(18)


@dataclass
class Wish:
    """What a POST asks for, as far as it can be read, and everything that is wrong with it by field name."""

    email: str = ""
    key: str = ""
    fewer_is_fine: bool = True
    tokens: tuple[str, ...] = ()  # a link or a code that came with the form (see tokens)
    tickets: list[WantedTicket] = field(default_factory=list)
    # (ticket type, number within it) of each of `tickets`: names the fields of the n-th ticket.
    places: list[tuple[TypeFacts, int]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    discount_code: str = ""  # as typed
    wait_seconds: int = 0  # in how many this person may send again; 0 when they have not sent too often

    def wrong(self, name: str, sentence: str, reason: str = reasons.REFUSED) -> None:
        self.errors.setdefault(name, sentence)
        self.codes.add(reason)

    def add_problems(self, problems: Sequence[Problem]) -> None:
        """Take over what `ordering.place` found, at the fields of this form."""
        for problem in problems:
            name, message = problem.where, problem.message
            if name.startswith("choice-"):
                _choice, position, variation_id = name.split("-", 2)
                facts, number = self.places[int(position)]
                name = f"choice-{facts.public_id}-{number}-{variation_id}"
            self.wrong(name, message, problem.reason)

    def judge_codes(self, context: PurchaseContext, guesser: code_guesses.Guesser) -> None:
        """A code that opens nothing becomes a sentence at its field. Of whoever has tried too many, none is kept."""
        reason = typed_codes.refusal(context, guesser)
        if reason:
            self.wrong(typed_codes.FIELD, reasons.sentence(reason), reason)
        if reason in code_guesses.REFUSALS:
            self.tokens = typed_codes.without_codes(self.tokens)

    def only_asks_price(self) -> None:
        """Leave out what is wrong with a form that is not meant to be sent yet."""
        self.errors = {name: text for name, text in self.errors.items() if name == typed_codes.FIELD}
        self.codes.clear()

    def meet_challenge(self, event: Event, data: Mapping[str, str]) -> None:
        """Ask for the solved challenge of a guest; what is wrong with it becomes a sentence."""
        verdict = challenges.check(event, self.key, data.get("challenge", ""), data.get("answer", ""))
        if verdict != challenges.Verdict.SOLVED:
            reason = CHALLENGE_REASONS[verdict]
            self.wrong("challenge", reasons.sentence(reason), reason)

    def wait(self, seconds: int) -> None:
        """Have this person send again in so many seconds; 0 says that they have not sent too often."""
        self.wait_seconds = seconds
        if seconds:
            minutes = -(-seconds // 60)
            self.wrong(
                "email",
                ngettext(
                    "Too many orders were sent for this person. Nothing was charged and your choices are kept. Try "
                    "again in %(minutes)d minute, or sign in.",
                    "Too many orders were sent for this person. Nothing was charged and your choices are kept. Try "
                    "again in %(minutes)d minutes, or sign in.",
                    minutes,
                )
                % {"minutes": minutes},
                reasons.TOO_MANY_ORDERS,
            )

    @property
    def status(self) -> int:
        """The HTTP status of a refusal: 429 when it came too often, 409 when the form was overtaken by events, else
        422."""
        if self.wait_seconds or self.codes & code_guesses.REFUSALS:
            return 429
        return 409 if self.codes & CONFLICT_REASONS else 422


def read_wish(catalogue: Catalogue, data: Mapping[str, str]) -> Wish:
    """Read a posted ticket form. Whatever cannot be read is in `errors`; nothing raises, whatever was sent."""
    wish = Wish(
        email=data.get("email", "").strip(),
        key=data.get("idempotency_key", ""),
        fewer_is_fine=bool(data.get("fewer_is_fine")),
        discount_code=typed_codes.typed(data),
    )
    wish.tokens = typed_codes.tokens_of(wish.discount_code)
    if not KEY.fullmatch(wish.key):
        wish.wrong("tickets", _("The form is incomplete. Nothing was charged. Choose again and send."), STALE_FORM)
        wish.key = new_key()
    _read_email(wish)
    for facts in catalogue.types:
        _read_type(wish, facts, data)
    if names_another_type(catalogue, data):
        wish.wrong("tickets", reasons.sentence(reasons.NOT_ON_SALE), reasons.NOT_ON_SALE)
    if not wish.tickets and not wish.errors.keys() - {"email"}:
        wish.wrong("tickets", _("Choose at least one ticket."))
    return wish


def _read_email(wish: Wish) -> None:
    try:
        if len(wish.email) > LONGEST_EMAIL:
            raise ValidationError("too long")
        validate_email(wish.email)
    except ValidationError:
        wish.wrong(
            "email",
            _("Write an e-mail address such as robin@example.org.") if wish.email else _("Write your e-mail address."),
        )


def _read_type(wish: Wish, facts: TypeFacts, data: Mapping[str, str]) -> None:
    name = f"type-{facts.public_id}"
    count = _read_number(wish, name, data.get(name, ""))
    if not count:
        return
    if count > facts.max_per_order:
        wish.wrong(
            name,
            ngettext(
                "At most %(limit)d ticket of this kind per order.",
                "At most %(limit)d tickets of this kind per order.",
                facts.max_per_order,
            )
            % {"limit": facts.max_per_order},
            reasons.LIMIT_PER_ORDER,
        )
        return
    shown = data.get(f"edition-{facts.public_id}")
    if shown is not None and is_overtaken(facts, shown):
        wish.wrong(name, reasons.sentence(STALE_FORM), STALE_FORM)
    for number in range(1, count + 1):
        choices = tuple(_read_choices(wish, facts, number, data))
        guest = _read_guest(wish, facts, number, data)
        seen = _read_seen(data.get(f"seen-{facts.public_id}-{number}", ""), own_price(shown or ""))
        defaults = _left_to_us(facts, number, choices, data)
        wish.tickets.append(WantedTicket(facts.id, choices, guest_name=guest, seen_minor=seen, defaults=defaults))
        wish.places.append((facts, number))


def _read_seen(text: str, otherwise: int | None) -> int | None:
    """What the sum said this ticket costs without its choices; what its row said where there was no sum."""
    return int(text) if WHOLE_NUMBER.fullmatch(text) else otherwise


def _read_number(wish: Wish, name: str, text: str) -> int:
    """A whole number from a field, 0 for an empty one; anything else is a sentence and 0."""
    text = text.strip()
    if WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if text and NEGATIVE_NUMBER.fullmatch(text):
        wish.wrong(name, _("A number of tickets cannot be below 0."))
    elif text and text.isascii() and text.isdigit():
        wish.wrong(name, _("That is more tickets than one order may hold."), reasons.LIMIT_PER_ORDER)
    elif text:
        wish.wrong(name, _("Write a whole number, such as 2."))
    return 0


def _read_choices(wish: Wish, facts: TypeFacts, number: int, data: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    for variation in facts.variations:
        if variation.is_mandatory:
            name = f"choice-{facts.public_id}-{number}-{variation.public_id}"
            chosen = _find_choice(variation, data.get(name, ""))
            if chosen is None and not data.get(name):
                chosen = variation.default  # also without a script, where the form did not ask yet
            if chosen is not None:
                yield chosen.id, 1
            elif data.get(name):
                wish.wrong(name, reasons.sentence(reasons.CHOICE_GONE), reasons.CHOICE_GONE)
            else:
                wish.wrong(name, say_missing(variation, number), reasons.CHOICE_MISSING)
        else:
            for choice in variation.choices:
                yield from _read_extra(wish, facts, number, choice, data)


def _left_to_us(
    facts: TypeFacts, number: int, choices: tuple[tuple[int, int], ...], data: Mapping[str, str]
) -> frozenset[int]:
    """Which of the choices read for a ticket its buyer did not make: `ordering.place` asks where they are sold out."""
    unmade = {
        choice.id
        for variation in facts.variations
        if variation.is_mandatory and not data.get(f"choice-{facts.public_id}-{number}-{variation.public_id}")
        for choice in variation.choices
    }
    return frozenset(choice_id for choice_id, _quantity in choices if choice_id in unmade)


def _read_extra(
    wish: Wish, facts: TypeFacts, number: int, choice: ChoiceFacts, data: Mapping[str, str]
) -> Iterator[tuple[int, int]]:
    name = f"extra-{facts.public_id}-{number}-{choice.public_id}"
    quantity = _read_number(wish, name, data.get(name, ""))
    if quantity > choice.max_quantity:
        wish.wrong(name, say_most(choice.max_quantity), reasons.LIMIT_PER_ORDER)
    elif quantity:
        yield choice.id, quantity


def _read_guest(wish: Wish, facts: TypeFacts, number: int, data: Mapping[str, str]) -> str:
    if not facts.needs_name:
        return ""
    name = f"guest-{facts.public_id}-{number}"
    guest = one_line(data.get(name, ""))
    if not guest:
        wish.wrong(name, _("Write the name of the guest on ticket %(number)d.") % {"number": number})
    elif len(guest) > LONGEST_NAME:
        wish.wrong(name, say_too_long())
    return guest[:LONGEST_NAME]


def _find_choice(variation: VariationFacts, public_id: str) -> ChoiceFacts | None:
    return next((choice for choice in variation.choices if str(choice.public_id) == public_id), None)


def names_another_type(catalogue: Catalogue, data: Mapping[str, str]) -> bool:
    """Whether tickets are asked for of a type that is not in this catalogue: gone, another event's, or not for all."""
    own = {str(facts.public_id) for facts in catalogue.types}
    found = ((TYPE_FIELD.fullmatch(name), data.get(name, "")) for name in data)
    return any(match and match[1] not in own and value.strip() not in ("", "0") for match, value in found)


def say_missing(variation: VariationFacts, number: int | str) -> str:
    """The sentence beside a choice that was not made."""
    return _("Choose %(what)s for ticket %(number)s.") % {"what": variation.name.lower(), "number": number}


def say_most(limit: int) -> str:
    return ngettext("At most %(limit)d per ticket.", "At most %(limit)d per ticket.", limit) % {"limit": limit}


def say_too_long() -> str:
    return _("Write at most %(limit)d characters.") % {"limit": LONGEST_NAME}


# --- What the template shows -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChoiceOption:
    """One answer as it is drawn."""

    facts: ChoiceFacts
    price_name: str
    is_chosen: bool
    is_sold_out: bool


@dataclass(frozen=True)
class VariationField:
    """One question of one ticket as it is drawn; `error` is a sentence."""

    name: str
    facts: VariationFacts
    options: tuple[ChoiceOption, ...]
    missing: str
    error: str = ""
    has_focus: bool = False


@dataclass(frozen=True)
class ExtraField:
    """How many of one optional choice."""

    name: str
    facts: ChoiceFacts
    price_name: str
    value: str
    is_sold_out: bool
    reason: str
    error: str = ""
    has_focus: bool = False


@dataclass(frozen=True)
class PersonFields:
    """All that is asked about one ticket. `number` is its number within the type, or a mark the script replaces."""

    number: int | str
    variations: tuple[VariationField, ...]
    extras: tuple[tuple[VariationFacts, tuple[ExtraField, ...]], ...]
    guest_name: str = ""
    guest_value: str = ""
    guest_error: str = ""
    guest_missing: str = ""
    guest_has_focus: bool = False


NUMBER_MARK = "__n__"


@dataclass(frozen=True)
class TypeField:
    """One ticket type as it is drawn, with the tickets chosen of it."""

    offer: TypeOffer
    name: str
    value: str
    edition: str
    persons: tuple[PersonFields, ...]
    blank: PersonFields | None
    guest_rule: str = ""  # how many of it one may have, where it is a guest ticket
    error: str = ""
    has_focus: bool = False

    @property
    def limit_reason(self) -> str:
        """What is said when no more can be chosen."""
        facts, highest = self.offer.facts, self.offer.highest
        if highest in (facts.max_per_person, self.offer.per_person):
            return ngettext("At most %(limit)d per person", "At most %(limit)d per person", highest) % {
                "limit": highest
            }
        return ngettext("At most %(limit)d per order", "At most %(limit)d per order", highest) % {"limit": highest}


class TicketForm:
    """The ticket form of one sale, blank or as it was sent."""

    def __init__(
        self,
        sale: Sale,
        *,
        email: str = "",
        must_sign_in: bool = False,
        wish: Wish | None = None,
        data: Mapping[str, str] | None = None,
        takes_codes: bool = False,
        asks_price: bool = False,
        your_price: YourPrice | None = None,
    ):
        self.sale = sale
        self.takes_codes = takes_codes and not must_sign_in
        self.asks_price = asks_price and not must_sign_in  # the sum is asked for while one chooses
        self.your_price = your_price
        self.discount_code = wish.discount_code if wish else typed_codes.typed(data or {})
        self.must_sign_in = must_sign_in  # then nothing is asked: the sign-in comes first
        self.data = data or {}
        self.wish = wish
        self.errors = dict(wish.errors) if wish else {}
        self.key = wish.key if wish and reasons.KEY_OF_ANOTHER not in wish.codes else new_key()
        self.email = wish.email if wish else email
        self.fewer_is_fine = wish.fewer_is_fine if wish else data is None or bool(data.get("fewer_is_fine"))
        self._focus = self._first_wrong_field()
        self.types = tuple(self._type(offer) for offer in sale.offers)

    @property
    def is_filled(self) -> bool:
        """Whether it is drawn with what its buyer chose: as it was sent, or kept while they signed in."""
        return bool(self.data)

    @property
    def general_error(self) -> str:
        """What is wrong with the form as a whole, or with a field that is not shown any more."""
        shown = {name for name in self.errors if self._is_shown(name)}
        return next((text for name, text in self.errors.items() if name not in shown), "")

    @property
    def email_error(self) -> str:
        return self.errors.get("email", "")

    @property
    def email_has_focus(self) -> bool:
        return self._focus == "email"

    @property
    def code_error(self) -> str:
        return self.errors.get(typed_codes.FIELD, "") if self.takes_codes else ""

    @property
    def code_has_focus(self) -> bool:
        return bool(self.code_error) and self._focus in ("", typed_codes.FIELD)

    @property
    def fewer_matters(self) -> bool:
        """Whether "fewer is fine" can make a difference: more than one ticket may be bought at once."""
        return sum(offer.highest for offer in self.sale.choosable) > 1

    def _is_shown(self, name: str) -> bool:
        if self.must_sign_in:
            return False
        if name == typed_codes.FIELD:
            return self.takes_codes
        kind, _dash, rest = name.partition("-")
        return kind == "email" or any(rest.startswith(str(offer.facts.public_id)) for offer in self.sale.choosable)

    def _first_wrong_field(self) -> str:
        """The field that gets the focus: the first wrong one in the order of the page."""
        order = [str(offer.facts.public_id) for offer in self.sale.choosable]
        others = ("email", typed_codes.FIELD)
        wrong = [name for name in self.errors if name not in others and self._is_shown(name)]

        def rank(name: str) -> tuple[int, int]:
            place = next(index for index, public_id in enumerate(order) if public_id in name)
            return place, 0 if name.startswith("type-") else 1

        wrong.sort(key=rank)  # stable: the persons of one type stay in their order
        return wrong[0] if wrong else next((name for name in others if name in self.errors), "")

    def _type(self, offer: TypeOffer) -> TypeField:
        facts = offer.facts
        name = f"type-{facts.public_id}"
        value = self.data.get(name, "0").strip() or "0"
        count = min(int(value), facts.max_per_order) if WHOLE_NUMBER.fullmatch(value) else 0
        asks = bool(facts.variations) or facts.needs_name
        return TypeField(
            offer=offer,
            name=name,
            value=value[:12],
            edition=edition(facts, offer.price_minor),
            persons=tuple(self._person(offer, number) for number in range(1, count + 1)) if asks else (),
            blank=self._person(offer, NUMBER_MARK) if asks else None,
            guest_rule=self._guest_rule(facts),
            error=self.errors.get(name, ""),
            has_focus=self._focus == name,
        )

    def _guest_rule(self, facts: TypeFacts) -> str:
        """How many guests one may bring. The ticket that brings them is named to whoever sees it alone."""
        if facts.guests_of_id is None:
            return ""
        limit = {"limit": facts.guests_per_ticket}
        host = next((offer.facts for offer in self.sale.offers if offer.facts.id == facts.guests_of_id), None)
        if host is None:
            return (
                ngettext(
                    "A guest ticket: at most %(limit)d for each ticket of yours that brings guests.",
                    "Guest tickets: at most %(limit)d for each ticket of yours that brings guests.",
                    facts.guests_per_ticket,
                )
                % limit
            )
        return ngettext(
            "A guest ticket: at most %(limit)d for each “%(host)s” of yours.",
            "Guest tickets: at most %(limit)d for each “%(host)s” of yours.",
            facts.guests_per_ticket,
        ) % {**limit, "host": host.name}

    def _person(self, offer: TypeOffer, number: int | str) -> PersonFields:
        facts = offer.facts
        guest = f"guest-{facts.public_id}-{number}"
        mandatory = [variation for variation in facts.variations if variation.is_mandatory]
        optional = [variation for variation in facts.variations if not variation.is_mandatory]
        return PersonFields(
            number=number,
            variations=tuple(self._variation(offer, variation, number) for variation in mandatory),
            extras=tuple(
                (variation, tuple(self._extra(offer, choice, number) for choice in variation.choices))
                for variation in optional
            ),
            guest_name=guest if facts.needs_name else "",
            guest_value=self.data.get(guest, "")[:LONGEST_NAME],
            guest_error=self.errors.get(guest, ""),
            guest_missing=_("Write the name of the guest on ticket %(number)s.") % {"number": number},
            guest_has_focus=self._focus == guest,
        )

    def _variation(self, offer: TypeOffer, variation: VariationFacts, number: int | str) -> VariationField:
        name = f"choice-{offer.facts.public_id}-{number}-{variation.public_id}"
        default = variation.default
        if default is not None and default.id in offer.sold_out_choices:
            default = None
        chosen = self.data.get(name) or (str(default.public_id) if default else "")
        return VariationField(
            name=name,
            facts=variation,
            options=tuple(
                ChoiceOption(
                    facts=choice,
                    price_name=_price_name(choice, number),
                    is_chosen=str(choice.public_id) == chosen,
                    is_sold_out=choice.id in offer.sold_out_choices,
                )
                for choice in variation.choices
            ),
            missing=say_missing(variation, number),
            error=self.errors.get(name, ""),
            has_focus=self._focus == name,
        )

    def _extra(self, offer: TypeOffer, choice: ChoiceFacts, number: int | str) -> ExtraField:
        name = f"extra-{offer.facts.public_id}-{number}-{choice.public_id}"
        return ExtraField(
            name=name,
            facts=choice,
            price_name=_price_name(choice, number),
            value=self.data.get(name, "0").strip()[:12] or "0",
            is_sold_out=choice.id in offer.sold_out_choices,
            reason=say_most(choice.max_quantity),
            error=self.errors.get(name, ""),
            has_focus=self._focus == name,
        )


def _price_name(choice: ChoiceFacts, number: int | str) -> str:
    return _("%(choice)s, ticket %(number)s") % {"choice": choice.name, "number": number}


class NameField(forms.CharField):
    """One line of text; what cannot be seen is left out, before Django finds fault with it."""

    def to_python(self, value: object) -> str:
        return one_line(super().to_python(value) or "")


class CheckoutForm(forms.Form):
    """Who buys, that the terms are accepted, and how to pay. `providers` are those that can be used now, `terms_number`
    the version of the terms that holds now: whoever was shown another one is asked again."""

    name = NameField(
        max_length=LONGEST_NAME,
        error_messages={
            "required": gettext_lazy("Write your name, so that the tickets become yours. Nothing has been charged."),
            "max_length": gettext_lazy("Write at most %(limit_value)d characters. Nothing has been charged."),
        },
    )
    terms = forms.BooleanField(
        error_messages={"required": gettext_lazy("Accept the terms of purchase to go on. Nothing has been charged.")}
    )
    provider = forms.ChoiceField(
        error_messages={
            "required": gettext_lazy("Choose how to pay. Nothing has been charged."),
            "invalid_choice": gettext_lazy("Choose one of these ways to pay. Nothing has been charged."),
        }
    )

    def __init__(
        self, *args: object, providers: Sequence[object] = (), terms_number: int | None = None, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._terms_number = terms_number
        self._slugs = [str(provider.slug) for provider in providers]  # type: ignore[attr-defined]
        if len(self._slugs) < 2:
            del self.fields["provider"]  # nothing to choose, so nothing is asked
        else:
            labels = [provider.label for provider in providers]  # type: ignore[attr-defined]
            self.fields["provider"].choices = list(zip(self._slugs, labels, strict=True))  # type: ignore[attr-defined]

    def clean_terms(self) -> bool:
        read = self.data.get("terms_number", "")
        if read and self._terms_number is not None and read != str(self._terms_number):
            raise forms.ValidationError(
                _("The terms have changed since this page was opened. Read them and go on. Nothing was charged.")
            )
        return self.cleaned_data["terms"]

    @property
    def chosen_provider(self) -> str:
        """The slug to pay with: the only one where there is no choice, empty where nothing is to be paid."""
        return self.cleaned_data.get("provider") or next(iter(self._slugs), "")

    @property
    def first_wrong_field(self) -> str:
        return next((name for name in self.fields if name in self.errors), "")
