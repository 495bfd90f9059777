"""Looks at a registration and a connection: against the sandbox, without a database, and by date alone."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oauth import health
from oauth.entra import EntraClient
from oauth.errors import CODES, ERRORS, SUBERRORS
from oauth.health import ConnectionToAsk, NoAnswer, RegistrationToAsk, Verdict
from oauth.kinds import KINDS, OURS_BY_KIND
from oauth.look import look_at
from oauth.models import Connection
from tenants.models import AppRegistration, Credential, Tenant
from tenants.scopes import request_scopes

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
UNREADABLE = "00000000:gAAAAunreadable"


@dataclass
class World:
    microsoft: Any
    cloud: Any
    directory: dict[str, Any]
    app: dict[str, Any]
    secret: dict[str, Any]

    def registration(self, **fields: Any) -> RegistrationToAsk:
        given = {
            "cloud": self.cloud,
            "directory": self.directory["id"],
            "client_id": self.app["client_id"],
            "secret": self.secret["value"],
            "only_personal": False,
            "name": "Contoso Mail",
            "hint": "abc",
        }
        return RegistrationToAsk(**{**given, **fields})

    def connection(self, **fields: Any) -> ConnectionToAsk:
        person = self.microsoft.add_person(self.directory["id"], "Anna", "anna@contoso.example")
        client = EntraClient(self.cloud, self.directory["id"], self.app["client_id"], self.secret["value"])
        scopes = request_scopes(["Mail.ReadOnly"], self.cloud)
        flow = client.begin(scopes=scopes, redirect_uri="http://localhost:8000/back/")
        grant = client.redeem(flow, self.microsoft.sign_in(flow["auth_uri"], person["oid"]).fields)
        given = {
            "registration": self.registration(),
            "refresh_token": grant.refresh_token,
            "scopes": tuple(scopes[:-1]),
            "tid": uuid.UUID(self.directory["id"]),
            "oid": uuid.UUID(person["oid"]),
        }
        return ConnectionToAsk(**{**given, **fields})


@pytest.fixture
def world(microsoft, cloud) -> World:
    directory = microsoft.add_directory("Contoso", "contoso.example")
    app = microsoft.add_app(directory=directory["id"], redirect_uris=["http://localhost:8000/back/"])
    return World(microsoft, cloud, directory, app, microsoft.add_secret(app["client_id"]))


def make_pair(**fields: Any) -> tuple[AppRegistration, Credential]:
    """A registration and its current credential that no database knows."""
    given = {"name": "Contoso Mail", "directory": "contoso.example", "client_id": str(uuid.uuid4())}
    registration = AppRegistration(**{**given, **fields})
    credential = Credential(registration=registration, slot="current", hint="abc")
    credential.value = "not-a-real-secret"
    return registration, credential


def make_connection(registration: AppRegistration, **fields: Any) -> Connection:
    given = {"tid": uuid.uuid4(), "oid": uuid.uuid4(), "client_id": registration.client_id}
    connection = Connection(registration=registration, **{**given, **fields})
    connection.refresh_token = "not-a-real-token"
    return connection


# By date


def ends_in(days: float) -> Credential:
    credential = make_pair()[1]
    credential.ends_at = NOW + timedelta(days=days)
    return credential


@pytest.mark.parametrize(
    ("days", "step"),
    [(61, 0), (60, 940), (31, 940), (30, 970), (13, 986), (3, 997), (1, 999), (0.001, 999), (0, 1000), (-400, 1000)],
)
def test_a_secrets_end_is_told_in_steps_that_rise_and_over_at_it(days, step):
    seen = health.look_at_credential(ends_in(days), NOW)
    assert (seen.step if seen else 0) == step


@pytest.mark.parametrize(
    ("days", "severity", "is_coming"),
    [
        (60, "warning", True),
        (7, "warning", True),
        (3, "critical", True),
        (1, "critical", False),
        (0, "critical", False),
    ],
)
def test_the_last_days_are_critical_and_the_last_one_is_told_at_once(days, severity, is_coming):
    seen = health.look_at_credential(ends_in(days), NOW)
    assert seen is not None
    assert (seen.severity, seen.is_coming) == (severity, is_coming)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (20, "The client secret abc… of “Contoso Mail” ends on 23 March 2026 (UTC), in 20 days."),
        (0.2, "The client secret abc… of “Contoso Mail” ends on 3 March 2026 (UTC), within a day."),
        (-2, "The client secret abc… of “Contoso Mail” has reached its end, 1 March 2026 (UTC)."),
    ],
)
def test_it_is_said_which_secret_and_when(days, words):
    seen = health.look_at_credential(ends_in(days), NOW)
    assert seen is not None
    assert seen.what == words
    assert "enter it on the registration's page" in seen.remedy


def test_how_early_is_a_setting_and_a_tenants_own(settings):
    settings.SECRET_WARN_DAYS = [50]
    credential = ends_in(45)
    assert credential.registration.tenant is None
    seen = health.look_at_credential(credential, NOW)
    assert seen is not None
    assert seen.step == 950
    credential.registration.tenant = Tenant(warn_days=[40, 10])
    assert health.look_at_credential(credential, NOW) is None
    credential.registration.tenant = Tenant(warn_days=[90])
    seen = health.look_at_credential(credential, NOW)
    assert seen is not None
    assert seen.step == 910


def test_a_secret_without_an_end_is_not_due():
    assert health.look_at_credential(make_pair()[1], NOW) is None


# Before Microsoft is asked


def test_what_is_asked_with_shows_no_secret():
    registration, credential = make_pair()
    ask = health.registration_to_ask(registration, credential)
    assert isinstance(ask, RegistrationToAsk)
    assert ask.secret == "not-a-real-secret"
    connection = health.connection_to_ask(make_connection(registration), ask)
    assert "not-a-real" not in repr((ask, connection))


def kind_of(answer: object) -> str:
    assert isinstance(answer, Verdict)
    return answer.faults[0].kind


def test_what_cannot_be_asked_is_said_and_never_healthy():
    registration, credential = make_pair()
    gone, its_credential = make_pair(cloud="gone")
    assert kind_of(health.registration_to_ask(registration, None)) == "no_secret"
    assert kind_of(health.registration_to_ask(gone, its_credential)) == "unverified"
    credential.__dict__["value"] = None
    assert kind_of(health.registration_to_ask(registration, credential)) == "no_secret"


def test_a_secret_that_cannot_be_read_is_the_operators_to_mend():
    registration, credential = make_pair()
    credential.value._text = UNREADABLE
    answer = health.registration_to_ask(registration, credential)
    assert kind_of(answer) == "unreadable_secret"
    assert answer.faults[0].actor == "operator"
    assert answer.faults[0].inhibits


def test_a_token_that_cannot_be_read_leaves_the_connection_as_it_is():
    registration, credential = make_pair()
    connection = make_connection(registration)
    connection.refresh_token._text = UNREADABLE
    answer = health.connection_to_ask(connection, health.registration_to_ask(registration, credential))
    assert kind_of(answer) == "unreadable_secret"
    assert answer.status == ""


@pytest.mark.parametrize(
    ("granted", "asked", "host"),
    [
        (["Mail.Read", "User.Read"], [], "graph.microsoft.com"),
        ([], ["Mail.Send"], "graph.microsoft.com"),
        (["IMAP.AccessAsUser.All", "SMTP.Send"], ["User.Read"], "outlook.office.com"),
    ],
)
def test_what_was_granted_is_asked_for_again_at_its_own_host(granted, asked, host):
    registration, credential = make_pair()
    connection = make_connection(registration, scopes_granted=granted, scopes_asked=asked)
    ask = health.connection_to_ask(connection, health.registration_to_ask(registration, credential))
    assert isinstance(ask, ConnectionToAsk)
    assert list(ask.scopes) == [f"https://{host}/{permission}" for permission in granted or asked]


# What Microsoft says of a registration


def test_a_registration_that_signs_in_is_well(world):
    assert look_at(world.registration()).whole() == Verdict(ruled_out=health.RULED_OUT_BY_SIGN_IN)


def test_a_sign_in_does_not_show_what_only_a_consent_meets():
    assert "secret_invalid" in health.RULED_OUT_BY_SIGN_IN
    assert not health.RULED_OUT_BY_SIGN_IN & health.ONLY_IN_CONSENT


def test_of_every_fault_of_a_registration_it_is_known_whether_a_sign_in_shows_it():
    rows = [*CODES.values(), *SUBERRORS.values(), *ERRORS.values()]
    kinds = {row.kind for row in rows if row.scope == "registration"}
    shown_by_sign_in = {
        "secret_expired",
        "secret_invalid",
        "secret_missing",
        "certificate_invalid",
        "federated_credential_invalid",
        "app_not_found",
        "app_disabled",
        "tenant_not_found",
        "authority_mismatch",
        "cloud_mismatch",
        "only_personal_accounts",
    }
    assert kinds == shown_by_sign_in | health.ONLY_IN_CONSENT


def test_every_look_asks_anew(world):
    for _ in range(3):
        look_at(world.registration()).whole()
    assert len(world.microsoft.token_requests()) == 3


@pytest.mark.parametrize(
    ("code", "kind"), [(7000215, "secret_invalid"), (7000222, "secret_ending"), (700016, "app_not_found")]
)
def test_a_refused_registration_is_an_incident_that_stands_for_its_connections(world, code, kind):
    world.microsoft.set_fault(code)
    answer = look_at(world.registration()).whole()
    assert isinstance(answer, Verdict)
    assert answer.incident
    assert (answer.incident.kind, answer.incident.inhibits, answer.faults) == (kind, True, ())
    assert answer.incident.evidence["codes"] == [code]


def test_an_expired_secret_is_named_by_its_hint(world):
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])
    answer = look_at(world.registration()).whole()
    assert isinstance(answer, Verdict)
    assert answer.incident
    assert answer.incident.what.startswith("The client secret abc… of “Contoso Mail” has ended")
    assert answer.incident.step == 1000


def test_without_its_directory_a_registration_cannot_be_checked(world):
    answer = look_at(world.registration(directory="")).whole()
    assert kind_of(answer) == "unverified"
    assert not answer.is_checked
    assert not answer.faults[0].inhibits
    assert world.microsoft.token_requests() == []


def test_one_for_personal_accounts_only_is_not_asked_and_nothing_is_wrong(world):
    answer = look_at(world.registration(only_personal=True)).whole()
    assert isinstance(answer, Verdict)
    assert (answer.faults, answer.incident, answer.is_checked) == ((), None, True)
    assert world.microsoft.token_requests() == []


def test_who_is_not_asked_any_more_is_rid_of_what_its_own_sign_in_met_and_of_nothing_else():
    met = {"grant_refused", "unknown_refusal", "only_personal_accounts", "tenant_not_found", "unverified"}
    assert met <= health.RULED_OUT_UNASKED
    assert not health.RULED_OUT_UNASKED & ({"app_not_found", "app_disabled"} | health.OF_THE_SECRET)
    assert not health.RULED_OUT_UNASKED & health.ONLY_IN_CONSENT


def test_personal_accounts_only_in_entra_is_said_by_the_registrations_own_sign_in(world):
    world.microsoft.set_app(world.app["client_id"], audience="PersonalMicrosoftAccount")
    answer = look_at(world.registration()).whole()
    assert isinstance(answer, Verdict)
    assert answer.incident
    assert (answer.incident.kind, answer.incident.actor) == ("only_personal_accounts", "operator")
    assert answer.incident.evidence["codes"] == [9002331]


@pytest.mark.parametrize("code", [999999, 700082])
def test_no_mailbox_owner_has_to_act_where_the_registration_signs_in_itself(world, code):
    world.microsoft.set_fault(code)
    answer = look_at(world.registration()).whole()
    assert isinstance(answer, Verdict)
    assert answer.incident
    assert (answer.incident.kind, answer.incident.actor) == ("unknown_refusal", "operator")
    assert (answer.incident.severity, answer.incident.evidence["codes"]) == ("critical", [code])


@pytest.mark.parametrize("what", ["down", "throttled", "html", "empty", "garbage", "drop", 50196])
def test_no_answer_is_no_verdict(world, what):
    ask = world.connection()
    world.microsoft.set_fault(what)
    for answer in (look_at(ask.registration).whole(), look_at(ask).whole()):
        assert isinstance(answer, NoAnswer)
        assert answer.throttled == (what in ("throttled", 50196))
        assert answer.why


def test_throttling_says_how_long_to_wait(world):
    world.microsoft.set_fault("throttled")
    answer = look_at(world.registration()).whole()
    assert isinstance(answer, NoAnswer)
    assert answer.retry_after == 60


# What Microsoft says of a connection


def test_a_connection_that_refreshes_is_active_with_a_new_token(world):
    ask = world.connection()
    answer = look_at(ask).whole()
    assert isinstance(answer, Verdict)
    assert answer.grant
    assert (answer.status, answer.faults, answer.ruled_out) == ("active", (), None)
    assert answer.grant.refresh_token != ask.refresh_token
    assert answer.grant.refresh_token not in repr(answer)


@pytest.mark.parametrize(
    ("code", "status", "blocked", "actor"),
    [
        (50173, "dead", "", "mailbox_owner"),
        (65001, "invalid", "", "mailbox_owner"),
        (50057, "invalid", "account_disabled", "tenant_admin"),
        (53003, "invalid", "conditional_access", "tenant_admin"),
    ],
)
def test_a_refusal_is_judged_by_the_table(world, code, status, blocked, actor):
    ask = world.connection()
    world.microsoft.set_fault(code)
    answer = look_at(ask).whole()
    assert isinstance(answer, Verdict)
    assert (answer.status, answer.blocked, answer.faults[0].actor) == (status, blocked, actor)
    assert answer.grant is None


def test_an_unknown_number_never_kills(world):
    ask = world.connection()
    world.microsoft.set_fault(999999)
    answer = look_at(ask).whole()
    assert isinstance(answer, Verdict)
    assert answer.status in ("", "invalid")


def test_a_refused_secret_says_nothing_of_the_connection(world):
    ask = world.connection()
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    answer = look_at(ask).whole()
    assert isinstance(answer, NoAnswer)
    assert answer.doubts_registration


@pytest.mark.parametrize("why", [{"directory": ""}, {"only_personal": True}])
def test_a_refused_secret_is_the_registrations_fault_where_it_cannot_sign_in_itself(world, why):
    ask = world.connection()
    ask = replace(ask, registration=replace(ask.registration, **why))
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    answer = look_at(ask).whole()
    assert isinstance(answer, Verdict)
    assert answer.incident
    assert (answer.faults, answer.status, answer.is_checked) == ((), "", False)


def test_another_account_is_not_taken_for_this_one(world):
    ask = world.connection()
    world.microsoft.set_fault("id_token", change={"oid": str(uuid.uuid4())})
    answer = look_at(ask).whole()
    assert kind_of(answer) == "other_account"
    assert (answer.grant, answer.status) == (None, "")


def test_an_answer_without_an_id_token_is_enough(world):
    ask = world.connection()
    world.microsoft.set_fault("id_token", missing=True)
    answer = look_at(ask).whole()
    assert isinstance(answer, Verdict)
    assert answer.status == "active"


# The table


@pytest.mark.parametrize(
    "fault", [*CODES.values(), *SUBERRORS.values(), *ERRORS.values()], ids=lambda fault: fault.kind
)
def test_no_kind_of_ours_is_one_of_the_tables(fault):
    own = {*health.BEFORE_ASKING, *OURS_BY_KIND}
    assert fault.kind not in own


def test_every_kind_that_a_look_speaks_of_has_its_row():
    spoken_of = health.BEFORE_ASKING | health.ONLY_IN_CONSENT | health.OF_ONE_DIRECTORY | health.OF_THE_SECRET
    assert spoken_of - set(KINDS) == set()
