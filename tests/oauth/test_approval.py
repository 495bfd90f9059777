"""An administrator approves for a whole directory: what the browser says of it, and what bears it out."""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from oauth import approval
from oauth import consent as consenting
from oauth.approval import MOST_LOOKS
from oauth.attempts import CannotStart, TooManyTries
from oauth.further_links import approval_link
from oauth.models import AdminGrant, ConsentAttempt, Link, Mail
from oauth.tasks import look_at_grant
from tenants.models import Credential, Event, ScopeSelection
from tests.factories import make_link, make_superuser, make_tenant
from tests.oauth.consenting import World, consent, make_world, text_of

ORGANIZATIONS = "AzureADMultipleOrgs"


@pytest.fixture
def many(db, site_url, microsoft, cloud) -> World:
    """A registration that many tenants share."""
    return make_world(microsoft, cloud, audience=ORGANIZATIONS, shared=True, directory="")


@pytest.fixture
def named(db, site_url, microsoft, cloud) -> World:
    """A registration whose directory is given as a domain."""
    domain = f"contoso-{uuid.uuid4().hex[:8]}.example"
    return make_world(microsoft, cloud, domain=domain, directory=domain)


def administrator_of(world: World) -> str:
    """The object ID of the directory's administrator."""
    people = world.microsoft.world()["people"]
    found = [person["oid"] for person in people if person["admin"] and person["directory"] == world.directory["id"]]
    if found:
        return str(found[0])
    person = world.microsoft.add_person(world.directory["id"], "Ira", "ira@contoso.example", admin=True)
    return str(person["oid"])


def leave(client: Client, world: World) -> str:
    """The button of the page, as an administrator presses it: where the browser is sent."""
    client.get(f"/c/{world.token}/")
    response = client.post(f"/connect/{world.link.public_id}/approve/")
    assert response.status_code == 303, text_of(response)
    return str(response.headers["Location"])


def come_back(client: Client, fields: dict[str, Any]) -> Any:
    return client.get("/oauth/callback/sandbox/", fields)


def approve(client: Client, world: World, answer: str = "accept", **changes: str) -> ConsentAttempt:
    """The whole way of an administrator; the attempt as it ended."""
    fields = world.microsoft.sign_in(leave(client, world), administrator_of(world), answer).fields
    response = come_back(client, fields | changes)
    assert response.status_code == 303, text_of(response)
    return ConsentAttempt.objects.select_related("grant").latest("created_at")


def forge(client: Client, world: World, **fields: str) -> ConsentAttempt:
    """An answer that somebody in front of the browser made up, without Microsoft."""
    state = parse_qs(urlsplit(leave(client, world)).query)["state"][0]
    made_up = {"state": state, "admin_consent": "True", "tenant": world.directory["id"]}
    assert come_back(client, made_up | fields).status_code == 303
    return ConsentAttempt.objects.select_related("grant").latest("created_at")


def look(times: int = 1) -> AdminGrant:
    """The task, as often as it is due by then."""
    for _ in range(times):
        AdminGrant.objects.filter(look_at__isnull=False).update(look_at=timezone.now())
        look_at_grant(AdminGrant.objects.get().pk)
    return AdminGrant.objects.get()


# There


def test_an_administrator_is_asked_for_exactly_our_scopes(client, world, cloud):
    auth_uri = leave(client, world)

    asked = {name: values[0] for name, values in parse_qs(urlsplit(auth_uri).query).items()}
    assert auth_uri.startswith(f"{cloud.sign_in_origin}/{world.directory['id']}/v2.0/adminconsent?")
    assert asked.keys() == {"client_id", "redirect_uri", "scope", "state"}
    assert asked["client_id"] == world.registration.client_id
    assert {name.rpartition("/")[2] for name in asked["scope"].split()} == {
        "Mail.Read",
        "MailboxSettings.Read",
        "User.Read",
        "openid",
        "profile",
        "email",
        "offline_access",
    }


def test_where_any_account_may_come_organizations_approve(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="AzureADandPersonalMicrosoftAccount", directory="")

    assert leave(client, world).startswith(f"{cloud.sign_in_origin}/organizations/v2.0/adminconsent?")


def test_an_approval_needs_no_secret_and_keeps_none(client, world):
    Credential.objects.update(slot="")

    leave(client, world)

    assert ConsentAttempt.objects.get().flow is None


def test_without_scopes_no_administrator_is_sent_to_microsoft(world):
    ScopeSelection.objects.all().delete()

    with pytest.raises(CannotStart, match="no_scopes"):
        approval.start(world.link)


def test_a_cloud_that_is_gone_starts_no_approval(world, settings):
    settings.EXTRA_CLOUDS = []

    with pytest.raises(CannotStart, match="unverified"):
        approval.start(world.link)


# Back


def test_an_approval_is_reported_and_no_more(client, world):
    attempt = approve(client, world)

    grant = AdminGrant.objects.get()
    assert (attempt.outcome, attempt.grant) == ("approved", grant)
    assert (grant.status, str(grant.tid), grant.tenant) == ("reported", world.directory["id"], world.link.tenant)
    assert (grant.seen_at, grant.verified_at) == (None, None)
    assert grant.scopes == ["Mail.Read", "MailboxSettings.Read", "User.Read"]
    assert Event.objects.get(verb="approval reported").tenant == world.link.tenant
    assert client.get(f"/connect/attempt/{attempt.pk}/").status_code == 200


def test_an_approval_by_a_consent_link_leaves_it_to_its_person(client, world):
    approve(client, world)

    assert Link.objects.get().uses == 0
    assert consent(client, world).outcome == "connected"


def test_after_an_approval_people_consent_who_could_not_before(client, world):
    world.microsoft.users_may_consent(world.directory["id"], False)
    approve(Client(), world)

    assert consent(client, world).outcome == "connected"


def test_an_approval_of_a_directory_given_as_a_domain_is_of_its_id(client, named):
    attempt = approve(client, named)

    assert (attempt.outcome, str(attempt.grant.tid)) == ("approved", named.directory["id"])


def test_where_nobody_says_which_directory_a_domain_is_nothing_is_reported(client, named):
    auth_uri = leave(client, named)
    fields = named.microsoft.sign_in(auth_uri, administrator_of(named)).fields
    named.microsoft.set_fault("down", grant_type="discovery")

    come_back(client, fields)

    assert ConsentAttempt.objects.get().outcome == "unreachable"
    assert not AdminGrant.objects.exists()


def test_an_administrator_may_decline_though_microsoft_says_admin_consent_true(client, world):
    attempt = approve(client, world, answer="decline")

    assert (attempt.outcome, attempt.fault_kind, attempt.codes) == ("declined", "user_declined", [65004])
    assert not AdminGrant.objects.exists()
    assert not Mail.objects.exists()


def test_an_error_beside_a_success_counts(client, world):
    attempt = approve(client, world, error="server_error")

    assert attempt.outcome == "unreachable"
    assert not AdminGrant.objects.exists()


def test_an_approval_of_another_directory_is_refused(client, world):
    attempt = forge(client, world, tenant=str(uuid.uuid4()))

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "wrong_directory")
    assert not AdminGrant.objects.exists()


@pytest.mark.parametrize(
    "change",
    [{"tenant": "contoso.example"}, {"tenant": "common"}, {"admin_consent": "False"}, {"admin_consent": ""}],
)
def test_what_microsoft_would_not_say_is_refused(client, world, change):
    attempt = forge(client, world, **change)

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "malformed")
    assert not AdminGrant.objects.exists()


def test_an_approval_is_taken_once_and_from_the_browser_that_left(client, world):
    fields = world.microsoft.sign_in(leave(client, world), administrator_of(world)).fields

    assert come_back(Client(), fields).status_code == 400
    assert come_back(client, fields).status_code == 303
    assert come_back(client, fields).status_code == 400
    assert ConsentAttempt.objects.get().outcome == "approved"


def test_a_registration_that_was_changed_meanwhile_is_not_approved(client, world):
    fields = world.microsoft.sign_in(leave(client, world), administrator_of(world)).fields
    type(world.registration).objects.update(client_id=str(uuid.uuid4()))

    come_back(client, fields)

    attempt = ConsentAttempt.objects.get()
    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "registration_changed")
    assert not AdminGrant.objects.exists()


def test_made_up_approvals_are_stopped_within_the_hour(many):
    for _ in range(20 + many.link.max_uses):
        attempt = approval.start(many.link).attempt
        attempt.claimed_at = timezone.now()
        approval.complete(attempt, {"admin_consent": "True", "tenant": str(uuid.uuid4())})

    with pytest.raises(TooManyTries):
        approval.start(many.link)
    with pytest.raises(TooManyTries):
        consenting.start(many.link)


# An approval asked of somebody


@pytest.fixture
def asked(world) -> World:
    """The person was sent a link and handed it on: the world's link is the administrator's."""
    Link.objects.filter(pk=world.link.pk).update(created_by=make_superuser(), sent_to="ada@contoso.example")
    parent = Link.objects.select_related("registration", "tenant", "created_by").get(pk=world.link.pk)
    world.link, world.token = approval_link(parent)
    return world


def test_an_approval_uses_the_link_up_that_asked_for_it_and_no_other(client, asked):
    approve(client, asked)

    assert Link.objects.get(purpose="approval").status == "used"
    assert Link.objects.get(purpose="consent").status == "open"
    assert Client().get(f"/c/{asked.token}/").status_code == 404


def test_a_made_up_success_uses_it_up_too_but_a_refusal_does_not(client, asked):
    approve(client, asked, answer="decline")
    assert Link.objects.get(purpose="approval").uses == 0

    forge(client, asked)
    assert Link.objects.get(purpose="approval").uses == 1


def test_a_link_that_ended_meanwhile_approves_nothing(client, asked):
    fields = asked.microsoft.sign_in(leave(client, asked), administrator_of(asked)).fields
    Link.objects.filter(purpose="consent").update(revoked_at=timezone.now())

    come_back(client, fields)

    attempt = ConsentAttempt.objects.get()
    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "link_unusable")
    assert not AdminGrant.objects.exists()


def test_the_operator_and_the_person_who_asked_are_told(client, asked):
    approve(client, asked)

    assert sorted(Mail.objects.values_list("kind", "address")) == [
        ("approved", "ada@contoso.example"),
        ("approved", "root@example.com"),
    ]
    for_operator = Mail.objects.get(address="root@example.com")
    assert asked.directory["id"] in for_operator.text
    assert "Microsoft's answer says so" in for_operator.text


def test_who_was_expected_is_told_where_the_link_was_sent_to_nobody(client, world):
    link, _ = make_link(world.registration, expected_address="ada@contoso.example")
    world.link, world.token = approval_link(link)

    approve(client, world)

    assert Mail.objects.filter(address="ada@contoso.example", kind="approved").count() == 1


def test_nobody_is_told_who_is_not_known(client, world):
    world.link, world.token = approval_link(world.link)

    approve(client, world)

    assert Mail.objects.get().address == "ops@example.com"


# One row for a directory


def test_a_second_approval_keeps_one_row(world):
    approve(Client(), world)
    first = AdminGrant.objects.get()

    approve(Client(), world)

    again = AdminGrant.objects.get()
    assert (again.pk, again.status) == (first.pk, "reported")
    assert again.reported_at > first.reported_at


def test_what_was_borne_out_stays_so_for_the_same_permissions(client, world):
    approve(Client(), world)
    consent(client, world)
    world.link, world.token = make_link(world.registration)

    approve(Client(), world)

    assert AdminGrant.objects.get().status == "seen"


@pytest.mark.parametrize("change", ["scopes", "client_id"])
def test_other_permissions_or_another_application_begin_as_reported(client, world, change):
    approve(Client(), world)
    consent(client, world)
    assert AdminGrant.objects.get().status == "seen"
    if change == "scopes":
        ScopeSelection.objects.create(registration=world.registration, scope="Mail.Send")
    else:
        AdminGrant.objects.update(client_id=str(uuid.uuid4()))
    world.link, world.token = make_link(world.registration)

    approve(Client(), world)

    grant = AdminGrant.objects.get()
    assert (grant.status, grant.seen_at, grant.verified_at) == ("reported", None, None)
    assert grant.client_id == world.registration.client_id
    assert ("Mail.Send" in grant.scopes) is (change == "scopes")


# Seen: a sign-in bears it out


def test_a_sign_in_that_was_given_everything_bears_it_out(client, world):
    approve(Client(), world)

    consent(client, world)

    grant = AdminGrant.objects.get()
    assert grant.status == "seen"
    assert timezone.now() - grant.seen_at < timedelta(minutes=1)


def test_a_sign_in_that_was_given_less_bears_nothing_out(client, world):
    approve(Client(), world)
    world.microsoft.set_fault("answer", grant_type="authorization_code", change={"scope": "User.Read openid"})

    assert consent(client, world).outcome == "connected_with_less"
    assert AdminGrant.objects.get().status == "reported"


def test_a_sign_in_of_another_directory_bears_nothing_out(client, many):
    approve(Client(), many)
    other = many.microsoft.add_directory("Fabrikam", "fabrikam.example")
    grace = many.microsoft.add_person(other["id"], "Grace", "grace@fabrikam.example")

    assert consent(client, many, oid=grace["oid"]).outcome == "connected"
    assert AdminGrant.objects.get().status == "reported"


def test_a_sign_in_for_another_tenant_bears_out_nothing_that_this_one_reported(client, many):
    forge(Client(), many)
    many.link, many.token = make_link(many.registration, tenant=make_tenant())

    assert consent(client, many).outcome == "connected"
    assert AdminGrant.objects.get().status == "reported"


def test_a_sign_in_that_was_asked_for_less_bears_out_no_more(client, world):
    ScopeSelection.objects.create(registration=world.registration, scope="Mail.Send")
    forge(Client(), world)
    ScopeSelection.objects.filter(scope="Mail.Send").delete()

    assert consent(client, world).outcome == "connected"
    assert AdminGrant.objects.get().status == "reported"


# Verified: read where the registration may


@pytest.fixture
def reading(world) -> World:
    """A registration that may read the directory's grants."""
    world.microsoft.may_read_grants(world.app["client_id"], world.directory["id"])
    return world


def test_what_is_read_from_the_directory_is_verified(client, reading):
    approve(client, reading)

    grant = look()

    assert (grant.status, grant.look_at) == ("verified", None)
    assert timezone.now() - grant.verified_at < timedelta(minutes=1)


def test_a_registration_that_may_not_read_leaves_it_as_it_is(client, world):
    approve(client, world)

    grant = look()

    assert (grant.status, grant.look_at, grant.looks) == ("reported", None, 1)


def test_a_made_up_approval_is_not_verified_and_is_not_looked_for_for_ever(client, reading):
    forge(client, reading)

    assert look().look_at is not None
    grant = look(MOST_LOOKS - 1)

    assert (grant.status, grant.look_at, grant.looks) == ("reported", None, MOST_LOOKS)


def test_what_is_listed_later_is_found_later(client, reading):
    forge(client, reading)
    assert look(2).status == "reported"
    granted = ["Mail.Read", "MailboxSettings.Read", "User.Read"]
    reading.microsoft.grant_for_everybody(reading.app["client_id"], reading.directory["id"], granted)

    assert look().status == "verified"


def test_what_is_listed_in_part_is_not_verified(client, reading):
    forge(client, reading)
    reading.microsoft.grant_for_everybody(reading.app["client_id"], reading.directory["id"], ["Mail.Read"])

    assert look().status == "reported"


@pytest.mark.parametrize("fault", ["down", "throttled", "html", "drop"])
def test_a_silent_graph_is_asked_again(client, reading, fault):
    approve(client, reading)
    reading.microsoft.set_fault(fault, grant_type="graph", times=1)

    assert look().status == "reported"
    assert look().status == "verified"


def test_without_a_secret_nothing_is_read_and_nothing_breaks(client, reading):
    approve(client, reading)
    Credential.objects.update(slot="")

    assert look(MOST_LOOKS).status == "reported"
    assert AdminGrant.objects.get().look_at is None


def test_a_look_is_for_one_worker(client, reading):
    approve(client, reading)
    pk = AdminGrant.objects.get().pk

    assert AdminGrant.objects.claim(pk) is not None
    assert AdminGrant.objects.claim(pk) is None


def test_a_look_that_was_overtaken_by_a_new_report_changes_nothing(client, reading):
    approve(client, reading)
    claimed = AdminGrant.objects.claim(AdminGrant.objects.get().pk)
    approve(Client(), reading)

    approval.look(claimed)

    assert AdminGrant.objects.get().status == "reported"
    assert AdminGrant.objects.get().look_at is not None


# Shared by many tenants


def test_each_tenant_has_its_own_word_of_a_directory(client, many):
    approve(Client(), many)
    consent(client, many)
    theirs = AdminGrant.objects.get()
    tenant = make_tenant()
    many.link, many.token = make_link(many.registration, tenant=tenant)

    forge(Client(), many)

    assert (theirs.status, AdminGrant.objects.get(tenant=tenant).status) == ("seen", "reported")
    unchanged = AdminGrant.objects.get(pk=theirs.pk)
    assert (unchanged.tenant, unchanged.status, unchanged.reported_at) == (theirs.tenant, "seen", theirs.reported_at)


def test_whoever_makes_an_approval_up_learns_nothing_of_others(client, many):
    many.microsoft.may_read_grants(many.app["client_id"], many.directory["id"])
    approve(Client(), many)
    many.link, many.token = make_link(many.registration, tenant=make_tenant())

    made_up = forge(client, many).grant

    assert (made_up.status, made_up.look_at) == ("reported", None)
    assert AdminGrant.objects.to_look_at().count() == 0


def test_a_sign_in_in_a_directory_that_anybody_can_name_has_its_list_read(client, many):
    many.microsoft.may_read_grants(many.app["client_id"], many.directory["id"])
    approve(Client(), many)

    consent(client, many)

    assert AdminGrant.objects.get().status == "seen"
    assert look().status == "verified"


# Withdrawn meanwhile


def withdraw(world: World) -> None:
    world.microsoft.withdraw_for_everybody(world.app["client_id"], world.directory["id"])
    world.microsoft.managed_policy(world.directory["id"])


def test_who_is_sent_back_for_want_of_an_approval_casts_doubt_on_it(client, world):
    approve(client, world)
    landing = f"/connect/{world.link.public_id}/"
    assert client.get(landing).context["approval"]
    withdraw(world)

    consent(client, world, answer="cancel")

    assert AdminGrant.objects.get().doubted_at is not None
    assert client.get(landing).context["approval"] is None


def test_a_new_approval_has_to_be_borne_out_anew(client, world):
    world.link.max_uses = 5
    world.link.save()
    approve(client, world)
    consent(client, world)
    withdraw(world)
    consent(client, world, answer="cancel")

    approve(client, world)

    grant = AdminGrant.objects.get()
    assert (grant.status, grant.seen_at, grant.doubted_at) == ("reported", None, None)


def test_a_sign_in_clears_a_doubt(client, world):
    approve(client, world)
    AdminGrant.objects.update(doubted_at=timezone.now())

    consent(client, world)

    assert (AdminGrant.objects.get().status, AdminGrant.objects.get().doubted_at) == ("seen", None)


def test_what_is_not_listed_any_more_is_verified_no_more(client, reading):
    approve(client, reading)
    assert look().status == "verified"
    reading.microsoft.withdraw_for_everybody(reading.app["client_id"], reading.directory["id"])
    AdminGrant.objects.update(look_at=timezone.now(), looks=0)

    grant = look(MOST_LOOKS)

    assert (grant.status, grant.look_at) == ("reported", None)
    assert grant.doubted_at is not None


def test_a_report_of_less_takes_nothing_from_what_was_borne_out(client, world):
    world.link.max_uses = 5
    world.link.save()
    approve(client, world)
    consent(client, world)
    before = AdminGrant.objects.get().scopes
    ConsentAttempt.objects.all().update(grant=None)
    fields = world.microsoft.sign_in(leave(client, world), administrator_of(world)).fields
    ConsentAttempt.objects.filter(outcome="").update(scopes=["User.Read"])

    come_back(client, fields)

    assert (AdminGrant.objects.get().status, AdminGrant.objects.get().scopes) == ("seen", before)


def test_an_approval_that_comes_from_another_issuer_is_none(client, world):
    attempt = forge(client, world, iss="https://login.example/v2.0")

    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "iss")
    assert not AdminGrant.objects.exists()


def test_an_approval_that_says_nothing_new_mails_its_maker_nothing(client, world):
    approve(client, world)
    told = Mail.objects.filter(kind=Mail.Kind.APPROVED).count()

    approve(client, world)

    assert told > 0
    assert Mail.objects.filter(kind=Mail.Kind.APPROVED).count() == told


def test_an_approval_by_a_link_that_was_revoked_meanwhile_is_none(client, world):
    fields = world.microsoft.sign_in(leave(client, world), administrator_of(world)).fields
    Link.objects.update(revoked_at=timezone.now())

    come_back(client, fields)

    attempt = ConsentAttempt.objects.get()
    assert (attempt.outcome, attempt.fault_kind) == ("rejected", "link_unusable")
    assert not AdminGrant.objects.exists()
