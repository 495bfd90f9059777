"""Structured logs: one JSON object a line, and nothing secret in it."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from pythonjsonlogger.json import JsonFormatter

REDACTED = "[redacted]"

_NAMED = (
    "access_token|refresh_token|id_token|client_secret|client_assertion|code_verifier|code|state|nonce|password"
    "|authorization|secret|token|cookie"
)
_PATTERNS = (
    # name=value, name: value, "name": "value", as in forms, headers, JSON and reprs
    (
        re.compile(rf"""(?i)(?<![a-z_])(["']?(?:{_NAMED})["']?\s*[=:]\s*)(["']?)(?:bearer\s+)?[^\s"'&,;)}}]+\2"""),
        rf"\1{REDACTED}",
    ),
    # the token of a link or a calendar in a path, percent-encoded or not
    (re.compile(r"(?i)((?:/|%2F)c(?:alendar)?(?:/|%2F)+)[A-Za-z0-9_.~%-]{16,}"), rf"\1{REDACTED}"),
    (re.compile(r"\bey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?"), REDACTED),  # JWT
    (re.compile(r"[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{20,}"), REDACTED),  # the shape of Entra's client secrets
    (
        re.compile(r"\b[01]\.A[A-Za-z0-9_-]{40,}[A-Za-z0-9_.-]*"),
        REDACTED,
    ),  # the shape of Entra's codes and refresh tokens
    (re.compile(r"\bgAAAA[A-Za-z0-9_=-]{40,}"), REDACTED),  # a sealed value
)
_SECRET_KEYS = re.compile(rf"(?i)^(?:{_NAMED})$")


def without_secrets(text: str) -> str:
    """The text with what looks like a secret replaced, and line breaks escaped so that one record stays one line."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {key: REDACTED if _SECRET_KEYS.match(str(key)) else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))


class NoSecrets(logging.Filter):
    """Cleans a record before any handler formats it: message, arguments, extra fields, and the traceback's text."""

    _standard = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = without_secrets(record.getMessage())
        record.args = ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = without_secrets(record.exc_text)
            record.exc_info = None
        for key in set(vars(record)) - self._standard:
            value = getattr(record, key)
            setattr(record, key, REDACTED if _SECRET_KEYS.match(key) else _clean(value))
        return True


class Lines(JsonFormatter):
    """One JSON object a line: time, level, logger, message, whatever the caller added as `extra`."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )


# What Django, Celery and gunicorn are told alike, so that no process has a log of another make.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"no_secrets": {"()": NoSecrets}},
    "formatters": {"json": {"()": Lines}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["no_secrets"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
        "gunicorn.access": {"handlers": [], "level": "INFO", "propagate": True},
        # MSAL logs whole bodies of answers it cannot read.
        "msal": {"level": "CRITICAL", "propagate": False},
        # Apprise logs addresses and messages; urllib3's warnings name the address of a request.
        "apprise": {"level": "CRITICAL", "propagate": False},
        "urllib3": {"level": "ERROR"},
    },
}
