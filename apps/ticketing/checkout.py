"""The buyer's word before the payment: who they are, and that they accept the terms as they stand now."""

from __future__ import annotations

from apps.accounts.kept import Kept
from apps.accounts.prepared import Statement
from apps.events.models import Event, OrganisationPage, PlainPage
from apps.events.translated import active_language
from apps.ticketing.kept_rows import KEPT_SECONDS
from apps.ticketing.models import Order
from apps.ticketing.states import OrderState

# Short names under which the terms of purchase are published, below the organisation's page or the start page.
TERMS_SLUGS = ("terms", "villkor", "kopvillkor")
BELOW_THE_START_PAGE = 3


def terms_page(event: Event) -> PlainPage | None:
    """The terms of purchase in the reader's language, as they stand now: the organisation's own, else the house's, else
    None."""
    return _find_terms((event.organisation_id, active_language()))


def shown_terms(event: Event) -> PlainPage | None:
    """The same for pages, at most half a second old. What is accepted is read now."""
    return kept_terms((event.organisation_id, active_language()))


def _find_terms(key: tuple[int, str]) -> PlainPage | None:
    organisation_id, language = key
    pages = list(PlainPage.objects.live().filter(slug__in=TERMS_SLUGS).select_related("locale").order_by("pk"))
    if not pages:
        return None
    roots = OrganisationPage.objects.filter(organisation_id=organisation_id).values_list("path", flat=True)
    walls = tuple(roots)
    own = [page for page in pages if page.path.startswith(walls)] if walls else []
    house = [page for page in pages if page.depth == BELOW_THE_START_PAGE]
    return min(own or house, key=lambda page: page.locale.language_code != language, default=None)


kept_terms: Kept[tuple[int, str], PlainPage | None] = Kept(_find_terms, seconds=KEPT_SECONDS)


def version(terms: PlainPage | None) -> str:
    """Which terms stand now; "0:0" where none are published."""
    return f"{terms.pk}:{terms.live_revision_id or 0}" if terms is not None else "0:0"


_NOTE = Statement(
    "order_note",
    ("bigint", "text", "text", "text"),
    "UPDATE ticketing_order SET name = $2, terms_version = $3 WHERE id = $1 AND state = $4 RETURNING id",
)


def accept(order: Order, *, name: str, terms: PlainPage | None) -> None:
    """Note who buys and which terms were accepted, while the order is held. Next: payments.start."""
    _note(order, name, version(terms))


def keep(order: Order, *, name: str, terms: PlainPage | None, accepted: bool) -> None:
    """Note what the buyer has written so far, so that it stands there when they come back to pay."""
    _note(order, name, version(terms) if accepted else "")


def has_accepted(order: Order, terms: PlainPage | None) -> bool:
    """Whether the buyer has accepted the terms as they stand now."""
    return order.terms_version == version(terms)


def _note(order: Order, name: str, version: str) -> None:
    _NOTE.run(order.pk, name, version, str(OrderState.RESERVED))
    order.name, order.terms_version = name, version
