"""Rows for the pages that no walk through the sandbox leads to. Run by the site itself: `manage.py shell`."""

import json
import time
import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from oauth import attempts
from oauth.models import AdminGrant, ConsentAttempt, Link
from tenants.models import AppRegistration, RedirectURI
from tests.factories import make_connection, make_credential, make_link, make_registration, make_tenant

Purpose, Way, Outcome = Link.Purpose, ConsentAttempt.Way, ConsentAttempt.Outcome
RETURN_URL = "https://app.example/settings/mail"


def set_up(directory: str, client_id: str, secret: str) -> None:
    """A customer of the sandbox's directory, ready to consent; prints the tokens of its links, by name."""
    registration = make_registration(
        make_tenant("Alder Logistics"),
        name="Alder Mail",
        cloud="sandbox",
        directory=directory,
        client_id=client_id,
        scopes=("Mail.ReadWrite", "Mail.Send", "Calendar.ReadOnly"),
    )
    make_credential(registration, value=secret)
    connection = make_connection(
        registration, address="bo@alder.example", person="Bo Berg", scopes_asked=["Mail.Read", "Mail.Send"]
    )
    link, token = make_link(registration, max_uses=20)
    approval = make_link(registration, purpose=Purpose.APPROVAL, parent=link)[1]
    pinned = make_link(registration, expected_address="ana@alder.example")[1]
    reconnect = make_link(registration, purpose=Purpose.RECONNECT, connection=connection)[1]
    disconnect = make_link(registration, purpose=Purpose.DISCONNECT, connection=connection)[1]
    tokens = {"consent": token, "approval": approval, "pinned": pinned, "approved": _approved(registration)}
    print(json.dumps({**tokens, "reconnect": reconnect, "disconnect": disconnect}))


def _approved(other: AppRegistration) -> str:
    """The token of a link whose app an administrator has approved, for accounts of any kind, with a way back."""
    registration = make_registration(
        other.tenant, name="Alder Calendar", cloud="sandbox", directory="", audience=AppRegistration.Audience.ANY
    )
    RedirectURI.objects.create(registration=registration, use=RedirectURI.Use.RETURN, uri=RETURN_URL)
    AdminGrant.objects.create(
        tenant=other.tenant,
        registration=registration,
        tid=uuid.uuid4(),
        client_id=registration.client_id,
        scopes=["Mail.Read", "MailboxSettings.Read", "User.Read"],
        status=AdminGrant.Status.SEEN,
    )
    return make_link(registration, return_url=RETURN_URL)[1]


def make_ends() -> None:
    """An attempt for every end there is; prints the address and the cookie of each, by name."""
    registration = AppRegistration.objects.get(name="Alder Mail")
    link, approval = (Link.objects.filter(purpose=purpose).earliest("pk") for purpose in ("consent", "approval"))
    RedirectURI.objects.create(registration=registration, use=RedirectURI.Use.RETURN, uri=RETURN_URL)
    back = make_link(registration, return_url=RETURN_URL)[0]
    pinned = registration.links.exclude(expected_address="").get()
    grant = AdminGrant.objects.create(
        tenant=link.tenant,
        registration=registration,
        tid=uuid.uuid4(),
        client_id=registration.client_id,
        look_at=timezone.now() + timedelta(days=1),
    )
    partial = link.registration.connections.get(person="Bo Berg")
    now, tomorrow = timezone.now(), timezone.now() + timedelta(days=1)
    refused = {"outcome": Outcome.REFUSED, "error": "access_denied", "correlation_id": str(uuid.uuid4())}
    ends: dict[str, tuple[Link, dict[str, Any]]] = {
        "waiting": (link, {}),
        "expired": (link, {"expires_at": now}),
        "working": (link, {"claimed_at": tomorrow}),
        "spreading": (link, {"claimed_at": now, "next_at": tomorrow}),
        "interrupted": (link, {"claimed_at": now - timedelta(minutes=5)}),
        "cancelled": (link, {"outcome": Outcome.CANCELLED, "error": "access_denied"}),
        "refused": (link, {**refused, "fault_kind": "conditional_access", "codes": [53003]}),
        "approval missing": (link, {**refused, "fault_kind": "admin_consent_required", "codes": [90094]}),
        "our fault": (link, {"outcome": Outcome.REFUSED, "fault_kind": "secret_expired", "codes": [7000222]}),
        "rejected": (link, {"outcome": Outcome.REJECTED, "fault_kind": "wrong_account"}),
        "another account": (pinned, {"outcome": Outcome.REJECTED, "fault_kind": "wrong_account"}),
        "unreachable": (link, {"outcome": Outcome.UNREACHABLE, "fault_kind": "unreachable"}),
        "with less": (back, {"outcome": Outcome.CONNECTED_WITH_LESS, "connection": partial}),
        "going back": (back, {"outcome": Outcome.CONNECTED, "connection": partial}),
        "going back after all": (back, {"outcome": Outcome.DECLINED}),
        "may not approve": (link, {"outcome": Outcome.CANCELLED, "way": Way.APPROVAL}),
        "not approved": (approval, {"outcome": Outcome.DECLINED, "way": Way.APPROVAL}),
        "approved": (approval, {"outcome": Outcome.APPROVED, "way": Way.APPROVAL, "grant": grant}),
        "approved by the person": (link, {"outcome": Outcome.APPROVED, "way": Way.APPROVAL, "grant": grant}),
    }
    print(json.dumps({name: _left(link, fields) for name, (link, fields) in ends.items()}))


def _left(link: Link, fields: dict[str, Any]) -> list[str]:
    started = attempts.keep(link, Way.SIGN_IN, state=str(uuid.uuid4()), auth_uri="")
    pk = started.attempt.pk
    ConsentAttempt.objects.filter(pk=pk).update(
        **{"finished_at": timezone.now() if "outcome" in fields else None, **fields}
    )
    return [f"/connect/attempt/{pk}/", f"attempt-{pk.hex}", f"{int(time.time()):012d}.{started.browser}"]
