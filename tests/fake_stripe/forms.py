"""Stripe's dialect: nested form fields in, JSON out, and its errors."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

SECRET_KEY = "sk_test_foyer0123456789"  # the fake's own
PUBLISHABLE_KEY = "pk_test_foyer0123456789"
LIVE_SECRET_KEY = "sk_live_foyer0123456789"
LIVE_PUBLISHABLE_KEY = "pk_live_foyer0123456789"


class ApiError(Exception):
    """An answer other than 200, as Stripe words it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        body = {"type": type, "message": message, "code": code, **more}
        self.body = {"error": {name: value for name, value in body.items() if value is not None}}


def missing(kind: str, id: str) -> ApiError:
    return ApiError(404, f"No such {kind}: '{id}'", code="resource_missing", param="id")


def decode(text: str) -> dict[str, Any]:
    """`a[b][0][c]=1` as nested dicts and lists; a list is whatever has the keys 0, 1, 2 … or none."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, rest = re.match(r"([^\[]*)(.*)", name).groups()  # type: ignore[union-attr]
        path = [first, *re.findall(r"\[([^\]]*)\]", rest)]
        place = found
        for step in path[:-1]:
            place = place.setdefault(step, {})
        last = path[-1]
        place[str(len(place)) if last == "" else last] = value
    return _lists(found)


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and all(name == str(number) for number, name in enumerate(inner)):
        return list(inner.values())
    return inner


def whole(params: dict[str, Any], name: str, default: int | None = None) -> int:
    """A whole number; an error as Stripe words it when it is none, or missing without a default."""
    if name not in params:
        if default is None:
            raise ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
        return default
    try:
        return int(params[name])
    except (TypeError, ValueError):
        message = f"Invalid integer: {params[name]}"
        raise ApiError(400, message, code="parameter_invalid_integer", param=name) from None


def yes(value: Any) -> bool:
    return str(value).lower() == "true"


def needed(params: dict[str, Any], name: str) -> Any:
    if not params.get(name):
        raise ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    return params[name]
