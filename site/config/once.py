"""`{% once %}`: a part of a page that is rendered once, and not once for each page.

What frames an order's page is the same for everybody; in a rush, rendering it was a quarter of that page's work.

    {% load once %}
    {% once theme has_hero %}…{% endonce %}
    {% once label leaving account.url language_url %}<a href="{{ account.url }}">{{ label }}</a>…{% endonce %}

What lies between may depend on nothing but the values named and the language. What stands after `leaving` is different
on each page (an address): it may be shown there, and asked for being there, and no more. A page on which one of these
is empty renders the part anew, as does whoever renders it for the first time in this process.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from django.template import Library, Node, NodeList, TemplateSyntaxError
from django.template.base import FilterExpression, Parser, Token
from django.template.context import Context
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

register = Library()
MOST_KEPT = 64
Key = tuple[Any, ...]
Kept = tuple[list[str], list[int]]  # what stands between the gaps, and which value fills each gap


class Once(Node):
    """The part between `once` and `endonce`."""

    child_nodelists = ("nodelist",)

    def __init__(self, nodelist: NodeList, named: list[FilterExpression], left_open: list[str]) -> None:
        self.nodelist = nodelist
        self.named = named
        self.left_open = [path.split(".") for path in left_open]
        self._kept: dict[Key, Kept] = {}

    def render(self, context: Context) -> SafeString:
        """What the part says on this page."""
        fillings = [_look_up(context, path) for path in self.left_open]
        if not all(fillings):
            return self.nodelist.render(context)
        named = (_hashable(expression.resolve(context, ignore_failures=True)) for expression in self.named)
        key = (get_language(), context.autoescape, *named)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[key] = self._render_with_gaps(context)
        texts, gaps = kept
        if not gaps:
            return mark_safe(texts[0])  # noqa: S308 - rendered by the template itself
        written = [str(conditional_escape(filling) if context.autoescape else filling) for filling in fillings]
        parts = [texts[0]]
        for text, gap in zip(texts[1:], gaps, strict=True):
            parts += (written[gap], text)
        return mark_safe("".join(parts))  # noqa: S308 - rendered by the template itself, with what is filled in escaped

    def _render_with_gaps(self, context: Context) -> Kept:
        """Render with a word in each gap that stands nowhere else, and cut there."""
        word = f"gap{secrets.token_hex(8)}x"
        with context.push():
            for number, path in enumerate(self.left_open):
                _put(context, path, f"{word}{number}.")
            rendered = self.nodelist.render(context)
        pieces = re.split(rf"{word}(\d+)\.", rendered)
        return pieces[::2], [int(number) for number in pieces[1::2]]


def _look_up(context: Context, path: list[str]) -> Any:
    value = context.get(path[0])
    return value.get(path[1]) if len(path) > 1 and value else value


def _put(context: Context, path: list[str], word: str) -> None:
    context[path[0]] = {**context[path[0]], path[1]: word} if len(path) > 1 else word


def _hashable(value: Any) -> Any:
    """The value, or how it is written; what is safe to show and what is not are two things."""
    return (type(value), value) if isinstance(value, str | int | None) else repr(value)


@register.tag
def once(parser: Parser, token: Token) -> Once:
    """`{% once value value leaving name name.key %}…{% endonce %}`"""
    _tag, *words = token.split_contents()
    at = words.index("leaving") if "leaving" in words else len(words)
    named, left_open = words[:at], words[at + 1 :]
    if any(path.count(".") > 1 for path in left_open):
        raise TemplateSyntaxError("'once' leaves open a name, or one key of a name.")
    nodelist = parser.parse(("endonce",))
    parser.delete_first_token()
    return Once(nodelist, [parser.compile_filter(word) for word in named], left_open)
