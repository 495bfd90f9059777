"""Whom a link is for: where its people are sent, and who of those who come back is taken."""

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oauth import pins
from oauth.id_token import PERSONAL
from oauth.models import Connection, ConsentAttempt, Link, Mail
from tests.factories import make_connection, make_link, make_registration, make_superuser
from tests.oauth.consenting import World, consent, go, make_world

ORGANIZATIONS, ANY = "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount"


@pytest.fixture
def many(db, site_url, microsoft, cloud) -> World:
    """A registration for any organization."""
    domain = f"contoso-{uuid.uuid4().hex[:8]}.example"
    return make_world(microsoft, cloud, audience=ORGANIZATIONS, directory="", domain=domain)


def pin(world: World, **fields) -> World:
    """A new link of the world, pinned so."""
    world.link, world.token = make_link(world.registration, **fields)
    return world


def sent_with(client, world) -> dict[str, str]:
    """What the browser is sent to Microsoft with, and the directory under `directory`."""
    parts = urlsplit(go(client, world))
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {**asked, "directory": parts.path.split("/")[1]}


def ended(attempt: ConsentAttempt) -> tuple[str, str]:
    return attempt.outcome, attempt.fault_kind


def nothing_is_stored(link: Link) -> bool:
    link.refresh_from_db()
    return not Connection.objects.exists() and link.uses == 0


# Where people are sent


def test_without_a_pin_people_choose_their_account(client, world):
    asked = sent_with(client, world)

    assert asked["prompt"] == "select_account"
    assert "login_hint" not in asked


def test_an_expected_account_is_named_to_microsoft_and_no_choice_is_asked_for(client, world):
    asked = sent_with(client, pin(world, expected_address="ada@contoso.example"))

    assert asked["login_hint"] == "ada@contoso.example"
    assert "prompt" not in asked


def test_a_reconnect_names_its_account_and_goes_to_its_directory(client, many):
    connection = make_connection(many.registration, tid=many.directory["id"], address="ada@contoso.example")

    asked = sent_with(client, pin(many, purpose="reconnect", connection=connection))

    assert (asked["login_hint"], asked["directory"]) == ("ada@contoso.example", many.directory["id"])
    assert "prompt" not in asked


@pytest.mark.parametrize(
    ("audience", "sent_to"),
    [(ORGANIZATIONS, "organizations"), (ANY, "common"), ("PersonalMicrosoftAccount", "consumers")],
)
def test_a_registration_for_many_sends_people_where_many_sign_in(db, audience, sent_to):
    link, _ = make_link(make_registration(audience=audience, directory=""))

    assert pins.directory_of(link) == sent_to
    assert pins.is_for_work(link) is (sent_to != "consumers")


def test_a_registration_for_one_directory_pins_it_by_itself(client, world):
    assert sent_with(client, world)["directory"] == world.directory["id"]


@pytest.mark.parametrize("named", ["id", "domain"])
def test_an_expected_directory_is_where_people_sign_in(client, many, named):
    assert sent_with(client, pin(many, expected_directory=many.directory[named]))["directory"] == many.directory["id"]


def test_a_personal_account_reconnects_where_personal_accounts_sign_in(db):
    connection = make_connection(make_registration(audience=ANY), tid=PERSONAL)
    link, _ = make_link(connection.registration, purpose="reconnect", connection=connection)

    assert pins.directory_of(link) == "consumers"


# The expected account


@pytest.mark.parametrize("expected", ["ada@contoso.example", "Ada@Contoso.Example"])
def test_the_expected_account_is_known_by_what_it_is_called(client, many, expected):
    assert consent(client, pin(many, expected_address=expected)).outcome == "connected"


def test_the_expected_account_is_known_by_its_email_where_we_chose_the_directory(client, world):
    world.microsoft.set_mail(world.person["oid"], "ada.lovelace@contoso.example")

    attempt = consent(client, pin(world, expected_address="ada.lovelace@contoso.example"))

    assert (attempt.outcome, attempt.connection.address) == ("connected", "ada@contoso.example")


def test_an_email_is_not_believed_of_a_directory_that_anybody_may_have_made(client, many):
    many.microsoft.set_mail(many.person["oid"], "victim@fabrikam.example")

    attempt = consent(client, pin(many, expected_address="victim@fabrikam.example"))

    assert ended(attempt) == ("rejected", "wrong_account")
    assert nothing_is_stored(many.link)


def test_an_email_is_believed_once_the_link_names_the_directory(client, many):
    many.microsoft.set_mail(many.person["oid"], "ada.lovelace@contoso.example")
    pin(many, expected_address="ada.lovelace@contoso.example", expected_directory=many.directory["domain"])

    assert consent(client, many).outcome == "connected"


def test_another_account_is_refused_and_nothing_is_stored(client, world):
    other = world.microsoft.add_person(world.directory["id"], "Grace", "grace@contoso.example")

    attempt = consent(client, pin(world, expected_address="ada@contoso.example"), oid=other["oid"])

    assert ended(attempt) == ("rejected", "wrong_account")
    assert (attempt.connection, attempt.flow) == (None, None)
    assert nothing_is_stored(world.link)


def test_the_right_account_may_still_come_after_a_wrong_one(client, world):
    other = world.microsoft.add_person(world.directory["id"], "Grace", "grace@contoso.example")
    pin(world, expected_address="ada@contoso.example")
    consent(client, world, oid=other["oid"])

    assert consent(client, world).outcome == "connected"


# The maker hears of it


def test_the_maker_of_a_link_hears_of_the_first_wrong_account_and_of_no_other(world):
    maker = make_superuser()
    other = world.microsoft.add_person(world.directory["id"], "Grace", "grace@contoso.example")
    pin(world, expected_address="ada@contoso.example")
    Link.objects.filter(pk=world.link.pk).update(created_by=maker)

    for _ in range(2):
        consent(Client(), world, oid=other["oid"])

    mail = Mail.objects.get()
    assert (mail.kind, mail.address, mail.link) == ("mismatch", maker.email, world.link)
    assert "ada@contoso.example" in mail.text
    assert "grace" not in mail.text.lower()


def test_another_link_has_a_mail_of_its_own(world):
    other = world.microsoft.add_person(world.directory["id"], "Grace", "grace@contoso.example")

    for _ in range(2):
        consent(Client(), pin(world, expected_address="ada@contoso.example"), oid=other["oid"])

    assert Mail.objects.filter(kind="mismatch").values("link").distinct().count() == 2


def test_whoever_looks_after_the_registration_hears_of_it_where_the_maker_is_gone(client, world):
    world.registration.alert_emails = ["mail-team@example.com"]
    world.registration.save()
    maker = make_superuser()
    maker.is_active = False
    maker.save()
    other = world.microsoft.add_person(world.directory["id"], "Grace", "grace@contoso.example")
    pin(world, expected_address="ada@contoso.example")
    Link.objects.filter(pk=world.link.pk).update(created_by=maker)

    consent(client, world, oid=other["oid"])

    assert Mail.objects.get().address == "mail-team@example.com"


# The expected directory


@pytest.mark.parametrize("named", ["id", "domain"])
def test_an_account_of_the_expected_directory_is_taken(client, many, named):
    attempt = consent(client, pin(many, expected_directory=many.directory[named]))

    assert (attempt.outcome, str(attempt.connection.tid)) == ("connected", many.directory["id"])


@pytest.mark.parametrize("named", ["id", "domain"])
def test_it_does_not_matter_how_the_expected_directory_is_written(client, many, named):
    assert consent(client, pin(many, expected_directory=many.directory[named].upper())).outcome == "connected"


@pytest.mark.parametrize("named", ["id", "domain"])
def test_an_account_of_another_directory_is_refused_and_the_maker_hears_of_it(client, many, named):
    # Microsoft itself lets nobody of another directory in; what is tested is that we do not rest on that.
    many.microsoft.set_fault("id_token", grant_type="authorization_code", change={"tid": str(uuid.uuid4())})

    attempt = consent(client, pin(many, expected_directory=many.directory[named]))

    assert ended(attempt) == ("rejected", "wrong_directory")
    assert nothing_is_stored(many.link)
    assert many.directory[named] in Mail.objects.get(kind="mismatch").text


# Guests, and accounts of another kind


def test_a_guest_is_refused_because_the_mailbox_is_at_home(client, world):
    home = world.microsoft.add_directory("Fabrikam", "fabrikam.example")
    grace = world.microsoft.add_person(home["id"], "Grace", "grace@fabrikam.example")
    world.microsoft.add_guest(world.directory["id"], grace["oid"])

    attempt = consent(client, world, oid=grace["oid"])

    assert ended(attempt) == ("rejected", "guest")
    assert nothing_is_stored(world.link)


def test_the_same_person_is_no_guest_at_home(client, many):
    home = many.microsoft.add_directory("Fabrikam", "fabrikam.example")
    grace = many.microsoft.add_person(home["id"], "Grace", "grace@fabrikam.example")
    many.microsoft.add_guest(many.directory["id"], grace["oid"])

    attempt = consent(client, many, oid=grace["oid"])

    assert (attempt.outcome, str(attempt.connection.tid)) == ("connected", home["id"])


def test_a_personal_account_is_taken_where_it_may_come(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience=ANY, directory="")
    kim = microsoft.add_personal_account("Kim", "kim@outlook.example")

    attempt = consent(client, world, oid=kim["oid"])

    assert (attempt.outcome, str(attempt.connection.tid)) == ("connected", PERSONAL)


def test_a_personal_account_is_refused_where_work_is_asked(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience=ORGANIZATIONS, directory="")
    change = {"tid": PERSONAL, "iss": cloud.issuer(PERSONAL)}
    microsoft.set_fault("id_token", grant_type="authorization_code", change=change)

    assert ended(consent(client, world)) == ("rejected", "personal_account")
    assert nothing_is_stored(world.link)


def test_a_work_account_is_refused_where_personal_accounts_are_asked(db, site_url, client, microsoft, cloud):
    world = make_world(microsoft, cloud, audience=ANY, directory="")
    type(world.registration).objects.update(audience="PersonalMicrosoftAccount")
    kim = microsoft.add_personal_account("Kim", "kim@outlook.example")
    microsoft.set_fault("id_token", grant_type="authorization_code", change={"tid": world.directory["id"]})

    assert ended(consent(client, world, oid=kim["oid"])) == ("rejected", "work_account")
    assert nothing_is_stored(world.link)
