"""Parts of pages that are rendered once: what they say on the next page, and that nothing of another page is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.utils.safestring import mark_safe
from django.utils.translation import override


class Counted:
    """A value that counts how often it is shown."""

    def __init__(self) -> None:
        self.times = 0

    def __str__(self) -> str:
        self.times += 1
        return "shown"


Render = Callable[..., str]


@pytest.fixture
def rendered() -> Callable[[str], Render]:
    def made(text: str) -> Render:
        template = Template("{% load i18n once %}" + text)

        def render(language: str = "en", **values: Any) -> str:
            with override(language):
                return template.render(Context(values))

        return render

    return made


def test_a_part_is_rendered_once_for_the_same_values_and_language(rendered: Any) -> None:
    counted = Counted()
    page = rendered("{% once theme %}{{ theme }} {% translate 'Sign in' %} {{ counted }}{% endonce %}")

    first = [page(theme="default", counted=counted) for _ in range(3)]
    page(theme="exchange", counted=counted)
    page("sv", theme="default", counted=counted)

    assert first == ["default Sign in shown"] * 3
    assert counted.times == 3  # two themes, two languages


def test_what_is_left_open_is_each_pages_own_and_is_escaped(rendered: Any) -> None:
    counted = Counted()
    page = rendered(
        "{% once leaving account.url other %}"
        "{{ counted }} {{ account.url }} {% if other %}{{ other }}{% endif %} {{ account.url }}{% endonce %}"
    )

    said = [page(account={"url": url, "label": "x"}, other=other, counted=counted) for url, other in
            (("/a?b&c", "/en"), ("/d", mark_safe("<i>")))]  # fmt: skip

    assert said == ["shown /a?b&amp;c /en /a?b&amp;c", "shown /d <i> /d"]
    assert counted.times == 1


def test_a_page_without_what_is_left_open_renders_the_part_itself(rendered: Any) -> None:
    page = rendered(
        "{% once leaving address %}{% if address %}{{ address }}{% else %}{{ form }}{% endif %}{% endonce %}"
    )

    assert [page(address="", form="mine"), page(address="/en"), page(address="", form="yours")] == [
        "mine", "/en", "yours"
    ]  # fmt: skip


def test_safe_and_unsafe_text_are_two_things(rendered: Any) -> None:
    page = rendered("{% once text %}{{ text }}{% endonce %}")

    assert page(text=mark_safe("<b>")) == "<b>"
    assert page(text="<b>") == "&lt;b&gt;"


def test_lists_are_told_apart_by_what_they_say(rendered: Any) -> None:
    page = rendered("{% once links %}{% for link in links %}{{ link.url }} {% endfor %}{% endonce %}")

    assert [page(links=[{"url": url}]) for url in ("/a", "/b", "/a")] == ["/a ", "/b ", "/a "]


def test_no_more_than_so_many_are_kept(rendered: Any) -> None:
    from config import once

    page = rendered("{% once number %}{{ number }}{% endonce %}")

    assert [page(number=number) for number in range(3 * once.MOST_KEPT)] == [str(n) for n in range(3 * once.MOST_KEPT)]


def test_only_a_name_or_one_key_of_it_can_be_left_open() -> None:
    with pytest.raises(TemplateSyntaxError):
        Template("{% load once %}{% once leaving a.b.c %}{% endonce %}")
