"""A bad start does not start. Django's own checks stop neither gunicorn nor Celery, so each process calls this."""

import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from config.checks import database_problems, encryption_key_problems, settings_problems, unreachable_database

# gunicorn takes 3 for "failed to boot" and stops; after any other status it would start the worker again and again.
REFUSED = 3

# These must work before there is a database, or while somebody mends a setting.
EARLY_COMMANDS = {"check", "collectstatic", "makemigrations", "migrate"}
TALKING_COMMANDS = {"help", "--help", "-h", "version", "--version"}


def refuse_bad_start() -> None:
    """Return if this process may serve; else say why not, one sentence for each problem, and leave with status 3.

    Sets Django up, and closes the database connection it used, so that a server may fork afterwards.
    """
    refuse_bad_settings()
    import django

    django.setup()
    from django.db import connections

    from tenants.models import KeyCanary

    refuse(database_problems())
    KeyCanary.objects.record_current()
    connections.close_all()


def refuse_bad_settings(*, tolerate: str = "") -> None:
    """The part that asks no database; tolerate is the id of one check whose answer does not count yet."""
    read_settings()
    refuse(problem for problem in settings_problems() if problem.id != tolerate)


def refuse_bad_command(argv: Sequence[str]) -> None:
    """For manage.py, before Django runs the command."""
    command = argv[1] if len(argv) > 1 else "help"
    if command in EARLY_COMMANDS:
        read_settings()
        refuse(encryption_key_problems())
        if command == "migrate":
            refuse(unreachable_database())
    elif command not in TALKING_COMMANDS:
        refuse_bad_start()


def read_settings() -> None:
    """Settings that cannot even be read are refused like any other problem, without a traceback."""
    try:
        settings.SECRET_KEY  # noqa: B018  asking loads them
    except ImproperlyConfigured as problem:
        _leave([f"{problem} Set it in the environment or in .env; .env.example lists every setting."])


def refuse(problems: Iterable[CheckMessage]) -> None:
    sentences = [f"{problem.msg} {problem.hint} ({problem.id})" for problem in problems]
    if sentences:
        _leave(sentences)


def _leave(sentences: Iterable[str]) -> NoReturn:
    for sentence in sentences:
        print(f"Tenantry did not start. {sentence}", file=sys.stderr)
    sys.exit(REFUSED)
