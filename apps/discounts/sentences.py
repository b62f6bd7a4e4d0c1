"""Discounts in words: to a buyer why a ticket costs what it costs, to an organiser what a discount does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.discounts.facts import BodyFacts, DiscountFacts
from apps.discounts.granting import Finding, Outcome
from apps.discounts.models import Discount
from apps.events.wording import write_moment, write_money
from apps.ticketing.context import PurchaseContext
from apps.ticketing.extensions import Why

Kind = Discount.Kind


# --- To a buyer ------------------------------------------------------------------------------------------------------


def explain(context: PurchaseContext, findings: Iterable[Finding]) -> list[Why]:
    """What is said of one ticket's price: what lowers or raises it, and how one would get what does not. Codes that
    were not typed, and lists one is not on, are not spoken of."""
    told = (_explain(context, finding) for finding in findings)
    return [why for why in told if why is not None]


def _explain(context: PurchaseContext, finding: Finding) -> Why | None:
    discount, outcome = finding.discount, finding.outcome
    words = {"name": discount.name, "offer": _offer(discount, finding.amount_minor, context.currency)}
    if outcome == Outcome.GIVEN:
        return Why(_given(context, finding), gives=True)
    if discount.needs_code and outcome in (Outcome.NO_CODE, Outcome.NOT_YET, Outcome.OVER):
        return None
    if outcome == Outcome.SIGN_IN:
        if discount.bodies:
            words |= {"bodies": _either(discount.bodies), "login": _login(discount.bodies)}
            if words["login"]:
                told = _("Members of %(bodies)s: %(offer)s. Sign in with %(login)s to get it.")
            else:
                told = _("Members of %(bodies)s: %(offer)s. Sign in to get it.")
            return Why(told % words, signs_in=True)
        return Why(_("%(name)s: %(offer)s for those on its list. Sign in to get it.") % words, signs_in=True)
    if outcome == Outcome.NOT_MEMBER:
        words["bodies"] = _either(discount.bodies)
        return Why(_("Members of %(bodies)s: %(offer)s. You are not known as a member.") % words)
    if outcome == Outcome.NOT_KNOWN:
        # Of a body that the door alone knows nothing is ever known, so that nothing is promised.
        answering = [body for body in discount.bodies if not body.is_at_door]
        words |= {"bodies": _either(answering or discount.bodies), "login": _login(answering)}
        if not answering:
            told = _(
                "Members of %(bodies)s: %(offer)s. Whether you are one could only be seen at the door, so you pay the"
                " full price."
            )
        elif words["login"]:
            told = _(
                "Members of %(bodies)s: %(offer)s. Whether you are one is not known yet: a sign-in with %(login)s tells"
                " it; you connect that login on My account. Until then you pay the full price, and the difference is"
                " paid back once it is known."
            )
        else:
            told = _(
                "Members of %(bodies)s: %(offer)s. Whether you are one is not known yet. You pay the full price, and"
                " the difference is paid back once it is known."
            )
        return Why(told % words)
    if outcome == Outcome.NOT_YET and discount.opens_at is not None:
        words["moment"] = write_moment(discount.opens_at, discount.zone)
        return Why(_("From %(moment)s: %(name)s, %(offer)s.") % words)
    if outcome == Outcome.TOO_FEW:
        number = discount.min_quantity or 0
        few = ngettext(
            "From %(number)d ticket in one order: %(name)s, %(offer)s each.",
            "From %(number)d tickets in one order: %(name)s, %(offer)s each.",
            number,
        )
        return Why(few % {**words, "number": number})
    if outcome == Outcome.USED_UP:
        return Why(_("%(name)s: all tickets at this price are taken.") % words)
    if outcome == Outcome.CODE_USED_UP:
        return Why(_("%(name)s: the code has no more tickets left.") % words)
    if outcome == Outcome.HAD:
        number = discount.max_per_person or 0
        most = ngettext(
            "%(name)s: on %(number)d ticket per person.", "%(name)s: on %(number)d tickets per person.", number
        )
        return Why(most % {**words, "number": number})
    if outcome == Outcome.BEATEN and finding.beaten_by is not None:
        words["better"] = finding.beaten_by.name
        return Why(_("%(name)s is not added: %(better)s is better for you.") % words)
    return None


def _given(context: PurchaseContext, finding: Finding) -> str:
    discount = finding.discount
    words = {"name": discount.name, "offer": _offer(discount, finding.amount_minor, context.currency, is_given=True)}
    if finding.is_provisional:
        return _("%(name)s: %(offer)s. Your membership is not known yet; it is checked at the door.") % words
    if finding.code:
        return _("%(name)s: %(offer)s with the code %(code)s.") % {**words, "code": finding.code}
    if discount.bodies:
        return _("%(name)s: %(offer)s as a member of %(bodies)s.") % {**words, "bodies": _either(discount.bodies)}
    if discount.closes_at is not None:
        words["moment"] = write_moment(discount.closes_at, discount.zone)
        return _("%(name)s: %(offer)s until %(moment)s.") % words
    return _("%(name)s: %(offer)s.") % words


def _login(bodies: Sequence[BodyFacts]) -> str:
    """The one login by which members of all these bodies are known; empty where there are several, or none."""
    logins = {body.login for body in bodies}
    return logins.pop() if len(logins) == 1 else ""


def _offer(discount: DiscountFacts, amount_minor: int, currency: str, *, is_given: bool = False) -> str:
    """ "200 kr", "50 kr less", "50 kr more"."""
    if discount.kind == Kind.PRICE and not is_given:
        return write_money(discount.amount_minor, currency)
    amount = write_money(abs(amount_minor), currency)
    if discount.kind in (Kind.MORE, Kind.PERCENT_MORE):
        return _("%(amount)s more") % {"amount": amount}
    return _("%(amount)s less") % {"amount": amount}


def _either(bodies: Sequence[BodyFacts]) -> str:
    names = [body.name for body in bodies]
    if len(names) == 1:
        return names[0]
    return _("%(some)s or %(last)s") % {"some": ", ".join(names[:-1]), "last": names[-1]}


# --- To an organiser -------------------------------------------------------------------------------------------------


def rule(discount: DiscountFacts, currency: str, type_names: Mapping[int, str]) -> str:
    """What a discount does, for whom and when, in a few sentences."""
    return " ".join([_what(discount, currency, type_names), _whom(discount), *_limits(discount), *_stacks(discount)])


def _what(discount: DiscountFacts, currency: str, type_names: Mapping[int, str]) -> str:
    names = [type_names[type_id] for type_id in sorted(discount.type_ids) if type_id in type_names]
    tickets = ", ".join(names) if names else _("all tickets")
    percent = number_format(discount.percent, decimal_pos=0 if discount.percent == int(discount.percent) else 2)
    words = {"tickets": tickets, "amount": write_money(discount.amount_minor, currency), "percent": percent}
    text = {
        Kind.LESS: _("%(amount)s less on %(tickets)s"),
        Kind.PERCENT: _("%(percent)s%% less on %(tickets)s"),
        Kind.PRICE: _("%(amount)s for %(tickets)s"),
        Kind.MORE: _("%(amount)s more on %(tickets)s"),
        Kind.PERCENT_MORE: _("%(percent)s%% more on %(tickets)s"),
    }[Kind(discount.kind)] % words
    return f"{text}, {_('with all that is chosen')}." if discount.covers_choices else f"{text}."


def _whom(discount: DiscountFacts) -> str:
    who = []
    if discount.bodies:
        unknown = (
            _("while a membership is not known: member price, checked at the door")
            if discount.gives_when_unknown
            else _("while a membership is not known: full price, paid back when verified")
        )
        who.append(_("members of %(bodies)s") % {"bodies": _either(discount.bodies)} + f" ({unknown})")
    if discount.needs_list:
        who.append(_("those on its list"))
    if discount.needs_code:
        who.append(_("those with a code"))
    if discount.min_quantity:
        who.append(_("orders of at least %(number)d tickets") % {"number": discount.min_quantity})
    if not who:
        return _("For everybody.")
    return _("Only for %(whom)s.") % {"whom": _(", and among them only ").join(who)}


def _limits(discount: DiscountFacts) -> Iterable[str]:
    if discount.opens_at is not None and discount.closes_at is not None:
        yield _("From %(begin)s until %(end)s.") % {
            "begin": write_moment(discount.opens_at, discount.zone),
            "end": write_moment(discount.closes_at, discount.zone),
        }
    elif discount.opens_at is not None:
        yield _("From %(begin)s.") % {"begin": write_moment(discount.opens_at, discount.zone)}
    elif discount.closes_at is not None:
        yield _("Until %(end)s.") % {"end": write_moment(discount.closes_at, discount.zone)}
    if discount.size is not None:
        yield ngettext("The first ticket only.", "The first %(number)d tickets.", discount.size) % {
            "number": discount.size
        }
    if discount.max_per_person is not None:
        yield ngettext(
            "On %(number)d ticket per person.", "On %(number)d tickets per person.", discount.max_per_person
        ) % {"number": discount.max_per_person}


def _stacks(discount: DiscountFacts) -> Iterable[str]:
    if discount.is_added:
        yield _("Added to the others, in the order of this list.")
    else:
        yield _("Of those that fit, the best one for the buyer applies.")
    if discount.paid_by:
        yield _("Paid by %(sponsor)s.") % {"sponsor": discount.paid_by}
