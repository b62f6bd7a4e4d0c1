"""The buyer's pages: choose tickets, wait and pay. Each parses, calls, and renders. The ticket itself: ticket_views.

An order and a ticket are reached by the secret in their link alone; whoever has it may act on them. So these pages are
never cached, never indexed and never named as a referrer, and their forms need no other proof: there is no cookie a
stranger's page could misuse. The ticket form does use the session, and is guarded by a CSRF token.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.events import legal
from apps.events.models import Event, LegalKind, LegalVersion
from apps.events.translated import active_language
from apps.events.wording import write_clock_time
from apps.ticketing import (
    addresses,
    alike,
    answer_views,
    answers,
    before_paying,
    blank_forms,
    catalogue,
    challenges,
    changes,
    checkout,
    clock,
    code_guesses,
    credentials,
    draws,
    event_face,
    gift_payments,
    gift_views,
    guards,
    kept_choices,
    kept_rows,
    lists,
    live,
    move_views,
    next_steps,
    order_page,
    ordering,
    payments,
    place_views,
    presence,
    pricing,
    queue,
    reading,
    reasons,
    refund_rule,
    reservations,
    sale,
    sale_control,
    sale_notice,
    second_hand,
    self_service_views,
    shown_prices,
    standing,
    tokens,
    typed_codes,
    your_price,
)
from apps.ticketing.catalogue import Catalogue
from apps.ticketing.context import PurchaseContext
from apps.ticketing.forms import CheckoutForm, TicketForm, Wish, names_another_type, read_wish
from apps.ticketing.models import Draw, Order, Payment
from apps.ticketing.order_page import OrderPage, PageState
from apps.ticketing.payments import stripe_page
from apps.ticketing.states import PAYMENT_LIVE, OrderState, PaymentState
from apps.ticketing.tokens import query_of
from apps.ticketing.transitions import StaleState
from apps.ticketing.visitors import (
    address_of,
    cookie_of,
    held_by_link,
    in_other_language,
    order_or_404,
    person_of,
    remember,
    remembered,
    see_other,
)

DRAW_KEPT_SECONDS = 60
# A form sent earlier than this is not sent again by itself: its buyer may have gone elsewhere.
RESENT_WITHIN = timedelta(minutes=10)
JUST_PAID = timedelta(minutes=2)
LOOKS_AGAIN = timedelta(seconds=3)
NOTHING_LEFT = (sale.SaleState.SOLD_OUT, sale.SaleState.OVER)
GOT_NO_PLACE = (PageState.WAITING, PageState.REJECTED)
# A hold longer than this is no matter of minutes: no clock runs on its page.
HAS_DAYS = timedelta(hours=1)
# In these an order for other choices has a page of its own; else it leads to the order of its ticket.
PAGES_OF_SUPPLEMENTS = (OrderState.RESERVED,)


# --- Choosing --------------------------------------------------------------------------------------------------------


@never_cache
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "HEAD", "POST"])
def tickets(request: HttpRequest, event: uuid.UUID) -> HttpResponse:
    """The ticket form: a fragment of the event page for htmx, else a page of its own. POST places the order."""
    if blank_forms.is_for(request, cookie_of(event)):
        return blank_forms.show(request, lambda: _blank_form(request, _event(event)))
    found = _event(event)
    if request.method == "POST":
        return _place(request, found)
    return tokens.keep_private(request, _show_form(request, found))


def _event(public_id: uuid.UUID) -> Event:
    try:
        return kept_rows.event(public_id)
    except Event.DoesNotExist as error:
        raise Http404 from error


def _place(request: HttpRequest, event: Event) -> HttpResponse:
    person = person_of(request)
    if kept_choices.SIGN_IN in request.POST and person is None:
        return kept_choices.keep_and_sign_in(request, event)
    brought = typed_codes.without_codes(tokens.of_form(request.POST))
    wish = read_wish(_catalogue_for(event, person, brought, request.POST), request.POST)
    has_codes = bool(wish.tokens)
    wish.tokens = (*brought, *wish.tokens)
    guesser = code_guesses.guesser(request, event, person, wish.email) if has_codes else None
    if guesser is not None:
        wish.judge_codes(_context_of(event, person, wish), guesser)
    if "show_price" in request.POST:
        return code_guesses.remember(_show_price(request, event, wish), guesser)
    passage = guards.judge(request, event, wish, person)
    if passage.page is not None:
        return passage.page
    if not wish.errors:
        try:
            order = ordering.place(
                event=event,
                tickets=wish.tickets,
                email=wish.email,
                user=person,
                idempotency_key=wish.key,
                fewer_is_fine=wish.fewer_is_fine,
                locale=active_language(),
                tokens=wish.tokens,
            )
        except ordering.AlreadyQueued as taken:
            return place_views.lead_to_place(request, event, taken, person=person, is_proven=passage.is_proven)
        except ordering.Refused as refusal:
            wish.add_problems(refusal.problems)
        else:
            passage.note(order)
            kept_choices.forget(request)
            ordered = see_other(address_of(order))
            remember(ordered, event, order)
            return ordered
    response = _show_form(request, event, wish, proven_code=request.POST["code"] if passage.is_proven else "")
    return code_guesses.remember(response, guesser)


def _catalogue_for(event: Event, person: Any, brought: tuple[str, ...], data: QueryDict) -> Catalogue:
    """What this visitor may choose from. For whoever may not have it, a ticket that is not for all is not there; so it
    is looked up for every wish that names another ticket than those for all, whether there is one or not."""
    whole = catalogue.load(event.pk)
    if not names_another_type(whole.for_all, data):
        return whole.for_all
    return whole.only(sale.may_choose(event, _context_of(event, person, brought=brought)))


def _context_of(event: Event, person: Any, wish: Wish | None = None, brought: tuple[str, ...] = ()) -> PurchaseContext:
    """Who looks at the form, and what they bring: the codes and links of `wish`, or `brought`."""
    known = wish.email if wish and not person else ""
    return PurchaseContext(
        event_id=event.pk,
        currency=event.currency,
        at=clock.now(),
        buyer_key=ordering.buyer_key(person, known) if person or known else "",
        user_id=person.pk if person else None,
        email=person.email if person else "",
        locale=active_language(),
        tokens=wish.tokens if wish else brought,
        preview=True,
    )


def _show_form(request: HttpRequest, event: Event, wish: Wish | None = None, *, proven_code: str = "") -> HttpResponse:
    template, context = _form_page(request, event, wish)
    context["proven_code"] = proven_code
    response = render(request, template, context, status=wish.status if wish else 200)
    if wish is not None and wish.wait_seconds:
        response["Retry-After"] = str(wish.wait_seconds)
    return response


def _show_price(request: HttpRequest, event: Event, wish: Wish) -> HttpResponse:
    """The form as it was filled in, with what its tickets cost; for the page's script the sum alone."""
    wish.only_asks_price()
    template, context = _form_page(request, event, wish)
    if request.POST["show_price"] == "sum" and request.htmx:  # type: ignore[attr-defined]
        template = "ticketing/block/your_price.html"
    return render(request, template, context)


def _blank_form(request: HttpRequest, event: Event) -> blank_forms.Blank:
    """The form with marks for what is the visitor's own."""
    template, context = _form_page(request, event)
    shown: sale.Sale = context["sale"]
    context["form"].key = blank_forms.KEY
    challenged = event if context["challenge"] else None
    own: dict[str, Any] = {"csrf_token": blank_forms.TOKEN, "now_iso": blank_forms.NOW}
    if challenged:
        own["challenge"] = challenges.Challenge(blank_forms.CHALLENGE, blank_forms.SEED, challenges.HARDNESS)
    text = render_to_string(template, {**context, **own}, request)
    return blank_forms.Blank(text, shown.at, shown.changes_at, challenged)


def _form_page(request: HttpRequest, event: Event, wish: Wish | None = None) -> tuple[str, dict[str, Any]]:
    """The template and its context: a fragment for htmx, else a page of its own."""
    person = person_of(request)
    own = _own_order(request, event, person) if wish is None else None
    kept = None if wish else kept_choices.of(request, event)
    brought = wish.tokens if wish else tokens.of_address(request.GET)
    if kept is not None:
        brought = tuple(dict.fromkeys((*brought, *_kept_tokens(request, event, person, kept))))
    context = _context_of(event, person, wish, brought)
    shown = sale.load(event, context)
    where = "block" if shown.state == sale.SaleState.ON_SALE and own is None else "closed"
    must_sign_in = event.sign_in_required and person is None
    data = request.POST if wish else kept
    resends = wish is not None and wish.codes == {reasons.NOT_YET_ON_SALE} and _opens_within(shown, RESENT_WITHIN)
    takes_codes = pricing.takes_codes(event.pk)
    asks_price = takes_codes or pricing.depends_on_order(event.pk)
    form = TicketForm(
        shown,
        email=context.email,
        must_sign_in=must_sign_in,
        wish=wish,
        data=data,
        takes_codes=takes_codes,
        asks_price=asks_price,
        your_price=(
            your_price.of(shown.catalogue, context, wish.tickets, wish.places)
            if asks_price and wish is not None and wish.tickets
            else None
        ),
    )
    name = "ticketing/ticket_block.html" if request.htmx else "ticketing/tickets_page.html"  # type: ignore[attr-defined]
    return (
        name,
        {
            **block_context(event, shown, form, tokens=tokens.of_links(brought)),
            "notice": sale_notice.of(event, sale_control.shown(event.pk), shown.at, where=where, hears_by_itself=True),
            "challenge": None if must_sign_in else guards.issue(event, form.key, person),
            "person": person,
            "own_order": own,
            "own_order_url": address_of(own) if own else "",
            "own_place": queue.ahead(own) + 1 if own and own.state == OrderState.QUEUED and own.rank else None,
            "resends": resends,
            "language_url": in_other_language(request) + tokens.query_of(brought),
        },
    )


def _kept_tokens(request: HttpRequest, event: Event, person: Any, kept: QueryDict) -> tuple[str, ...]:
    """The links and codes with which somebody went to sign in; the codes only if they did, and not of whoever has tried
    too many."""
    links = typed_codes.without_codes(tokens.of_form(kept))
    typed = typed_codes.tokens_of(typed_codes.typed(kept)) if person is not None else ()
    if not typed:
        return links
    guesser = code_guesses.guesser(request, event, person, "")
    refusal = typed_codes.refusal(_context_of(event, person, brought=typed), guesser)
    return links if refusal in code_guesses.REFUSALS else (*links, *typed)


def block_context(
    event: Event,
    shown: sale.Sale,
    form: TicketForm,
    *,
    form_url: str = "",
    status_url: str = "",
    tokens: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What the templates of the block show of a sale, whoever looks: a visitor, or an editor (preview), whose form has
    addresses of its own."""
    face = event_face.of(event)
    return {
        "event": event,
        "organisation": event.organisation,
        "face": face,
        "sale": shown,
        "draw": shown.open_draw,
        "form": form,
        "form_url": form_url or reverse("ticketing:form", args=[event.public_id]) + query_of(tokens),
        "post_url": form_url or reverse("ticketing:form", args=[event.public_id]),
        "status_url": status_url or reverse("ticketing:sale_status", args=[event.public_id]) + query_of(tokens),
        "tokens": tokens,
        "public_url": face.url or reverse("ticketing:form", args=[event.public_id]),
        "must_sign_in": form.must_sign_in,
        "has_ended": shown.at >= event.ends_at,
        "waiting_list_url": lists.join_url(event, shown.at) if _lacks_something(shown) else "",
        "second_hand_url": second_hand.url_if_any(event) if shown.state in NOTHING_LEFT else "",
        "hold_minutes": settings.HOLD_MINUTES,
        "opens_iso": shown.opens_at.isoformat() if shown.opens_at else "",
        "now_iso": shown.at.isoformat(),
    }


def _lacks_something(shown: sale.Sale) -> bool:
    """Whether somebody may want to wait for what is shown here."""
    return shown.state in NOTHING_LEFT or any(offer.is_open and offer.is_sold_out for offer in shown.offers)


def _opens_within(shown: sale.Sale, limit: timedelta) -> bool:
    return any(
        offer.can_be_prepared and offer.facts.opens_at is not None and offer.facts.opens_at - shown.at <= limit
        for offer in shown.offers
    )


@never_cache
@require_safe
def sale_status(request: HttpRequest, event: uuid.UUID) -> HttpResponse:
    """The database's time and when each public type opens, for pages that were opened before it (opening.js).

    Asked by thousands in the last minute: one query, for the time; the rest is in memory.
    """
    found = _event(event)
    types = catalogue.load(found.pk).for_all
    if brought := tokens.of_address(request.GET):
        may = sale.may_choose(found, _context_of(found, person_of(request), brought=brought))
        types = catalogue.load(found.pk).only(may)
    opens = {str(facts.public_id): facts.opens_at.isoformat() if facts.opens_at else None for facts in types.types}
    response = JsonResponse({"now": clock.now().isoformat(), "opens": opens})
    return tokens.keep_private(request, response)


def _own_order(request: HttpRequest, event: Event, person: Any) -> Order | None:
    known = remembered(request, event)
    if known is not None:
        return sale.own_order(event, reference=known[0], secret=known[1])
    return sale.own_order(event, buyer_key=ordering.buyer_key(person, "")) if person else None


# --- The order -------------------------------------------------------------------------------------------------------


def _find(reference: str, secret: str) -> Order:
    """The order behind a link, with its event. A wrong reference and a wrong secret look the same: nothing there."""
    return _with_event(order_or_404(reference, secret))


def _with_event(found: Order) -> Order:
    """The order with what its pages show beside it; the seed of a draw is never read."""
    found.event = kept_rows.of(found.event_id).event
    if found.organisation_id == found.event.organisation_id:
        found.organisation = found.event.organisation
    if found.draw_id is not None:
        found.draw = Draw.objects.defer("seed").get(pk=found.draw_id)
    return found


@held_by_link
@require_safe
def order(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """The order in whatever state it is; the address to come back to from the bank, from a mail, on another phone."""
    found = _find(reference, secret)
    if stripe_page.came_back(request):
        return see_other(address_of(found))
    found = _recovered(found)
    if found.is_supplement and found.state not in PAGES_OF_SUPPLEMENTS:
        elsewhere = _to_the_tickets(found)
        if elsewhere is not None:
            return elsewhere
    addresses.notice(request, found)
    return _show_order(request, found)


def _to_the_tickets(supplement: Order) -> HttpResponse | None:
    """What it pays for is paid, or the time for it is over: the order of the ticket itself tells how it is now, and of
    a ticket that is given away the recipient's own page. None where what was paid for a gift is theirs alone who
    has this link, since its address was corrected: its own page tells what became of the money."""
    if (gift := gift_payments.gift_of(supplement)) is not None:
        return see_other(gift_views.gift_address(gift))
    of_ticket = changes.ticket_order(supplement)
    if of_ticket is None and supplement.is_for_gift:
        return None
    if of_ticket is None:
        raise Http404
    done = "change" if supplement.state == OrderState.PAID else "no_change"
    return see_other(f"{address_of(of_ticket)}?{self_service_views.DONE}={done}")


@require_safe
def sale_news(request: HttpRequest, event: uuid.UUID) -> JsonResponse:
    """What holds for the sale of an event, asked every few seconds by open pages that hear no stream (sale.js)."""
    response = JsonResponse(sale_notice.news_of(_event(event).pk))
    response["Cache-Control"] = "public, max-age=1"
    return response


@require_safe
def draw(request: HttpRequest, event: uuid.UUID) -> HttpResponse:
    """The event's draw for everybody: the commitment and the window, and once it was held how to check it."""
    found = get_object_or_404(Draw.objects.select_related("event__organisation"), event__public_id=event)
    return render(
        request,
        "ticketing/draw_page.html",
        {
            "draw": found,
            "event": found.event,
            "organisation": found.event.organisation,
            "face": event_face.of(found.event),
            "language_url": in_other_language(request),
        },
    )


@require_safe
def draw_file(request: HttpRequest, event: uuid.UUID) -> JsonResponse:
    """Everything needed to check the draw, as the stand-alone script reads it."""
    found = get_object_or_404(Draw.objects.select_related("event"), event__public_id=event)
    response = JsonResponse(draws.published(found), json_dumps_params={"indent": 1})
    response["Cache-Control"] = f"public, max-age={DRAW_KEPT_SECONDS if found.drawn_at else 1}"
    return response


def _recovered(found: Order) -> Order:
    """The order after asking the bank about a payment that is still open, for a buyer who is faster than its notice."""
    if found.state in (OrderState.RESERVED, OrderState.EXPIRED):
        return _with_event(payments.refresh(found))
    return found


def _show_order(
    request: HttpRequest,
    found: Order,
    form: CheckoutForm | None = None,
    problem: str = "",
    status: int = 200,
    asked: answers.AtCheckout | None = None,
) -> HttpResponse:
    sale_now = order_page.sale_of(found)
    # The order was read a moment ago, by whoever only looks.
    is_just_read = request.method != "POST" and not sale_now.stops
    at = (is_just_read and getattr(found, "read_at", None)) or clock.now()
    hold_now = sale_now.hold_time(at)
    page = order_page.read(found, at, hold_time=hold_now)
    if page.state == PageState.TRANSFER and (form is not None or "other" in request.GET):
        page = replace(page, state=PageState.RESERVED)  # who pays another way sees the checkout again
    # Who waits or has paid chooses no way to pay.
    asks_for_money = page.state in (PageState.RESERVED, PageState.TRANSFER) and found.total_minor
    providers = payments.available(found.currency, found.event) if asks_for_money else []
    terms = pay_here = None
    if page.state == PageState.RESERVED:
        pay_here = stripe_page.of(found, providers, address_of(found))
        terms = checkout.shown_terms(found.event)
        asked = asked or answers.at_checkout(found, page.rows, at=at)
        # Whoever has accepted these terms is not asked twice, and whoever accepted others is.
        accepted = checkout.has_accepted(found, terms)
        form = form or CheckoutForm(initial={"name": found.name, "terms": accepted}, providers=providers)
        if stripe_page.is_asked_here(request):
            return stripe_page.refuse(
                {**form.errors, **asked.errors},
                problem,
                status=status,
                terms_number=terms.number,
                terms_url=legal.address(found.organisation.slug, LegalKind.TERMS, terms.number),
            )
    # A program that looks up the link is not the buyer.
    is_first_look = request.method != "HEAD" and presence.note(found, at)
    celebrates = (
        page.state == PageState.PAID and found.paid_at is not None and at - found.paid_at < JUST_PAID and is_first_look
    )
    response = alike.show(
        request,
        f"ticketing/order/{page.state}.html",
        {
            "page": page,
            "order": found,
            "event": found.event,
            "organisation": found.organisation,
            "face": event_face.of(found.event),
            "terms": terms,
            "terms_url": legal.address(found.organisation.slug, LegalKind.TERMS, terms.number) if terms else "",
            "accepted_terms": checkout.accepted_terms(found),
            "at": at,
            "breakdown": page.breakdown,
            "place": page.place,
            "form": form,
            "providers": providers,
            "has_other_ways": any(page.payment and one.slug != page.payment.provider for one in providers),
            "pay_here": pay_here,
            "at_checkout": asked,
            "problem": problem or (reasons.sentence(page.problem) if page.problem else ""),
            "reason": _reason_of(found, page),
            "waiting_list_url": lists.join_url_from(found, at) if page.state in GOT_NO_PLACE else "",
            "second_hand_url": second_hand.url(found.event) if found.is_resale else "",
            "open_payment": _payment_to_continue(page),
            "comes_next": _comes_next(page),
            "payment_told": _payment_told(page),
            "rules": before_paying.rules(found.event, at) if page.state == PageState.RESERVED else None,
            "done": self_service_views.done_words(request, found),
            "looks_again_iso": (at + LOOKS_AGAIN).isoformat(),
            "celebrates": celebrates,
            "refund_way": refund_rule.shown(found, page.tickets, at) if page.state == PageState.PAID else None,
            "came_again": "again" in request.GET and page.state in order_page.STANDS_IN_LINE,
            "wanted": len(page.breakdown.lines) + len(page.unheld) if page.state == PageState.OFFERED else 0,
            "hold_minutes": settings.HOLD_MINUTES,
            "notice": _notice_of(found, page, sale_now, at),
            **(move_views.context_of(found, at) if page.state == PageState.PAID else {}),
            **(answer_views.paid_context(found, page.tickets, at) if page.state == PageState.PAID else {}),
            "ended_say": sale_now.say if sale_now.is_ended and found.reason == reasons.SALE_ENDED else "",
            "hold_now_iso": hold_now.isoformat(),
            "minutes_left": math.ceil((found.reserved_until - hold_now) / timedelta(minutes=1))
            if found.reserved_until
            else 0,
            "swish_qr": credentials.qr_svg(page.told.swish_url, title=_("QR code that opens Swish"))
            if page.told and page.told.swish_url
            else "",
            "has_days": found.reserved_until is not None and found.reserved_until - hold_now > HAS_DAYS,
            "until_iso": found.reserved_until.isoformat() if found.reserved_until else "",
            "until_time": write_clock_time(found.reserved_until, found.event.zone) if found.reserved_until else "",
            "now_iso": at.isoformat(),
            "opens_iso": page.opens_at.isoformat() if page.opens_at else "",
            "stream_url": live.stream_url(found, at=at, sale_number=sale_now.number),
            "language_url": in_other_language(request),
        },
        status=status,
    )
    if pay_here:
        stripe_page.allow(response)
    return response


def _notice_of(found: Order, page: OrderPage, sale_now: sale_control.Standing, at: datetime) -> Any:
    """What holds for the sale, for an order it still concerns."""
    if page.state in (PageState.RESERVED, PageState.OFFERED):
        return sale_notice.of(found.event, sale_now, at, where="hold", hears_by_itself=True)
    if page.state in (PageState.ENTERED, PageState.QUEUED, PageState.WAITING):
        return sale_notice.of(found.event, sale_now, at, where="line")
    return None


def _reason_of(found: Order, page: OrderPage) -> str:
    """Why the order is over, in a sentence."""
    if page.state == PageState.EXPIRED:
        return reasons.sentence(
            found.reason if found.state == OrderState.EXPIRED and found.reason else reasons.HOLD_EXPIRED
        )
    return reasons.sentence(found.reason) if found.reason else ""


def _payment_to_continue(page: OrderPage) -> Payment | None:
    """The payment the buyer left in the middle, to go on with."""
    payment = page.payment
    if payment is not None and payment.state in (PaymentState.STARTED, PaymentState.ACTION_NEEDED):
        return payment if payment.redirect_url else None
    return None


def _payment_told(page: OrderPage) -> next_steps.Told | None:
    """What is said of the newest payment that the page's own words leave out."""
    if page.payment is None:
        return None
    if page.was_transfer and page.state == PageState.EXPIRED:
        return None  # no bank is asked: the page says what becomes of money that was sent
    # A hold whose time is up shows as expired before the sweeper has let it go.
    state = OrderState.EXPIRED if page.state == PageState.EXPIRED else page.order.state
    return next_steps.of_payment(state, page.payment.state, has_refunds=bool(page.refunds))


def _comes_next(page: OrderPage) -> bool:
    """Whether the buyer has pressed the button and a busy bank takes the payment in a moment."""
    payment = page.payment
    return payment is not None and payment.state == PaymentState.STARTED and not payment.redirect_url


@held_by_link
@require_safe
def order_status(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """What queue.js asks when it hears nothing: the page's state, and how far the queue is."""
    found = order_or_404(reference, secret)
    payment = None
    if found.state == OrderState.RESERVED:
        found = payments.refresh(found)
        payment = reading.newest_payment.first(found.pk)
    hold_time = order_page.sale_of(found).hold_time(clock.now())
    state = order_page.state_of(found, payment, hold_time)
    answer = {
        "state": state,
        "reason": found.reason,
        "sale": sale_notice.news_of(found.event_id),
        "until": found.reserved_until.isoformat() if found.reserved_until else "",
        "now": hold_time.isoformat(),
        **standing.told_to(found),
    }
    if found.state == OrderState.WAITING:
        answer["ahead"] = queue.ahead(found)
    if state == PageState.RESERVED and found.pays_from is not None:
        answer["pays_from"] = found.pays_from.isoformat()
    return JsonResponse(answer)


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Give up the place or the hold at once. GET asks first, for browsers without JavaScript."""
    found = _find(reference, secret)
    may_leave = order_page.can_leave(found)
    if request.method != "POST" and may_leave:
        return render(
            request,
            "ticketing/order/leave.html",
            {"order": found, "event": found.event, "organisation": found.organisation,
             "language_url": in_other_language(request)},
        )  # fmt: skip
    if request.method == "POST" and may_leave:
        payments.close(found)
        ordering.cancel(found, actor=person_of(request))
    return see_other(address_of(found))


@held_by_link
@require_POST
def keep_offer(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Settle for the part that was offered."""
    return _answer_offer(_find(reference, secret), reservations.accept_offer)


@held_by_link
@require_POST
def wait_for_all(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Let the part go and wait for all."""
    return _answer_offer(_find(reference, secret), reservations.decline_offer)


def _answer_offer(found: Order, answer: Callable[[Order], None]) -> HttpResponse:
    with suppress(StaleState):  # answered before, or too late: the page tells how it is now
        answer(found)
    return see_other(address_of(found))


@held_by_link
@require_POST
def more_time(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Five minutes more, once. What stands in the form of the checkout comes along and is kept."""
    found = _find(reference, secret)
    if "name" in request.POST:
        terms = checkout.terms_of(found.event)
        _keep(request, found, CheckoutForm(request.POST, terms_number=terms.number), terms)
    reservations.extend(found)
    return see_other(address_of(found))


def _keep(request: HttpRequest, found: Order, form: CheckoutForm, terms: LegalVersion) -> None:
    """Note what a buyer has written who does not pay yet; what cannot be used is left out without a word."""
    if found.state == OrderState.RESERVED:
        _answers_of(request, found).save(readable_only=True)
    form.is_valid()
    written = form.cleaned_data
    checkout.keep(found, name=written.get("name", found.name), terms=terms, accepted=bool(written.get("terms")))


def _answers_of(request: HttpRequest, found: Order) -> answers.AtCheckout:
    """What was answered in the checkout, where the organiser asks before the payment."""
    if not kept_rows.of(found.event_id).asks_before_paying:
        return answers.AtCheckout()
    return answers.at_checkout(found, reading.lines.all(found.pk), at=clock.now(), data=request.POST)


# --- Paying ----------------------------------------------------------------------------------------------------------


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Take name, terms and way to pay; on to the bank, or to the tickets when nothing is to be paid.

    With `keep` nothing is paid: what was written is kept, for a buyer to whom payment opens in a moment. With `here` it
    is the page's own script that asks; it is answered shortly (payments.stripe_page).
    """
    found = _find(reference, secret)
    response = _pay(request, found)
    return stripe_page.answer(found, response, address_of(found)) if stripe_page.is_asked_here(request) else response


def _pay(request: HttpRequest, found: Order) -> HttpResponse:
    if request.method != "POST" or found.state != OrderState.RESERVED:
        return see_other(address_of(found))
    newest = reading.newest_payment.first(found.pk) if reading.may_have_payment(found) else None
    if newest is not None and newest.state in order_page.IN_DOUBT:
        return see_other(address_of(found))  # never paid twice while the bank has not answered
    providers = payments.available(found.currency, found.event) if found.total_minor else []
    terms = checkout.terms_of(found.event)
    form = CheckoutForm(request.POST, providers=providers, terms_number=terms.number)
    if "keep" in request.POST:
        _keep(request, found, form, terms)
        return see_other(address_of(found))
    asked = _answers_of(request, found)
    if not form.is_valid() or asked.errors:
        return _show_order(request, found, form, status=422, asked=asked)
    asked.save()
    pressed = request.POST.get("agreed_minor", "")
    is_risen = not pressed and shown_prices.risen(reading.lines.all(found.pk)) is not None
    if not shown_prices.has_agreed(pressed, found.total_minor, is_risen=is_risen):
        return _show_order(request, found, form, problem=reasons.sentence(reasons.PRICE_RISEN), status=409)
    accept = partial(checkout.accept, found, name=form.cleaned_data["name"], terms=terms)
    try:
        payment = payments.start(
            found,
            form.chosen_provider,
            settings.SITE_URL + address_of(found),
            here=stripe_page.is_asked_here(request) and form.chosen_provider == stripe_page.SLUG,
            noting=accept,
        )
    except payments.NotPayable as refusal:
        accept()  # what was written is kept all the same
        found.refresh_from_db()
        if found.state != OrderState.RESERVED or refusal.reason == reasons.HOLD_EXPIRED:
            return see_other(address_of(found))
        return _show_order(request, found, form, problem=reasons.sentence(refusal.reason), status=409)
    if payment is not None and payment.state in PAYMENT_LIVE:
        payment = payments.open(payment)
        if payment.redirect_url and payment.state in PAYMENT_LIVE:
            return see_other(payment.redirect_url)
    return see_other(address_of(found))
