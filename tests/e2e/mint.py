"""Customers as rows, and their links. Run by the site itself: `manage.py shell`."""

import json
import sys
from typing import Any

from oauth.models import Link
from tenants.models import RedirectURI, Tenant
from tests.factories import make_connection, make_credential, make_link, make_registration, make_tenant


def make_customers() -> None:
    """Read customers from standard input; print the tokens of their links, by customer and link."""
    print(json.dumps({name: _customer(**given) for name, given in json.load(sys.stdin).items()}))


def _customer(
    tenant: str,
    registration: dict[str, Any],
    secret: str,
    links: dict[str, dict[str, Any]],
    connection: dict[str, Any],
    return_url: str,
) -> dict[str, str]:
    owner = Tenant.objects.filter(name=tenant).first() or make_tenant(tenant)
    made = make_registration(None if registration["shared"] else owner, **registration)
    make_credential(made, value=secret)
    connected = make_connection(made, **connection) if connection else None
    if return_url:
        RedirectURI.objects.create(registration=made, use=RedirectURI.Use.RETURN, uri=return_url)
    tokens = {}
    for name, fields in links.items():
        if fields.get("purpose") == Link.Purpose.RECONNECT:
            fields["connection"] = connected
        tokens[name] = make_link(made, tenant=owner, **fields)[1]
    return tokens
