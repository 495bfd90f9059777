from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from monitoring.models import Finding
from oauth import consent as consenting
from oauth.attempts import CannotStart, TooManyTries
from oauth.models import Connection, ConsentAttempt, Link
from tenants.models import Credential, Event, ScopeSelection, Tenant
from tests.factories import make_connection, make_link, make_registration, make_tenant
from tests.oauth.consenting import come_back, consent, go, make_world


def latest() -> ConsentAttempt:
    return ConsentAttempt.objects.select_related("connection").latest("created_at")


def found() -> list[tuple[str, str | None]]:
    """Open findings: kind, and what they are about."""
    return [(each.kind, each.subject._meta.model_name) for each in Finding.objects.open().order_by("kind")]


# What goes well


def test_a_consent_ends_in_an_active_connection(client, world):
    attempt = consent(client, world)

    connection = attempt.connection
    assert attempt.outcome == "connected"
    assert (str(connection.tid), str(connection.oid)) == (world.directory["id"], world.person["oid"])
    assert (connection.address, connection.person) == ("ada@contoso.example", "Ada Lovelace")
    assert (connection.token_status, connection.blocked) == ("active", "")
    assert connection.tenant_id == world.link.tenant_id
    assert connection.client_id == world.registration.client_id
    assert connection.scopes_asked == ["Mail.Read", "MailboxSettings.Read", "User.Read"]
    assert connection.scopes_missing == []
    assert connection.refresh_token.reveal("test")


def test_a_consent_uses_the_link_up_and_is_in_the_history(client, world):
    attempt = consent(client, world)

    world.link.refresh_from_db()
    event = Event.objects.get(verb="connected")
    assert (world.link.uses, world.link.status) == (1, "used")
    assert (event.subject_id, event.tenant_id) == (str(attempt.connection.pk), world.link.tenant_id)
    assert event.changes == {"refresh_token": "changed"}


def test_the_attempt_remembers_what_was_asked(client, world):
    go(client, world)

    attempt = latest()
    assert (attempt.cloud, attempt.directory) == ("sandbox", world.directory["id"])
    assert attempt.client_id == world.registration.client_id
    assert attempt.redirect_uri == "http://localhost:8000/oauth/callback/sandbox/"
    assert attempt.scopes == ["Mail.Read", "MailboxSettings.Read", "User.Read"]
    assert attempt.expires_at - attempt.created_at == pytest.approx(timedelta(minutes=60), abs=timedelta(seconds=5))


def test_the_flow_is_gone_when_the_attempt_has_ended(client, world):
    auth_uri = go(client, world)
    assert latest().flow is not None

    come_back(client, world.sign_in(auth_uri))

    assert latest().flow is None


def test_the_flow_is_gone_before_microsoft_is_asked(client, world):
    fields = world.sign_in(go(client, world))
    attempt = ConsentAttempt.objects.select_related("link__registration").get()
    ConsentAttempt.objects.update(flow=None)
    attempt.refresh_from_db(fields=["flow"])

    consenting.complete(attempt, fields)

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "no_flow")
    assert world.redemptions() == []


def test_every_start_has_its_own_state_and_a_hashed_challenge(client, world):
    world.link.max_uses = 30
    world.link.save(update_fields=["max_uses"])
    uris = [go(client, world) for _ in range(10)]

    def of(name: str) -> set[str]:
        return {uri.partition(f"{name}=")[2].partition("&")[0] for uri in uris}

    assert len(of("&state")) == len(of("code_challenge")) == len(of("nonce")) == 10
    assert min(map(len, of("&state"))) >= 22  # 128 bits
    assert of("code_challenge_method") == {"S256"}
    assert of("response_type") == {"code"}
    assert of("response_mode") == {"form_post"}


def test_consenting_again_revives_the_same_connection(client, world):
    asked = make_connection(
        world.registration,
        tid=world.directory["id"],
        oid=world.person["oid"],
        token_status="dead",
        blocked="conditional_access",
        lease_by=UUID(int=7),
        last_sweep=12,
    )
    old_token = asked.refresh_token

    attempt = consent(client, world)

    again = Connection.objects.get()
    assert again == asked == attempt.connection
    assert (again.token_status, again.blocked, again.tenant_id) == ("active", "", asked.tenant_id)
    assert again.refresh_token != old_token
    assert again.last_sweep == 12
    assert Event.objects.get(verb="reconnected").subject_id == str(again.pk)


def test_a_consent_ends_every_fault_of_its_connection(client, world):
    connection = make_connection(world.registration, tid=world.directory["id"], oid=world.person["oid"])
    Finding.objects.create(connection=connection, tenant=connection.tenant, kind="grant_revoked", severity="critical")
    assert found() == [("grant_revoked", "connection")]

    consent(client, world)

    assert found() == []


def test_a_person_of_another_directory_may_consent_to_a_shared_registration(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="AzureADMultipleOrgs", shared=True, directory="")
    elsewhere = microsoft.add_directory("Fabrikam", "fabrikam.example")
    person = microsoft.add_person(elsewhere["id"], "Grace", "grace@fabrikam.example")

    attempt = consent(client, world, oid=person["oid"])

    assert str(attempt.connection.tid) == elsewhere["id"]
    assert attempt.connection.tenant == world.link.tenant


def test_fewer_scopes_than_asked_are_told_apart(client, world):
    world.microsoft.set_fault("answer", grant_type="authorization_code", change={"scope": "User.Read openid"})

    attempt = consent(client, world)

    assert attempt.outcome == "connected_with_less"
    assert attempt.connection.scopes_missing == ["Mail.Read", "MailboxSettings.Read"]


# When it comes to nothing


def test_a_person_may_decline(client, world):
    attempt = consent(client, world, answer="decline")

    assert (attempt.outcome, attempt.fault_kind) == ("declined", "user_declined")
    assert (attempt.error, attempt.codes) == ("access_denied", [65004])
    assert (found(), world.redemptions()) == ([], [])


def test_a_bare_cancel_hints_at_an_administrator(client, world):
    world.microsoft.users_may_consent(world.directory["id"], False)

    attempt = consent(client, world, answer="cancel")

    assert (attempt.outcome, attempt.fault_kind) == ("cancelled", "cancelled")
    assert (attempt.error, attempt.codes) == ("access_denied", [])


def test_an_expired_secret_is_a_finding_at_once(client, world):
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.fault_kind) == ("refused", "secret_expired")
    assert (attempt.error, attempt.codes) == ("invalid_client", [7000222])
    assert UUID(attempt.trace_id)
    assert UUID(attempt.correlation_id)
    assert found() == [("secret_ending", "credential")]
    assert Finding.objects.get().evidence["codes"] == [7000222]


def test_a_wrong_secret_is_a_finding_that_rules_nothing_else_out(client, world):
    Finding.objects.create(
        registration=world.registration, tenant=world.registration.tenant, kind="app_disabled", severity="critical"
    )
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.codes) == ("refused", [7000215])
    assert found() == [("app_disabled", "appregistration"), ("secret_invalid", "appregistration")]


@pytest.mark.parametrize("is_right", [True, False])
def test_for_personal_accounts_only_the_first_consent_shows_whether_the_secret_works(
    db, site_url, client, microsoft, cloud, is_right
):
    scopes = ("IMAP.AccessAsUser.All", "SMTP.Send")
    world = make_world(microsoft, cloud, audience="PersonalMicrosoftAccount", directory="", scopes=scopes)
    kim = microsoft.add_personal_account("Kim", "kim@outlook.example")
    if not is_right:
        microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])

    attempt = consent(client, world, oid=kim["oid"])

    assert attempt.outcome == ("connected" if is_right else "refused")
    assert found() == ([] if is_right else [("secret_invalid", "appregistration")])


def test_for_personal_accounts_only_a_consent_shows_that_the_secret_was_mended(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="PersonalMicrosoftAccount")
    kim = microsoft.add_personal_account("Kim", "kim@outlook.example")
    registration = world.registration
    Finding.objects.create(
        registration=registration, tenant=registration.tenant, kind="secret_invalid", severity="critical"
    )

    consent(client, world, oid=kim["oid"])

    assert found() == []
    assert Credential.objects.current().get().worked_at is not None


def test_where_it_signs_in_itself_that_alone_shows_that_the_secret_works(client, world):
    consent(client, world)
    assert Credential.objects.current().get().worked_at is None


def test_what_only_the_browser_says_is_no_finding(client, world):
    state = go(client, world).partition("&state=")[2].partition("&")[0]
    forged = "AADSTS7000222: The provided client secret keys are expired."

    come_back(client, {"state": state, "error": "invalid_client", "error_description": forged})

    assert (latest().outcome, latest().fault_kind, latest().codes) == ("refused", "secret_expired", [7000222])
    assert found() == []


def test_a_made_up_code_is_no_finding(client, world):
    state = go(client, world).partition("&state=")[2].partition("&")[0]

    come_back(client, {"state": state, "code": "made-up"})

    assert latest().outcome == "refused"
    assert found() == []


@pytest.mark.parametrize("fault", ["down", "throttled", "html", "empty", "drop"])
def test_a_silent_microsoft_is_no_refusal(client, world, fault):
    world.microsoft.set_fault(fault, grant_type="authorization_code")

    attempt = consent(client, world)

    assert (attempt.outcome, found()) == ("unreachable", [])
    assert Link.objects.get().uses == 0


def test_a_secret_removed_meanwhile_is_a_finding(client, world):
    fields = world.sign_in(go(client, world))
    Credential.objects.update(slot="previous")

    come_back(client, fields)

    assert (latest().outcome, latest().fault_kind) == ("rejected", "no_secret")
    assert found() == [("no_secret", "appregistration")]


def test_nothing_of_a_failed_attempt_keeps_microsofts_description(client, world):
    state = go(client, world).partition("&state=")[2].partition("&")[0]
    come_back(client, {"state": state, "error": "server_error_of_a_kind", "error_description": "canary-5151"})

    row = ConsentAttempt.objects.values().get()
    assert "canary-5151" not in str(row)


# What cannot start


def cannot_start(link: Link) -> str:
    with pytest.raises(CannotStart) as caught:
        consenting.start(link)
    assert not ConsentAttempt.objects.exists()
    return caught.value.kind


def test_without_a_secret_nobody_is_sent_to_microsoft_and_an_operator_is_told(world):
    Credential.objects.update(slot="")

    assert cannot_start(world.link) == "no_secret"
    assert found() == [("no_secret", "appregistration")]


def test_without_scopes_nobody_is_sent_to_microsoft(world):
    ScopeSelection.objects.all().delete()

    assert cannot_start(world.link) == "no_scopes"


def test_a_cloud_that_is_gone_starts_nothing(world, settings):
    settings.EXTRA_CLOUDS = []

    assert cannot_start(world.link) == "unverified"
    assert found() == [("unverified", "appregistration")]


def test_a_silent_microsoft_starts_nothing(world):
    # This directory's discovery was never asked before, so no earlier answer can stand in.
    world.microsoft.set_fault("down", grant_type="discovery")

    assert cannot_start(world.link) == "unreachable"
    assert found() == []


def test_an_unknown_directory_starts_nothing_and_is_a_finding(db, site_url, microsoft, cloud):
    registration = make_registration(cloud=cloud.key)
    Credential.objects.replace(registration, "not-a-real-secret-value", timezone.now() + timedelta(days=90))
    link, _ = make_link(registration)

    assert cannot_start(link) == "tenant_not_found"
    assert found() == [("tenant_not_found", "appregistration")]


def test_a_loop_of_starts_is_stopped_within_the_hour(world):
    for _ in range(20 + world.link.max_uses):
        consenting.start(world.link)

    with pytest.raises(TooManyTries):
        consenting.start(world.link)

    ConsentAttempt.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert consenting.start(world.link).auth_uri


def test_a_link_for_many_has_room_for_all_of_them(world):
    Link.objects.update(max_uses=30)
    link = Link.objects.select_related("registration").get()
    for _ in range(40):
        consenting.start(link)

    assert ConsentAttempt.objects.count() == 40


def test_a_start_tells_no_secret_in_its_repr(world):
    started = consenting.start(world.link)

    assert started.browser not in repr(started)
    assert started.auth_uri not in repr(started)


def test_what_was_kept_for_an_answer_that_can_no_longer_come_is_wiped(client, world):
    go(client, world)
    assert ConsentAttempt.objects.forget_expired_flows() == 0
    ConsentAttempt.objects.update(expires_at=timezone.now())
    assert ConsentAttempt.objects.forget_expired_flows() == 1
    assert ConsentAttempt.objects.get().flow is None


# What is the directory's, and not the registration's


def test_a_directory_that_is_none_is_no_fault_of_the_registration_it_was_asked_for(client, world):
    world.link.expected_directory = str(uuid4())
    Link.objects.filter(pk=world.link.pk).update(expected_directory=world.link.expected_directory)

    assert cannot_start(world.link) == "tenant_not_found"
    assert found() == []


def test_an_account_of_an_archived_tenant_may_be_connected_for_another(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="AzureADMultipleOrgs", shared=True, directory="")
    before = consent(Client(), world).connection
    Tenant.objects.filter(pk=before.tenant_id).update(archived_at=timezone.now())
    Connection.objects.filter(pk=before.pk).disconnect()
    tenant = make_tenant()
    world.link, world.token = make_link(world.registration, tenant=tenant)

    attempt = consent(client, world)

    assert (attempt.outcome, attempt.connection) == ("connected", before)
    assert (attempt.connection.tenant, attempt.connection.token_status) == (tenant, "active")
