"""One JSON object a line, with the request's id; secrets and people's addresses are masked before it is written."""

from __future__ import annotations

import json
import logging
import re

from apps.accounts.request_ids import current_request_id

SECRET_PATH = re.compile(r"(/(?:orders|tickets|reminders|gifts|resale|waiting)/[^/\s]+/|/door/pass/)[^/\s?\"']+")
# In an address, and in one that another address carries (`?next=…%3Flink%3D…`); and as an order's token.
SECRET_VALUE = re.compile(r"((?:[?&]|%3F|%26)link(?:=|%3D)|\blink:)[A-Za-z0-9_.~-]+", re.IGNORECASE)
# What a provider is told and tells at a sign-in, in an address or a form's body.
SECRET_PARAMETER = re.compile(
    r"\b(access_token|refresh_token|id_token|client_secret|appsecret_proof|code)([\"']?\s*[=:]\s*[\"']?)[A-Za-z0-9_.~%+/|-]{8,}"
)
EMAIL = re.compile(r"[\w.+-]+@([\w-]+\.[\w.-]+)")


def mask(text: str) -> str:
    """`text` without the secret part of order, ticket and presale links and without the local part of addresses."""
    text = SECRET_PARAMETER.sub(r"\1\2***", SECRET_PATH.sub(r"\1***", text))
    return EMAIL.sub(r"***@\1", SECRET_VALUE.sub(r"\1***", text))


class VisitorsFaultFilter(logging.Filter):
    """Makes a warning without a traceback of what Django tells of a request that was wrong itself (4xx), such as a body
    too large: nobody from outside fills the log with errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_told_by_django = record.name.startswith(("django.request", "django.security"))
        if is_told_by_django and getattr(record, "status_code", 500) < 500:
            record.levelno = min(record.levelno, logging.WARNING)
            record.levelname = logging.getLevelName(record.levelno)
            record.exc_info = record.exc_text = None
        return True


class SafeFilter(logging.Filter):
    """Masks the finished message of every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = mask(record.getMessage())
        record.args = ()
        return True


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current_request_id(),
        }
        if record.exc_info:
            entry["exception"] = mask(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)
