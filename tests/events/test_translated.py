"""Organisers' words in two languages: which one is shown, and that a fallback knows what it is."""

from __future__ import annotations

import pickle

import pytest
from django.template import Context, Template
from django.utils.translation import override

from apps.events.models import Event
from apps.events.translated import Fallback, joined, pick, repeated

TOLD = Template('{% load foyer %}<b>{{ event.title|told }}</b><i title="{{ event.title }}">')


@pytest.mark.parametrize(
    ("swedish", "english", "language", "html"),
    [
        ("Bal", "Ball", "sv", '<b>Bal</b><i title="Bal">'),
        ("Bal", "Ball", "en", '<b>Ball</b><i title="Ball">'),
        ("Bal & fest", "", "en", '<b><span lang="sv">Bal &amp; fest</span></b><i title="Bal &amp; fest">'),
        ("", "Ball", "sv", '<b><span lang="en">Ball</span></b><i title="Ball">'),
    ],
)
def test_a_missing_translation_is_shown_in_the_other_language_and_marked(
    swedish: str, english: str, language: str, html: str
) -> None:
    with override(language):
        assert TOLD.render(Context({"event": Event(title_sv=swedish, title_en=english)})) == html


def test_joined_and_repeated_words_stay_in_their_language() -> None:
    beer, cider = pick("Öl", "", "en"), pick("Cider", "Cider", "en")

    told = [repeated(beer, 1), repeated(beer, 2), joined([beer, beer]), joined([beer, cider]), joined([])]

    assert told == ["Öl", "2 × Öl", "Öl, Öl", "Öl, Cider", ""]
    assert [getattr(text, "language", "") for text in told] == ["sv", "sv", "sv", "", ""]
    again = pickle.loads(pickle.dumps(beer))
    assert (type(again), again.language) == (Fallback, "sv")
