"""What really stands in a sealed column, past everything that guards it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from .models import Vault


def stored(vault: Vault, column: str = "secret"):
    """What the column holds, byte for byte."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM sealing_vault WHERE name = %s", [vault.name])
        return cursor.fetchone()[0]


def plant(vault: Vault, text: str, column: str = "secret") -> None:
    """Write into the column as somebody would who has the database but no key."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE sealing_vault SET {column} = %s WHERE name = %s", [text, vault.name])


@contextmanager
def refused(error: type[Exception], match: str) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """Expect this error from a write, which would break the transaction around it."""
    with pytest.raises(error, match=match) as caught, transaction.atomic():
        yield caught
