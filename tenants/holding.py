"""Rows that nobody else changes until the transaction ends.

Whoever holds rows of several kinds takes them in this order, or two would wait for each other for good: links, tenants,
registrations, connections, client secrets; those of one kind by their key. A link to disconnect comes after its
connection. A statement that changes rows holds them just so.
"""

from typing import TypeVar

from django.db.models import Model, QuerySet

_M = TypeVar("_M", bound=Model)


def hold(rows: QuerySet[_M]) -> list[_M]:
    """These, as they are once they are held. What only points at them, such as mails, is not kept waiting."""
    return list(rows.order_by("pk").select_for_update(of=("self",), no_key=True))
