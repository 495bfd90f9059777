"""Answers of an administrator that anybody can make up: never more than reported, and never a connection."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from oauth import approval, mails, ways
from oauth.further_links import MOST_A_DAY
from oauth.models import AdminGrant, Connection, ConsentAttempt, Link, Mail
from tenants.clouds import Cloud
from tests.factories import make_link, make_tenant
from tests.oauth.consenting import World, another_address, approve, consent, report, state_in


def said(state: str, tenant: str, **more: str) -> dict[str, str]:
    return {"admin_consent": "True", "tenant": tenant, "state": state, **more}


def forge(world: World, tenant: str = "", client: Client | None = None, **more: str) -> Any:
    """An answer that no administrator gave, brought by the browser that asked."""
    client = client or Client()
    return report(client, said(state_in(approve(client, world)), tenant or world.directory["id"], **more))


def ended() -> tuple[str, str]:
    attempt = ConsentAttempt.objects.latest("created_at")
    return attempt.outcome, attempt.fault_kind


# What it is worth


def test_a_forged_approval_is_reported_and_no_more(world: World) -> None:
    forge(world)

    grant = AdminGrant.objects.get()
    assert (grant.status, grant.seen_at, grant.verified_at) == ("reported", None, None)
    assert (ended(), Connection.objects.count(), world.microsoft.token_requests()) == (("approved", ""), 0, [])


def test_a_forged_approval_is_not_borne_out_by_the_application_signing_in(world: World) -> None:
    forge(world)
    grant = AdminGrant.objects.get()
    for _ in range(10):
        AdminGrant.objects.filter(pk=grant.pk, look_at__isnull=False).update(look_at=grant.reported_at)
        claimed = AdminGrant.objects.claim(grant.pk)
        if claimed is None:
            break
        approval.look(claimed)

    grant.refresh_from_db()
    assert (grant.status, grant.look_at) == ("reported", None)


def test_an_approval_uses_no_consent_up(world: World) -> None:
    client = Client()
    forge(world, client=client)

    assert Link.objects.get(pk=world.link.pk).uses == 0
    assert consent(client, world).outcome == "connected"


def test_what_the_answer_says_of_scopes_is_not_believed(world: World) -> None:
    forge(world, scope="https://graph.microsoft.com/Mail.ReadWrite https://graph.microsoft.com/Directory.ReadWrite.All")

    assert AdminGrant.objects.get().scopes == ["Mail.Read", "MailboxSettings.Read", "User.Read"]


# What it may say


@pytest.mark.parametrize(
    "tenant",
    [
        "",
        "x",
        "common",
        "organizations",
        "contoso.example",
        "{id}/",
        "{{{id}}}",
        "{id}\n",
        "{id}{id}",
        "' OR 1=1",
        "-1",
    ],
)
def test_a_tenant_that_is_none_reports_nothing(open_world: World, tenant: str) -> None:
    client = Client()
    state = state_in(approve(client, open_world))
    report(client, said(state, tenant.format(id=open_world.directory["id"])))

    attempt = ConsentAttempt.objects.get()
    assert (attempt.outcome, AdminGrant.objects.count()) in [("", 0), ("rejected", 0)]


def test_another_directory_than_the_registrations_reports_nothing(world: World) -> None:
    forge(world, tenant=str(uuid4()))

    assert (ended(), AdminGrant.objects.count()) == (("rejected", "wrong_directory"), 0)


@pytest.mark.parametrize("pin", ["id", "domain"])
def test_another_directory_than_the_links_reports_nothing(open_world: World, pin: str) -> None:
    world = open_world
    directory = world.microsoft.add_directory("Alder", f"alder-{uuid4().hex[:8]}.example")
    world.link, world.token = make_link(
        world.registration, tenant=world.link.tenant, expected_directory=directory[pin], max_uses=2
    )
    forge(world, tenant=str(uuid4()))
    assert (ended(), AdminGrant.objects.count()) == (("rejected", "wrong_directory"), 0)

    forge(world, tenant=directory["id"].upper())
    assert (ended(), AdminGrant.objects.count()) == (("approved", ""), 1)


def test_what_is_made_up_for_one_tenant_touches_nothing_of_anothers(open_world: World) -> None:
    theirs = AdminGrant.objects.create(
        tenant=make_tenant(),
        registration=open_world.registration,
        tid=open_world.directory["id"],
        client_id=open_world.registration.client_id,
        scopes=["Mail.Read"],
        status=AdminGrant.Status.VERIFIED,
    )
    before = AdminGrant.objects.values().get()

    forge(open_world)

    assert ended() == ("approved", "")
    assert AdminGrant.objects.values().get(pk=theirs.pk) == before
    assert AdminGrant.objects.exclude(pk=theirs.pk).get().status == "reported"


@pytest.mark.parametrize("word", ["", "False", "false", "1", "yes", "True,True"])
def test_only_a_plain_yes_is_an_approval(world: World, word: str) -> None:
    forge(world, admin_consent=word)

    assert (ended()[0], AdminGrant.objects.count()) == ("rejected", 0)


@pytest.mark.parametrize("error", ["access_denied", "consent_required", "server_error", "made_up"])
def test_an_error_beside_a_yes_is_an_error(world: World, error: str) -> None:
    forge(world, error=error, error_description="AADSTS65004: declined")

    assert ended()[0] in ("declined", "refused", "unreachable")
    assert AdminGrant.objects.count() == 0


def test_an_approval_with_a_code_is_no_approval(world: World) -> None:
    assert forge(world, code="made-up").status_code == 400
    assert (ended(), AdminGrant.objects.count()) == (("", ""), 0)


# Where it can come from


def test_an_approval_works_once(world: World) -> None:
    client = Client()
    fields = said(state_in(approve(client, world)), world.directory["id"])
    assert report(client, fields).status_code == 303
    AdminGrant.objects.all().update(scopes=["x"])

    statuses = {report(client, fields, **another_address(number)).status_code for number in range(100)}

    assert statuses == {400}
    assert AdminGrant.objects.get().scopes == ["x"]


def test_an_approval_after_an_hour_is_none(world: World, time_machine: Any) -> None:
    client = Client()
    fields = said(state_in(approve(client, world)), world.directory["id"])
    time_machine.move_to(timezone.now() + timedelta(minutes=60))

    assert report(client, fields).status_code == 400
    assert AdminGrant.objects.count() == 0


def test_an_approval_link_connects_nobody(world: World) -> None:
    world.link, world.token = make_link(world.registration, purpose=Link.Purpose.APPROVAL)
    client = Client()
    client.get(f"/c/{world.token}/")

    assert client.post(f"/connect/{world.link.public_id}/start/").status_code == 404
    assert not ConsentAttempt.objects.exists()


# What it can be used for against others


def test_who_makes_approvals_up_again_and_again_is_stopped(open_world: World) -> None:
    client = Client()
    statuses = []
    for number in range(30):
        client.get(f"/c/{open_world.token}/", **another_address(number))
        where = f"/connect/{open_world.link.public_id}/approve/"
        response = client.post(where, **another_address(number))
        statuses.append(response.status_code)
        if response.status_code == 303:
            report(client, said(state_in(response.headers["Location"]), str(uuid4())), **another_address(number))

    assert statuses == [303] * 21 + [429] * 9


def test_approvals_made_up_again_and_again_are_told_once_a_day(open_world: World, time_machine: Any) -> None:
    for _ in range(3):
        forge(open_world, tenant=str(uuid4()))
    assert Mail.objects.filter(kind=Mail.Kind.APPROVED).count() == 1

    time_machine.move_to(timezone.now() + timedelta(days=1, seconds=1))
    forge(open_world, tenant=str(uuid4()))
    assert Mail.objects.filter(kind=Mail.Kind.APPROVED).count() == 2


def test_links_to_approve_by_run_out_for_a_day_also_when_they_are_used(world: World, time_machine: Any) -> None:
    holder = Client()
    holder.get(f"/c/{world.token}/")

    def hand_on(number: int) -> int:
        path = f"/connect/{world.link.public_id}/hand-on/"
        return int(holder.post(path, **another_address(number)).status_code)

    most = MOST_A_DAY + world.link.max_uses
    assert [hand_on(number) for number in range(most)] == [200] * most
    Link.objects.filter(parent=world.link).update(uses=1)
    assert hand_on(most) == 429

    time_machine.move_to(timezone.now() + timedelta(days=1, seconds=1))
    assert hand_on(most + 1) == 200


def test_a_name_spelt_like_our_placeholder_gets_no_link_into_a_mail(world: World) -> None:
    type(world.link.tenant).objects.update(name="{link}")
    forge(world)
    digest = Link.objects.get(pk=world.link.pk).token_digest

    for mail in Mail.objects.all():
        assert "/c/" not in str(mails.message_of(mail).body)
    assert Link.objects.get(pk=world.link.pk).token_digest == digest


def test_a_forged_approval_opens_no_other_way_than_the_one_there_was(world: World, cloud: Cloud) -> None:
    before = set(ways.ways_on(world.link, cloud, is_approved=False))
    forge(world)

    assert set(ways.ways_on(world.link, cloud, is_approved=ways.approval_of(world.link) is not None)) == before
