"""What an administrator outside does with a secret drop, and the task behind it."""

from datetime import date, timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from oauth.models import Link, Verification
from oauth.tasks import verify
from tenants.models import Credential
from tests.factories import make_superuser
from tests.oauth.consenting import text_of

ENDS = (date.today() + timedelta(days=180)).isoformat()
LATER = timedelta(minutes=4)  # after which a new secret has spread


def filled(world: Any, **fields: str) -> dict[str, str]:
    return {
        "client_id": world.app["client_id"],
        "directory": world.directory["id"],
        "secret": world.secret["value"],
        "ends_on": ENDS,
        **fields,
    }


def enter(client: Client, link: Link, fields: dict[str, str]) -> Any:
    return client.post(f"/connect/{link.public_id}/secret/", fields)


def try_it(link: Link) -> Verification:
    """What the task does with what was entered last, a while after it was."""
    last = Verification.objects.filter(link=link).first()
    Credential.objects.filter(pk=last.credential_id).update(created_at=timezone.now() - LATER)
    Verification.objects.filter(pk=last.pk).update(next_at=None)
    verify(last.pk)
    last.refresh_from_db()
    return last


def page(client: Client, link: Link, query: str = "") -> str:
    return text_of(client.get(f"/connect/{link.public_id}/{query}"))


def revoke(link: Link) -> None:
    operator = Client()
    operator.force_login(make_superuser())
    operator.post(f"/admin/oauth/link/{link.pk}/do/revoke/", {"confirmed": "yes"})
