"""Django's `i18n` tags for every template, with one difference: a word that stands in the template itself is looked up
once for each language, and not once for each page. An order's page has forty of them.
"""

from __future__ import annotations

from typing import Any

from django.template import Library, Node
from django.template.base import Parser, Token
from django.template.context import Context
from django.templatetags import i18n
from django.utils.translation import get_language

register = Library()
register.tags.update(i18n.register.tags)
register.filters.update(i18n.register.filters)


class FixedWord(Node):
    """A word that is the same on every page in the same language."""

    child_nodelists = ()

    def __init__(self, word: Node) -> None:
        self.word = word
        self._said: dict[tuple[str | None, bool], Any] = {}

    def render(self, context: Context) -> Any:
        """What Django renders."""
        key = (get_language(), context.autoescape)
        said = self._said.get(key)
        if said is None:
            said = self._said[key] = self.word.render(context)
        return said


@register.tag("translate")
@register.tag("trans")
def translate(parser: Parser, token: Token) -> Node:
    """`{% translate "Sign in" %}`, and all that Django's tag of this name can do besides."""
    word = i18n.do_translate(parser, token)
    return FixedWord(word) if _is_fixed(word) else word


def _is_fixed(word: Any) -> bool:
    expressions = [word.filter_expression, *([word.message_context] if word.message_context else [])]
    return not word.asvar and all(
        not expression.filters and (isinstance(expression.var, str) or expression.var.literal is not None)
        for expression in expressions
    )
