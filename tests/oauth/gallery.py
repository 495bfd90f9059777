"""Every page that people outside may see, each in all its shapes, for tests of what must be true of all of them."""

import time
import uuid
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from oauth import attempts
from oauth.further_links import MOST_A_DAY
from oauth.id_token import PERSONAL
from oauth.limits import LIMITS
from oauth.models import AdminGrant, Connection, ConsentAttempt, Link, Verification
from oauth.models.link import digest
from oauth.report import PARTS
from oauth.secret_drop import MOST_TRIES as MOST_DROPS
from tenants.models import RedirectURI, ScopeSelection
from tests.factories import make_connection, make_credential, make_link, make_registration
from tests.oauth.consenting import World, come_back, press

Purpose, Way, Outcome = Link.Purpose, ConsentAttempt.Way, ConsentAttempt.Outcome
RETURN_URL = "https://app.example/settings/mail"


def attempt_of(client: Client, link: Link, way: str = Way.SIGN_IN, **fields: Any) -> ConsentAttempt:
    """An attempt as this browser left it, without a word from Microsoft."""
    started = attempts.keep(link, Way(way), state=str(uuid.uuid4()), auth_uri="")
    held = f"{int(time.time()):012d}.{started.browser}"
    client.cookies[f"attempt-{started.attempt.pk.hex}"] = held
    if fields.get("outcome"):
        fields = {"claimed_at": timezone.now(), "finished_at": timezone.now(), **fields}
    ConsentAttempt.objects.filter(pk=started.attempt.pk).update(**fields)
    return ConsentAttempt.objects.get(pk=started.attempt.pk)


def connection_of(world: World, **fields: Any) -> Connection:
    return make_connection(world.registration, address="ada@contoso.example", person="Ada Lovelace", **fields)


def grant_of(world: World, status: str, **fields: Any) -> AdminGrant:
    scopes = ["Mail.Read", "MailboxSettings.Read", "User.Read"]
    directory = uuid.UUID(world.directory["id"])
    AdminGrant.objects.filter(registration=world.registration, tid=directory).delete()
    return AdminGrant.objects.create(
        tenant=world.link.tenant,
        registration=world.registration,
        tid=directory,
        client_id=world.registration.client_id,
        scopes=scopes,
        status=status,
        **fields,
    )


def opened(client: Client, world: World, **fields: Any) -> Link:
    """Another link of the world's registration, opened by this browser."""
    registration = fields.pop("registration", world.registration)
    link, token = make_link(registration, **fields)
    assert client.get(f"/c/{token}/").status_code == 303
    return link


def come_anew(client: Client, world: World) -> Link:
    """The world's link, opened by a browser that holds nothing else: it would forget one of more than ten."""
    client.cookies.clear()
    assert client.get(f"/c/{world.token}/").status_code == 303
    return world.link


def show(client: Client, link: Link) -> Any:
    return client.get(f"/connect/{link.public_id}/")


def outcome(client: Client, link: Link, **fields: Any) -> Any:
    attempt = attempt_of(client, link, **fields)
    return client.get(f"/connect/attempt/{attempt.pk}/")


def gallery(client: Client, world: World) -> dict[str, HttpResponse]:
    """One response of every kind. The language is the browser's."""
    return {
        **_requests(client, world),
        **_ways_on(client, world),
        **_outcomes(client, world),
        **_disconnecting(client, world),
        **_setting_up(client, world),
        **_refusals(client, world),
    }


def _requests(client: Client, world: World) -> dict[str, Any]:
    seen = {"landing": show(client, come_anew(client, world))}
    seen["landing for one account"] = show(client, opened(client, world, expected_address="ada@contoso.example"))
    RedirectURI.objects.create(registration=world.registration, use=RedirectURI.Use.RETURN, uri=RETURN_URL)
    seen["landing, with a way back"] = show(client, opened(client, world, return_url=RETURN_URL))
    for audience in ("AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"):
        registration = make_registration(world.link.tenant, audience=audience, cloud="sandbox", directory="")
        seen[f"landing for {audience}"] = show(client, opened(client, world, registration=registration))
        if audience != "PersonalMicrosoftAccount":
            link = opened(client, world, registration=registration, purpose=Purpose.APPROVAL)
            seen["approval for any directory"] = show(client, link)
    for status in AdminGrant.Status.values:
        grant_of(world, status)
        seen[f"landing, approval {status}"] = show(client, world.link)
    AdminGrant.objects.all().delete()
    connection = connection_of(world)
    again = opened(client, world, purpose=Purpose.RECONNECT, connection=connection)
    shapes: dict[str, dict[str, Any]] = {
        "healthy": {},
        "incomplete": {"scopes_asked": ["Mail.Read", "Mail.Send"]},
        "invalid": {"token_status": "invalid"},
        "dead": {"token_status": "dead"},
        "disconnected": {"disconnected_at": timezone.now()},
    }
    for name, fields in shapes.items():
        Connection.objects.filter(pk=connection.pk).update(**fields)
        seen[f"reconnect, {name}"] = show(client, again)
    seen["approval"] = show(client, opened(client, world, purpose=Purpose.APPROVAL, parent=world.link))
    return seen


def _ways_on(client: Client, world: World) -> dict[str, Any]:
    come_anew(client, world)
    approval = opened(client, world, purpose=Purpose.APPROVAL, parent=world.link)
    sent = opened(client, world, sent_to="ada@contoso.example")
    attempt = attempt_of(client, world.link)
    seen = {
        "link": client.get(f"/c/{world.token}/"),
        "start": press(client, world.link),
        "reloaded start": client.get(f"/connect/{world.link.public_id}/start/"),
        "elsewhere": Client(headers=client_headers(client)).get(f"/connect/{uuid.uuid4()}/"),
        "elsewhere, with a way to approve": Client(headers=client_headers(client)).get(
            f"/connect/{world.link.public_id}/"
        ),
        "attempt elsewhere": Client(headers=client_headers(client)).get(f"/connect/attempt/{attempt.pk}/"),
        "hand on": client.post(f"/connect/{world.link.public_id}/hand-on/"),
        "hand on, known address": client.post(f"/connect/{sent.public_id}/hand-on/"),
        "hand on by an administrator": client.post(f"/connect/{approval.public_id}/hand-on/"),
    }
    for name, text in {
        "known": "AADSTS50105",
        "approval": "AADSTS90094",
        "unknown": "AADSTS99999",
        "none": "?",
        "with IDs": f"AADSTS50105 Trace ID: {uuid.uuid4()} Correlation ID: {uuid.uuid4()}",
    }.items():
        seen[f"told, {name}"] = client.post(f"/connect/{world.link.public_id}/told/", {"text": text})
    seen["told to an administrator"] = client.post(f"/connect/{approval.public_id}/told/", {"text": "AADSTS90094"})
    return seen


def _outcomes(client: Client, world: World) -> dict[str, Any]:
    link = come_anew(client, world)
    connection = connection_of(world)
    partial = connection_of(world, scopes_asked=["Mail.Read", "Mail.Send"])
    personal = connection_of(world, tid=PERSONAL)
    back = opened(client, world, return_url=RETURN_URL)
    approval = opened(client, world, purpose=Purpose.APPROVAL, parent=link)
    ended = opened(client, world)
    pinned = opened(client, world, expected_address="ada@contoso.example")
    now, failed = timezone.now(), {"outcome": Outcome.REFUSED, "error": "access_denied", "codes": [50105]}
    seen = {
        "connected": outcome(client, link, outcome=Outcome.CONNECTED, connection=connection),
        "connected, personal": outcome(client, link, outcome=Outcome.CONNECTED, connection=personal),
        "connected and going back": outcome(client, back, outcome=Outcome.CONNECTED, connection=connection),
        "connected with less": outcome(client, back, outcome=Outcome.CONNECTED_WITH_LESS, connection=partial),
        "declined": outcome(client, link, outcome=Outcome.DECLINED, fault_kind="user_declined"),
        "declined and going back": outcome(client, back, outcome=Outcome.DECLINED, fault_kind="user_declined"),
        "declined to approve": outcome(client, link, way=Way.APPROVAL, outcome=Outcome.DECLINED),
        "cancelled": outcome(client, link, outcome=Outcome.CANCELLED, fault_kind="cancelled"),
        "cancelled an approval": outcome(client, approval, way=Way.APPROVAL, outcome=Outcome.CANCELLED),
        "refused": outcome(client, link, **failed, fault_kind="user_not_assigned", correlation_id=str(uuid.uuid4())),
        "refused for want of an approval": outcome(client, link, **failed, fault_kind="admin_consent_required"),
        "rejected": outcome(client, link, outcome=Outcome.REJECTED, fault_kind="wrong_account"),
        "another account": outcome(client, pinned, outcome=Outcome.REJECTED, fault_kind="wrong_account"),
        "unreachable": outcome(client, link, outcome=Outcome.UNREACHABLE, fault_kind="unreachable"),
        "waiting": outcome(client, link),
        "expired": outcome(client, link, expires_at=now - timedelta(minutes=1)),
        "working": outcome(client, link, claimed_at=now),
        "interrupted": outcome(client, link, claimed_at=now - timedelta(minutes=5)),
        "spreading": outcome(client, link, claimed_at=now, next_at=now + timedelta(seconds=5)),
    }
    approved = {"way": Way.APPROVAL, "outcome": Outcome.APPROVED}
    for status in AdminGrant.Status.values:
        seen[f"approved, {status}"] = outcome(client, approval, **approved, grant=grant_of(world, status))
        ConsentAttempt.objects.update(grant=None)
    looked_at = grant_of(world, "reported", look_at=now + timedelta(seconds=5))
    seen["approved, being confirmed"] = outcome(client, link, **approved, grant=looked_at)
    Link.objects.filter(pk=ended.pk).update(revoked_at=now)
    seen["approved, link ended"] = outcome(client, ended, **approved, grant=looked_at)
    seen["declined, link ended"] = outcome(client, ended, outcome=Outcome.DECLINED, fault_kind="user_declined")
    return seen


def _disconnecting(client: Client, world: World) -> dict[str, Any]:
    connection = connection_of(world)
    link = opened(client, world, purpose=Purpose.DISCONNECT, connection=connection)
    address = f"/connect/{link.public_id}/disconnect/"
    return {
        "disconnect": show(client, link),
        "disconnected": client.post(address),
        "disconnected already": client.post(address),
        "disconnect, ended already": show(client, link),
    }


def _setting_up(client: Client, world: World) -> dict[str, Any]:
    tenant = world.link.tenant
    draft = make_registration(tenant, cloud="sandbox", client_id="", directory="")
    known = make_registration(tenant)  # of a cloud that every tool has a name for
    RedirectURI.objects.create(registration=known, use=RedirectURI.Use.PRODUCT, uri="https://app.example/oauth")
    steps = opened(client, world, registration=draft, purpose=Purpose.SETUP)
    drop = opened(client, world, registration=draft, purpose=Purpose.SECRET)
    seen = {
        "setup": show(client, steps),
        "setup of a known client": show(client, opened(client, world, registration=known, purpose=Purpose.SETUP)),
        "secret": show(client, drop),
        "secret, for a known client": show(
            client, opened(client, world, registration=world.registration, purpose=Purpose.SECRET)
        ),
        "secret, filled in wrongly": client.post(
            f"/connect/{drop.public_id}/secret/", {"client_id": "x", "directory": "?", "secret": "x", "ends_on": "x"}
        ),
    }
    shapes: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "checking": ("", []),
        "spreading": ("", [step("sign_in", "waiting", [7000215])]),
        "works": ("ok", [step("sign_in", "ok")]),
        "works, but": (
            "failed",
            [step("sign_in", "ok"), *(step(key, "failed") for key in (*PARTS, "consent", "another"))],
        ),
        "unanswered": ("unanswered", [step("sign_in", "unanswered")]),
        **{
            f"refused, {code}": ("failed", [step("sign_in", "failed", [code])])
            for code in (7000215, 7000222, 700016, 90002, 7000112, 99999)
        },
    }
    credential = make_credential(draft)
    for name, (outcome, steps_seen) in shapes.items():
        Verification.objects.filter(link=drop).delete()
        Verification.objects.create(
            registration=draft,
            credential=credential,
            link=drop,
            outcome=outcome,
            steps=steps_seen,
            finished_at=timezone.now() if outcome else None,
        )
        seen[f"secret, {name}"] = show(client, drop)
    Verification.objects.filter(link=drop).delete()
    Link.objects.filter(pk=drop.pk).update(told_taken=MOST_DROPS)
    seen["secret, refused too often"] = show(client, drop)
    return seen


def step(key: str, state: str, codes: list[int] | None = None) -> dict[str, Any]:
    """As a report keeps it."""
    return {"key": key, "state": state, "seen": "For operators.", "codes": codes or []}


def _refusals(client: Client, world: World) -> dict[str, Any]:
    come_anew(client, world)
    headers = client_headers(client)
    strict = Client(enforce_csrf_checks=True, headers=headers)
    taken = attempt_of(client, world.link, outcome=Outcome.DECLINED)
    elsewhere = make_registration(world.link.tenant, cloud="sandbox")  # whose directory was not asked for before
    make_credential(elsewhere)
    world.microsoft.set_fault("down", grant_type="discovery")
    seen = {
        "unusable": client.get("/c/unknown/"),
        "callback by PUT": client.put("/oauth/callback/sandbox/"),
        "unmatched": come_back(client, {"state": "x", "code": "x"}),
        "csrf": strict.post(f"/connect/{world.link.public_id}/start/"),
        "not found": client.get("/c/a/b/c"),
        "cannot start, unreachable": press(client, opened(client, world, registration=elsewhere)),
    }
    world.microsoft.clear_faults()
    seen["unmatched, used already"] = answer_again(client, taken)
    while world.link.children.filter(purpose=Purpose.APPROVAL).count() < MOST_A_DAY + world.link.max_uses:
        make_link(world.registration, parent=world.link, purpose=Purpose.APPROVAL)
    seen["enough links"] = client.post(f"/connect/{world.link.public_id}/hand-on/")
    for _ in range(22):
        attempt_of(Client(), world.link)
    seen["too many tries"] = press(client, world.link)
    ScopeSelection.objects.filter(registration=world.registration).delete()
    seen["cannot start, no scopes"] = show(client, world.link)
    for _ in range(3 * LIMITS["disconnect"]):  # a new minute may begin meanwhile
        seen["too many requests"] = client.post(f"/connect/{uuid.uuid4()}/disconnect/")
        if seen["too many requests"].status_code == 429:
            break
    return seen


def answer_again(client: Client, attempt: ConsentAttempt) -> Any:
    """An answer for an attempt that has ended, from the browser that made it."""
    ConsentAttempt.objects.filter(pk=attempt.pk).update(state_digest=digest("known-state"))
    return come_back(client, {"state": "known-state", "error": "access_denied"})


def client_headers(client: Client) -> dict[str, str]:
    """The language that this browser asks for, for another browser."""
    language = client.defaults.get("HTTP_ACCEPT_LANGUAGE", "")
    return {"accept-language": language} if language else {}
