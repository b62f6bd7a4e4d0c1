"""The addresses of static files, made once for each place that names one."""

from __future__ import annotations

import pytest
from config.fixed_statics import FixedAddress
from django.contrib.staticfiles import storage
from django.template import Context, Template

TAG = '{% load static %}{% static "foyer/js/queue.js" %}'


def test_address_that_stands_in_the_template_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    template = Template(TAG)
    first = template.render(Context())
    monkeypatch.setattr(storage.staticfiles_storage, "url", lambda path: f"/moved/{path}")

    assert first == template.render(Context()) == "/static/foyer/js/queue.js"
    assert [type(node) for node in template.nodelist][1:] == [FixedAddress]
    assert Template(TAG).render(Context()) == "/moved/foyer/js/queue.js"


def test_address_that_differs_from_page_to_page_is_not() -> None:
    template = Template("{% load static %}{% static file as address %}<{{ address }}>")

    shown = [template.render(Context({"file": file})) for file in ("a.js", "b.js")]

    assert shown == ["</static/a.js>", "</static/b.js>"]
