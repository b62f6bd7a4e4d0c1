"""Django's `static` tag with one difference: the address of a file that the template itself names is made once, and not
once for each page. The files do not change while a process runs.
"""

from __future__ import annotations

from django.template import Library
from django.template.base import FilterExpression, Parser, Token
from django.template.context import Context
from django.templatetags import static

register = Library()
register.tags.update(static.register.tags)


class FixedAddress(static.StaticNode):
    """`{% static "foyer/js/queue.js" %}`"""

    def __init__(self, varname: str | None, path: FilterExpression) -> None:
        super().__init__(varname, path)
        self._is_fixed = isinstance(path.var, str) and not path.filters
        self._address: str | None = None

    def url(self, context: Context) -> str:
        """What Django says."""
        if not self._is_fixed:
            return super().url(context)
        if self._address is None:
            self._address = super().url(context)
        return self._address


@register.tag("static")
def do_static(parser: Parser, token: Token) -> static.StaticNode:
    """`{% static path [as name] %}`"""
    return FixedAddress.handle_token(parser, token)
