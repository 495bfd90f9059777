"""Verify: whether an administrator has approved for everybody, as far as the registration may know."""

from typing import Any

import pytest

from oauth.models import AdminGrant
from tenants.models import AppRegistration, ScopeSelection
from tests.oauth.verifying import report, set_up, step

ALL = ["Mail.Read", "MailboxSettings.Read", "User.Read"]


@pytest.fixture
def read(world):
    """A world that may read its directory's list of grants."""
    world.microsoft.may_read_grants(world.app["client_id"], world.directory["id"])
    return world


def consent_of(world: Any) -> dict[str, Any]:
    return step(report(world.registration), "consent")


def test_all_that_is_ticked_was_approved(read):
    read.microsoft.grant_for_everybody(read.app["client_id"], read.directory["id"], ALL)
    assert consent_of(read)["state"] == "ok"


def test_what_was_not_approved_is_named_and_is_not_wrong(read):
    read.microsoft.grant_for_everybody(read.app["client_id"], read.directory["id"], ALL)
    ScopeSelection.objects.create(registration=read.registration, scope="Mail.Send")
    made = report(read.registration)
    told = step(made, "consent")
    assert (told["state"], told["actor"], made.outcome) == ("not_yet", "tenant_admin", "ok")
    assert told["seen"] == "Not approved for everybody there yet: Mail.Send."


def test_what_an_approval_in_entra_would_lack_is_said_of_the_list_and_of_the_consent_alike(read):
    larger = ["Mail.ReadWrite", *ALL[1:]]
    set_up(read, "Mail.ReadWrite")
    read.microsoft.grant_for_everybody(read.app["client_id"], read.directory["id"], larger)
    made = report(read.registration)
    assert "Mail.Read (" in step(made, "permissions")["seen"]
    assert step(made, "consent")["seen"] == "Not approved for everybody there yet: Mail.Read."


def test_what_nobody_needs_an_administrator_for_is_passed_over(read):
    ScopeSelection.objects.all().delete()
    ScopeSelection.objects.create(registration=read.registration, scope="SMTP.Send")
    told = consent_of(read)
    assert (told["state"], told["todo"]) == ("skipped", "")
    assert "people may consent themselves" in told["seen"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (None, "No approval is on record"),
        ({"status": "reported"}, "on record as reported."),
        ({"status": "seen", "scopes": ["Mail.Read"]}, "on record as seen, for less than is ticked now"),
    ],
)
def test_who_may_not_read_the_list_is_told_what_is_on_record(world, fields, words):
    if fields is not None:
        registration = world.registration
        own = {"registration": registration, "tenant": registration.tenant, "client_id": registration.client_id}
        AdminGrant.objects.create(tid=world.directory["id"], **own, **{"scopes": ALL, **fields})
    told = consent_of(world)
    assert (told["state"], told["graph"]) == ("skipped", "Authorization_RequestDenied")
    assert words in told["seen"]
    assert "Directory.Read.All" in told["todo"]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"tenant": None}, "Many tenants share"), ({"audience": "PersonalMicrosoftAccount"}, "personal accounts only")],
)
def test_where_there_is_nobody_to_approve_nobody_is_asked(read, change, words):
    AppRegistration.objects.update(**change)
    assert words in consent_of(read)["seen"]


def test_without_scopes_there_is_nothing_to_approve(read):
    ScopeSelection.objects.all().delete()
    assert consent_of(read)["state"] == "skipped"
