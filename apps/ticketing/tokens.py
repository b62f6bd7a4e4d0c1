"""The way of a visitor's tokens: from the address of a page (`?link=…`) into its form, and from what is posted to the
order, on which the queue judges them again.

A token is an opaque word that only plugins understand, such as `link:` and the secret of a presale link. It never
enters what is kept for others: whoever comes with one is shown a form of their own, and the page of all who have one,
into which theirs is put as it is given (`events.page_cache`).
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict

from apps.accounts.plain_text import one_line

MOST = 5
LONGEST = 120
FIELD = "token"
# {parameter of an address: what stands before its value in the token}
IN_ADDRESSES = {"link": "link:"}


def of_address(query: QueryDict) -> tuple[str, ...]:
    """The tokens that the address of a page names."""
    return _clean(
        prefix + value for name, prefix in IN_ADDRESSES.items() for value in query.getlist(name) if value.strip()
    )


def of_form(data: QueryDict) -> tuple[str, ...]:
    """The tokens that came with a posted form."""
    return _clean(data.getlist(FIELD))


def of_links(tokens: Iterable[str]) -> tuple[str, ...]:
    """Those that came by an address; what was typed has a field of its own."""
    return tuple(token for token in tokens if token.startswith(tuple(IN_ADDRESSES.values())))


def query_of(tokens: Iterable[str]) -> str:
    """`?link=…` for an address that is to keep these tokens; empty where there are none that addresses name."""
    pairs = [
        (name, token.removeprefix(prefix))
        for token in tokens
        for name, prefix in IN_ADDRESSES.items()
        if token.startswith(prefix)
    ]
    return f"?{urlencode(pairs)}" if pairs else ""


def keep_private(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """An answer to an address that names a token: not cached, not indexed, and no other site is told where one was."""
    if any(name in request.GET for name in IN_ADDRESSES):
        response["Cache-Control"] = "private, no-store"
        response["Referrer-Policy"] = "same-origin"  # with no-referrer the form's POST would have no origin
        response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _clean(words: Iterable[str]) -> tuple[str, ...]:
    """At most so many different words; one that is too long is cut, and so is nobody's."""
    found = dict.fromkeys(one_line(word)[:LONGEST] for word in words)
    return tuple(word for word in found if word)[:MOST]
