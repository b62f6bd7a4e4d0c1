"""Sessions are Django's own, read by one plain statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
from config.sessions import SessionStore
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

pytestmark = pytest.mark.django_db


def kept(**values: object) -> str:
    store = SessionStore()
    store.update(values)
    store.save()
    assert store.session_key
    return store.session_key


def test_what_was_kept_is_read(django_assert_num_queries) -> None:
    key = kept(gate_passes={"a": 1}, words="åäö")

    with django_assert_num_queries(1):
        read = dict(SessionStore(key).items())

    assert read == {"gate_passes": {"a": 1}, "words": "åäö"} == dict(DatabaseSessionStore(key).items())


@pytest.mark.parametrize("key", ["unknown-key-of-a-stranger", "x" * 5000, "' OR 1=1 --"])
def test_unknown_key_is_forgotten(key: str) -> None:
    store = SessionStore(key)

    assert (dict(store.items()), store.session_key) == ({}, None)


def test_session_that_has_run_out_is_nobodys() -> None:
    key = kept(words="old")
    Session.objects.filter(pk=key).update(expire_date=timezone.now() - timedelta(seconds=1))

    store = SessionStore(key)

    assert (dict(store.items()), store.session_key) == ({}, None)


def test_session_that_was_tampered_with_is_empty() -> None:
    key = kept(words="true")
    Session.objects.filter(pk=key).update(session_data="eyJ3b3JkcyI6ImZhbHNlIn0:1abcde:nonsense")

    assert dict(SessionStore(key).items()) == {}
