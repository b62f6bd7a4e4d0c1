"""Is the process alive, and can it serve?"""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.test import Client


def test_livez_answers_without_database():
    response = Client().get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-cache" in response["Cache-Control"]


@pytest.mark.django_db
def test_readyz_is_ok_with_both():
    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_is_degraded_without_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "degraded", "redis": "away"})


@pytest.mark.django_db
def test_readyz_is_unavailable_without_database(monkeypatch):
    def refuse():
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", refuse)

    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (503, {"status": "unavailable", "database": "away"})


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/livez", "/readyz"])
def test_health_takes_no_posts(address):
    assert Client().post(address).status_code == 405
