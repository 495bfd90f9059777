"""The environment, read with django-environ; what cannot be read is refused in one sentence that names the setting."""

import json
import warnings
from collections.abc import Callable
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

DATABASE_ENGINES = ("django.db.backends.postgresql", "django.db.backends.sqlite3")


def time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, OSError) as unknown:  # ValueError passes as it is
        raise ValueError(name) from unknown
    return name


def days(text: str) -> list[int]:
    """Whole numbers between commas, the largest first, each once."""
    return sorted({int(part) for part in text.split(",") if part.strip()}, reverse=True)


EXPECTED: dict[Any, str] = {
    int: "a whole number",
    json.loads: "JSON",
    time.fromisoformat: "a time of day such as 02:30",
    days: "whole numbers of days between commas, such as 60,30,7",
    time_zone: "the name of a time zone such as Europe/Berlin",
}


class Environment(environ.Env):
    """An empty value counts as not set. A refusal never quotes the value: it may be a secret."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        if not self.ENVIRON.get(var):
            if default is self.NOTSET:
                raise ImproperlyConfigured(f"{var} is not set.")
            return default
        return _read(var, EXPECTED.get(cast, "well-formed"), lambda: super(Environment, self).get_value(var, cast=cast))

    def list(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET) -> Any:
        """Between commas, without the spaces around them."""
        parts = super().list(var, cast=cast, default=default)
        return [part.strip() for part in parts if part.strip()]

    def db_url(self, var: str = "DATABASE_URL", default: Any = environ.Env.NOTSET, engine: str | None = None) -> Any:
        def parse() -> Any:
            with warnings.catch_warnings(action="ignore"):  # a warning about the engine would print the password
                config = super(Environment, self).db_url(var, default=default, engine=engine)
            if config.get("ENGINE") not in DATABASE_ENGINES:
                raise ValueError("engine")
            return config

        return _read(var, "a URL such as postgres://user:password@host:5432/name", parse)

    db = db_url

    def email_url(self, var: str = "EMAIL_URL", default: Any = environ.Env.NOTSET, backend: str | None = None) -> Any:
        return _read(
            var,
            "a URL such as smtp+tls://user:password@host:587",
            lambda: super(Environment, self).email_url(var, default=default, backend=backend),
        )

    email = email_url


def _read(var: str, expected: str, parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except (ImproperlyConfigured, LookupError, ValueError):
        raise ImproperlyConfigured(f"{var} is not {expected}.") from None
