"""Every address of the site, with a real one of Lyktan's things in each place for a name or a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils.translation import override
from wagtail.models import Locale, Site, Workflow

from apps.checkin import passes
from apps.checkin.models import GatePass
from apps.discounts import presale
from apps.discounts.models import Discount, MemberBody, MemberListDraft, PresaleBatch, PresaleLink
from apps.events import social_cards
from apps.resale.models import Listing, ResaleRule, WaitingEntry, WaitingRule
from apps.ticketing import answers, clock, giving, places, refunds, transfers
from apps.ticketing.models import EventDraft, Gift, Order, Payment, Refund, SandboxCharge, Ticket, TransferAccount
from apps.ticketing.payments import manual
from tests import factories
from tests.discounts import builders
from tests.tenancy.world import World

Sample = Callable[[World], Any]


@dataclass(frozen=True)
class Address:
    """One pattern of the URL configuration: its route as written, and its name with all namespaces."""

    route: str
    name: str
    words: tuple[str, ...]
    groups: int  # of a regular expression without names

    @property
    def known_as(self) -> str:
        """The name, or the route of an address that has none."""
        return self.name or self.route


def addresses() -> list[Address]:
    return list(_walk(get_resolver().url_patterns, "", ""))


def _walk(patterns: Any, route: str, namespace: str, above: tuple[str, ...] = ()) -> Iterator[Address]:
    for pattern in patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(
                pattern.url_patterns,
                here,
                namespace + (f"{pattern.namespace}:" if pattern.namespace else ""),
                above + tuple(pattern.pattern.converters),
            )
        elif isinstance(pattern, URLPattern):
            regex = pattern.pattern.regex
            words = above + (tuple(regex.groupindex) or tuple(pattern.pattern.converters))
            name = f"{namespace}{pattern.name}" if pattern.name else ""
            yield Address(here, name, words, 0 if words else regex.groups)


# What stands for each word in an address. A namespace in front narrows it to that namespace.
SAMPLES: dict[str, Sample] = {
    "page_id": lambda world: world.page.pk,
    "page_pk": lambda world: world.page.pk,
    "page_to_move_id": lambda world: world.page.pk,
    "parent_page_id": lambda world: world.root.pk,
    "destination_id": lambda world: world.root.pk,
    "content_type_app_name": lambda world: "events",
    "content_type_model_name": lambda world: "eventpage",
    "app_name": lambda world: "events",
    "app_label": lambda world: "events",
    "model_name": lambda world: "eventpage",
    "wagtail_bulk_action/app_label": lambda world: "wagtailcore",
    "wagtail_bulk_action/model_name": lambda world: "page",
    "wagtail_bulk_action/action": lambda world: "delete",
    "object_id": lambda world: world.page.pk,
    "action_name": lambda world: "approve",
    "revision_id": lambda world: world.page.latest_revision_id,
    "revision_id_a": lambda world: "live",
    "revision_id_b": lambda world: "latest",
    "image_id": lambda world: world.image.pk,
    "document_id": lambda world: world.document.pk,
    "doc_id": lambda world: world.document.pk,
    "collection_id": lambda world: world.organisation.collection_id,
    "filter_spec": lambda world: "max-20x20",
    "workflow_pk": lambda world: Workflow.objects.values_list("pk", flat=True).first() or 1,
    "pk": lambda world: 1,
    "wagtailadmin_api:pages/pk": lambda world: world.page.pk,
    "wagtailadmin_api:images/pk": lambda world: world.image.pk,
    "wagtailadmin_api:documents/pk": lambda world: world.document.pk,
    "wagtailadmin_pages/pk": lambda world: world.page.pk,
    "wagtailadmin_collections/pk": lambda world: world.organisation.collection_id,
    "wagtailimages_chooser/pk": lambda world: world.image.pk,
    "wagtaildocs_chooser/pk": lambda world: world.document.pk,
    "wagtailusers_users/pk": lambda world: world.editor.pk,
    "wagtailusers_groups/pk": lambda world: world.organisation.editors_id,
    "wagtailsites/pk": lambda world: Site.objects.get().pk,
    "wagtaillocales/pk": lambda world: Locale.objects.get(language_code="en").pk,
    "event_chooser/pk": lambda world: world.event.pk,
    "event_wizard/pk": lambda world: draft_of(world).public_id,
    "event_wizard:preview/language": lambda world: "en",
    "event_desk/pk": lambda world: world.event.public_id,
    "cancellation_desk/pk": lambda world: world.event.public_id,
    "move_desk/pk": lambda world: world.event.public_id,
    "draw_desk/pk": lambda world: world.event.draw.public_id,
    "quota_desk/pk": lambda world: world.quota.public_id,
    "ticket_type_desk/pk": lambda world: world.kind.public_id,
    "organisation_desk/pk": lambda world: world.organisation.public_id,
    "presale_desk/pk": lambda world: link_of(world).public_id,
    "presale_batch_desk/pk": lambda world: list_of(world).public_id,
    "presale_audience/pk": lambda world: world.kind.public_id,
    "gate_pass_desk/pk": lambda world: pass_of(world).public_id,
    "legal_desk/pk": lambda world: world.organisation.legal_texts.get(kind="terms").public_id,
    "member_body_desk/pk": lambda world: body_of(world).public_id,
    "member_body_desk/draft": lambda world: list_draft_of(world).public_id,
    "legal/organisation": lambda world: world.organisation.slug,
    "legal/kind": lambda world: "terms",
    "legal/number": lambda world: 1,
    "event_books/pk": lambda world: world.event.public_id,
    "event_answers/pk": lambda world: world.event.public_id,
    "event_kitchen_file/pk": lambda world: world.event.public_id,
    "event_guests_file/pk": lambda world: world.event.public_id,
    "ticketing:ticket_answers/token": lambda world: answers.token_of(Ticket.objects.get(event=world.event)),
    "event_books_file/pk": lambda world: world.event.public_id,
    "discount_desk/pk": lambda world: discount_of(world).public_id,
    "discount_desk:person_price/pk": lambda world: world.event.public_id,
    "sponsor_desk/pk": lambda world: discount_of(world).sponsor.public_id,
    "stripe_desk/pk": lambda world: world.organisation.public_id,
    "resale_rule_desk/pk": lambda world: resale_rule_of(world).public_id,
    "listing_desk/pk": lambda world: listing_of(world).public_id,
    "waiting_rule_desk/pk": lambda world: waiting_rule_of(world).public_id,
    "waiting_desk/pk": lambda world: entry_of(world).public_id,
    "resale:waiting/entry": lambda world: entry_of(world).public_id,
    "resale:waiting/secret": lambda world: entry_of(world).secret,
    "resale/listing": lambda world: listing_of(world).public_id,
    "resale:private/secret": lambda world: listing_of(world).secret,
    "resale:sell/secret": lambda world: Ticket.objects.get(event=world.event).secret,
    "order_desk/pk": lambda world: order_of(world).public_id,
    "ticketing:order_payout/refund": lambda world: debt_of(world).public_id,
    "refund_task/pk": lambda world: debt_of(world).public_id,
    "order_desk/mail": lambda world: uuid4(),
    "order_desk/gift": lambda world: gift_of(world).public_id,
    "transfer_desk/pk": lambda world: transfer_of(world).public_id,
    "pay_back_desk/pk": lambda world: to_pay_back(world).public_id,
    "transfer_account_desk/pk": lambda world: account_of(world).public_id,
    "simple_translation/pk": lambda world: world.page.pk,
    "event": lambda world: world.event.public_id,
    "event_id": lambda world: world.event.public_id,
    "scan_id": lambda world: uuid4(),
    "reference": lambda world: order_of(world).reference,
    "secret": lambda world: order_of(world).secret,
    "reminder": lambda world: uuid4(),
    "ticketing:ticket/secret": lambda world: Ticket.objects.get(event=world.event).secret,
    "ticketing:ticket_ics/secret": lambda world: Ticket.objects.get(event=world.event).secret,
    "ticketing:ticket_pdf/secret": lambda world: Ticket.objects.get(event=world.event).secret,
    "ticketing:ticket_give/secret": lambda world: Ticket.objects.get(event=world.event).secret,
    "ticketing:gift/secret": lambda world: gift_of(world).secret,
    "ticketing:gift/gift": lambda world: gift_of(world).public_id,
    "ticket": lambda world: Ticket.objects.get(event=world.event).public_id,
    "charge_id": lambda world: SandboxCharge.objects.values_list("public_id", flat=True).first() or uuid4(),
    "organisation": lambda world: world.organisation.slug,
    "digest": lambda world: social_cards.card_of(world.page).digest,  # type: ignore[union-attr]
    "colour": lambda world: "0b3d91",
    "provider": lambda world: "sandbox",
    "provider_id": lambda world: "university",
    "uidb36": lambda world: "1",
    "uidb64": lambda world: "MQ",
    "key": lambda world: "set-password",
    "token": lambda world: "token",
    "ticketing:order_claim/token": lambda world: places.claim_path(order_of(world)).split("/")[-3],
    "path": lambda world: "lyktan/nothing.png",
}
for word in ("task_id", "task_state_id", "session_id", "uploaded_file_id", "redirect_id", "workflow_state_id",
             "restriction_id", "page_view_restriction_id"):  # fmt: skip
    SAMPLES.setdefault(word, lambda world: 1)
POSITIONAL: dict[str, Callable[[World], list[Any]]] = {
    "wagtaildocs_serve": lambda world: [world.document.pk, world.document.filename],
    "wagtail_serve": lambda world: [world.page.url.removeprefix("/sv/")],
}
# Addresses that want to be asked about something, and those that cannot be reversed.
QUERIES: dict[str, Sample] = {
    "wagtail_bulk_action": lambda world: f"id={world.page.pk}",
    "wagtailadmin_choose_page_chosen_multiple": lambda world: f"id={world.page.pk}",
    "wagtailimages_chooser:chosen_multiple": lambda world: f"id={world.image.pk}",
    "wagtaildocs_chooser:chosen_multiple": lambda world: f"id={world.document.pk}",
    "event_chooser:chosen_multiple": lambda world: f"id={world.event.pk}",
    "ticket_type_desk:add": lambda world: f"event={world.event.public_id}",
    "sale_desk:add": lambda world: f"event={world.event.public_id}&do=pause",
    "refund_rule_desk:add": lambda world: f"event={world.event.public_id}",
    "resale_rule_desk:add": lambda world: f"event={world.event.public_id}",
    "waiting_rule_desk:add": lambda world: f"event={world.event.public_id}",
    "discount_desk:add": lambda world: f"event={world.event.public_id}",
    "giving_rule_desk:add": lambda world: f"event={world.event.public_id}",
    "draw_desk:add": lambda world: f"event={world.event.public_id}",
    "presale_desk:add": lambda world: f"event={world.event.public_id}",
    "presale_batch_desk:add": lambda world: f"event={world.event.public_id}",
    "gate_pass_desk:add": lambda world: f"event={world.event.public_id}",
    "quota_desk:add": lambda world: f"event={world.event.public_id}",
    "wagtailadmin_api:pages:listing": lambda world: f"child_of={world.root.pk}&for_explorer=1",
    "transfer_account_desk:add": lambda world: f"instead_of={account_of(world).public_id}",
    "wagtailadmin_pages:search": lambda world: "q=Fest",
    "wagtailadmin_choose_page_search": lambda world: "q=Fest",
}
LITERAL = {"admin/^.*/$": "/admin/nothing-here/", "wagtailadmin_login": "/admin/login/"}


def listing_of(world: World) -> Listing:
    """A ticket that was for sale by private link, and is not any more."""
    ticket = Ticket.objects.get(event=world.event)
    known = Listing.objects.filter(ticket=ticket).first()
    return known or Listing.objects.create(
        ticket=ticket,
        event=world.event,
        paid_minor=100,
        asked_minor=100,
        fee_minor=0,
        currency="SEK",
        is_private=True,
        state="withdrawn",
        listed_at=clock.now(),
    )


def waiting_rule_of(world: World) -> WaitingRule:
    return WaitingRule.objects.get_or_create(event=world.event)[0]


def entry_of(world: World) -> WaitingEntry:
    """Somebody who was on the waiting list, and is not any more."""
    known = WaitingEntry.objects.filter(event=world.event).first()
    return known or WaitingEntry.objects.create(
        event=world.event,
        buyer_key=f"key-{world.mark}",
        email=f"waits-{world.mark}@example.org",
        rank=1,
        state="left",
        reason="waiting_left",
        joined_at=clock.now(),
    )


def resale_rule_of(world: World) -> ResaleRule:
    return ResaleRule.objects.get_or_create(event=world.event)[0]


def list_draft_of(world: World) -> MemberListDraft:
    body = body_of(world)
    found = MemberListDraft.objects.filter(body=body).first()
    return found or MemberListDraft.objects.create(body=body, size=0, made_at=clock.now())


def body_of(world: World) -> MemberBody:
    """Whom the association counts as members, by a list."""
    found = MemberBody.objects.filter(organisation=world.organisation).first()
    return found or MemberBody.objects.create(
        organisation=world.organisation,
        name_sv=f"Medlemmar {world.mark}",
        name_en=f"Members {world.mark}",
        source="member_list",
        source_key="list",
    )


def gift_of(world: World) -> Gift:
    ticket = Ticket.objects.get(event=world.event)
    known = Gift.objects.filter(ticket=ticket).first()
    return known or giving.give(ticket, name="Kim Ek", email="kim@example.org")


def pass_of(world: World) -> GatePass:
    held = GatePass.objects.filter(event=world.event).first()
    return held or passes.give(world.event, holder_name=f"Robin {world.mark}", by=world.editor)[0]


def link_of(world: World) -> PresaleLink:
    made = PresaleLink.objects.filter(event=world.event).first()
    return made or presale.create(world.event, types=[world.kind], label=f"Alumni {world.mark}", size=2)


def list_of(world: World) -> PresaleBatch:
    there = PresaleBatch.objects.filter(event=world.event).first()
    terms = {"event": world.event, "number": 1, "waiting": [[world.mark, "", 1]], "problem": world.mark}
    return there or PresaleBatch.objects.create(begun_at=clock.now(), **terms)


def draft_of(world: World) -> EventDraft:
    begun = EventDraft.objects.filter(organisation=world.organisation).first()
    titles = {"title_sv": f"Utkast {world.mark}", "title_en": f"Draft {world.mark}"}
    return begun or factories.event_draft(world.organisation, **titles)


def discount_of(world: World) -> Discount:
    known = Discount.objects.filter(event=world.event).first()
    if known is None:
        named = f"Sponsor {world.mark}"
        sponsor = builders.sponsor(world.organisation, named)
        texts = {f"KOD{world.mark.upper()}": 5}
        known = builders.discount(world.event, name_sv=f"Rabatt {world.mark}", sponsor=sponsor, codes=texts)
    return known


def order_of(world: World) -> Order:
    return Order.objects.get(event=world.event)


def debt_of(world: World) -> Refund:
    order = order_of(world)
    owed = Refund.objects.filter(payment__order=order, state="failed").first()
    if owed is None:
        owed = refunds.give_back(order, order.lines.all()[0], 100, note=f"Tack {world.mark}")
        told = {"kind": "refund", "our_id": str(owed.public_id), "reference": ""}
        refunds.settle(factories.notice(owed.payment, "failed", **told), provider=owed.payment.provider)
    return owed


def transfer_of(world: World) -> Payment:
    """A manual payment that was given up: the order is paid another way."""
    there = Payment.objects.filter(order__event=world.event, provider=manual.TRANSFER).first()
    return there or factories.payment(order_of(world), provider=manual.TRANSFER, state="cancelled")


def to_pay_back(world: World) -> Refund:
    """What was sent for it all the same, and waits to be paid back."""
    there = Refund.objects.filter(payment=transfer_of(world)).first()
    if there is None:
        transfers.approve(transfer_of(world), received_minor=100, actor=world.treasurer)
        there = Refund.objects.get(payment=transfer_of(world))
    return there


def account_of(world: World) -> TransferAccount:
    there = TransferAccount.objects.filter(organisation=world.organisation).first()
    return there or TransferAccount.objects.create(
        organisation=world.organisation, offers_transfer=True, bankgiro="9912346"
    )


def path_of(address: Address, world: World) -> str:
    """The address with Lyktan's things filled in. Raises KeyError for a word that has no sample yet."""
    query = QUERIES.get(address.name)
    path = LITERAL.get(address.known_as) or _reversed(address, world)
    return f"{path}?{query(world)}" if query else path


def _reversed(address: Address, world: World) -> str:
    if not address.name:
        return "/" + address.route
    if address.groups:
        with override("sv"):  # the language of the page
            return reverse(address.name, args=POSITIONAL[address.name](world))
    namespace = address.name.rpartition(":")[0] or address.name
    kwargs = {}
    for word in address.words:
        for key in (f"{address.name}/{word}", f"{namespace}/{word}", f"{address.name.partition(':')[0]}/{word}", word):
            if key in SAMPLES:
                kwargs[word] = SAMPLES[key](world)
                break
        else:
            raise KeyError(f"{address.name}: what stands for “{word}”?")
    return reverse(address.name, kwargs=kwargs)
