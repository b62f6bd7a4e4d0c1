"""Every model says whose it is, and every field whether it tells about a person."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db.models import Model

from apps.accounts.privacy import Personal
from tests.architecture.source import APPS

MODELS = [model for app in APPS for model in apps.get_app_config(app).get_models()]
labels = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


@labels
def test_model_declares_its_way_to_its_organisation(model: type[Model]) -> None:
    path = getattr(model, "ORGANISATION_PATH", "missing")
    if path is None:
        return
    at: type[Model] = model
    for part in str(path).split("__"):
        if part == "pk":
            break
        at = at._meta.get_field(part).related_model  # type: ignore[assignment]

    assert at._meta.label == "events.Organisation"


@labels
def test_model_tags_every_field_as_personal_or_not(model: type[Model]) -> None:
    personal: dict[str, Personal] = getattr(model, "PERSONAL", {})
    not_personal = set(getattr(model, "NOT_PERSONAL", ()))
    fields = {field.name for field in model._meta.get_fields() if field.concrete}

    assert set(personal) & not_personal == set()
    assert fields - set(personal) - not_personal == set()
    assert set(personal) | not_personal <= fields
    assert all(tag.purpose and tag.keep for tag in personal.values())


def test_there_are_models_to_look_at() -> None:
    assert len(MODELS) > 25
