"""The words of the templates, looked up once for each language."""

from __future__ import annotations

from typing import Any

import pytest
from config.words import FixedWord
from django.template import Context, Template
from django.template.base import Node
from django.utils.translation import override


def rendered(text: str, language: str, **values: Any) -> str:
    with override(language):
        return Template("{% load i18n %}" + text).render(Context(values))


def nodes(text: str) -> list[type[Node]]:
    return [type(node) for node in Template("{% load i18n %}" + text).nodelist][1:]


@pytest.mark.parametrize(
    "text", ['{% translate "Sign in" %}', "{% trans 'Sign in' %}", '{% translate "Paid" context "amount" %}']
)
def test_a_fixed_word_follows_the_language(text: str) -> None:
    template = Template("{% load i18n %}" + text)
    said = []
    for language in ("en", "sv", "en", "sv"):
        with override(language):
            said.append(template.render(Context()))

    assert nodes(text) == [FixedWord]
    assert said[0] != said[1] and said[:2] == said[2:]


@pytest.mark.parametrize(
    "text",
    ["{% translate word %}", '{% translate "Sign in" as word %}{{ word }}', '{% translate "Sign in"|upper %}'],
)
def test_what_may_differ_from_page_to_page_is_left_to_django(text: str) -> None:
    assert FixedWord not in nodes(text)
    assert rendered(text, "en", word="Sign in") != rendered(text, "sv", word="Sign in")


def test_percent_signs_and_markup_come_out_as_django_writes_them() -> None:
    assert rendered('{% translate "100% <b>" %}', "en") == "100% <b>"
    assert rendered('{% autoescape off %}{% translate "100% <b>" %}{% endautoescape %}', "en") == "100% <b>"
