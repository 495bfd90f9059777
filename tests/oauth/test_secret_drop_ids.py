"""Secret drop: which IDs may be entered by it, what it tells of those that are registered here, what is taken back."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oauth import secret_drop
from oauth.models import Link, Verification
from oauth.secret_drop import MOST_TRIES
from tenants.models import AppRegistration, Credential, Event
from tests.factories import make_connection, make_link, make_registration, make_secret, make_superuser
from tests.oauth.consenting import text_of
from tests.oauth.dropping import enter, filled, page, revoke, try_it


def test_the_directory_may_be_left_out_for_personal_accounts_only(client, world, draft, link) -> None:
    assert "Please fill this in." in text_of(enter(client, link, filled(world, directory="")))
    AppRegistration.objects.filter(pk=draft.pk).update(audience="PersonalMicrosoftAccount")
    assert enter(client, link, filled(world, directory="")).status_code == 303
    try_it(link)
    assert "The secret is stored" in page(client, link)


def test_a_directory_that_is_none_is_refused_for_personal_accounts_too(client, world, draft, link) -> None:
    AppRegistration.objects.filter(pk=draft.pk).update(audience="PersonalMicrosoftAccount")
    enter(client, link, filled(world, directory="11111111-2222-4333-8444-555555555555"))
    try_it(link)
    assert "knows no such directory" in page(client, link)
    assert not Credential.objects.current().filter(registration=draft).exists()
    enter(client, link, filled(world))
    try_it(link)
    assert "The secret is stored" in page(client, link)


def test_a_client_id_that_is_registered_here_already_is_refused_and_names_nobody(client, world, link) -> None:
    other = make_registration(cloud="sandbox", name="Somebody else's")
    answer = text_of(enter(client, link, filled(world, client_id=other.client_id)))
    assert "registered here already" in answer
    assert "Somebody" not in answer


def test_that_a_client_id_is_registered_here_is_told_a_few_times_and_stands_in_history(client, world, draft, link):
    other = make_registration(cloud="sandbox")
    for _ in range(MOST_TRIES - 1):
        assert "registered here already" in text_of(enter(client, link, filled(world, client_id=other.client_id)))
    event = Event.objects.filter(verb="client ID refused").first()
    assert (event.subject_id, event.tenant, event.address) == (str(draft.pk), draft.tenant, "127.0.0.1")
    assert event.reason == f"{link}: {other.client_id} is registered here already"
    assert "What Entra shows" in page(client, link)
    enter(client, link, filled(world, client_id=other.client_id))
    assert enter(client, link, filled(world, client_id=other.client_id)).status_code == 303
    assert "refused too often" in page(client, link)
    assert Event.objects.filter(verb="client ID refused").count() == MOST_TRIES


def test_nothing_is_told_of_a_client_id_before_all_else_is_right(client, world, draft, link) -> None:
    other = make_registration(cloud="sandbox")
    answer = text_of(enter(client, link, filled(world, client_id=other.client_id, secret="")))
    assert "registered here already" not in answer
    assert not Event.objects.filter(verb="client ID refused").exists()


def test_what_is_told_of_client_ids_counts_among_the_tries(client, world, draft, link) -> None:
    other = make_registration(cloud="sandbox")
    enter(client, link, filled(world, secret=make_secret()))
    try_it(link)
    for _ in range(MOST_TRIES - 1):
        enter(client, link, filled(world, client_id=other.client_id))
    assert "refused too often" in page(client, link)


def test_many_who_ask_at_once_are_not_told_more_often(client, world, draft, link) -> None:
    other = make_registration(cloud="sandbox")
    Link.objects.filter(pk=link.pk).update(told_taken=MOST_TRIES)  # since this one was looked at
    form = secret_drop.DropForm(link, filled(world, client_id=other.client_id))
    assert not form.is_valid()
    with pytest.raises(secret_drop.AlreadyOver):
        secret_drop.note_taken(link, form, "127.0.0.1")


def test_ids_that_were_wrong_can_be_mended_until_they_are_proven(client, world, draft, link) -> None:
    enter(client, link, filled(world, client_id="11111111-2222-4333-8444-555555555555"))
    try_it(link)
    assert "knows no application with this client ID" in page(client, link)
    enter(client, link, filled(world))
    assert try_it(link).has_signed_in
    draft.refresh_from_db()
    assert draft.client_id == world.app["client_id"]


@pytest.mark.parametrize("proof", ["current", "worked", "connection"])
def test_who_drops_a_secret_cannot_move_a_proven_registration(client, world, proof) -> None:
    registration = make_registration(world.link.tenant, cloud="sandbox")
    if proof == "connection":
        make_connection(registration)
    else:
        credential = Credential.objects.propose(registration, make_secret(), timezone.now() + timedelta(days=9))
        changes = {"slot": "current"} if proof == "current" else {"slot": "", "worked_at": timezone.now()}
        Credential.objects.filter(pk=credential.pk).update(**changes)
    before = registration.client_id
    made, token = make_link(registration, purpose=Link.Purpose.SECRET)
    client.get(f"/c/{token}/")
    enter(client, made, filled(world))
    registration.refresh_from_db()
    assert registration.client_id == before
    assert Credential.objects.filter(registration=registration, slot="next").exists()


def test_what_is_taken_back_stands_in_the_registrations_history(client, world, draft, link) -> None:
    enter(client, link, filled(world, client_id="11111111-2222-4333-8444-555555555555"))
    try_it(link)
    enter(client, link, filled(world))
    revoke(link)
    event = Event.objects.get(subject_type="tenants.appregistration", verb="taken back what was entered")
    assert event.changes == {"client ID": [world.app["client_id"], ""], "directory": [world.directory["id"], ""]}
    assert (event.subject_id, event.tenant, event.reason) == (str(draft.pk), draft.tenant, str(link))
    assert (event.actor.is_superuser, event.address) == (True, "127.0.0.1")


@pytest.mark.parametrize("corrected", ["client_id", "directory"])
def test_what_somebody_has_corrected_is_not_taken_back(client, world, draft, link, corrected) -> None:
    values = {"client_id": "11111111-2222-4333-8444-555555555555", "directory": "right.example"}
    enter(client, link, filled(world))
    AppRegistration.objects.filter(pk=draft.pk).update(**{corrected: values[corrected]})
    revoke(link)
    draft.refresh_from_db()
    assert {name: getattr(draft, name) for name in values} == {
        **dict.fromkeys(values, ""),
        corrected: values[corrected],
    }


def test_where_nothing_was_entered_nothing_is_taken_back_or_said(client, world, draft, link) -> None:
    AppRegistration.objects.filter(pk=draft.pk).update(directory="typed.example")
    revoke(link)
    draft.refresh_from_db()
    assert draft.directory == "typed.example"
    assert not Event.objects.filter(subject_type="tenants.appregistration").exists()


def test_an_expired_link_is_revoked_too_so_that_its_ids_keep_nobody_out(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    Link.objects.filter(pk=link.pk).update(expires_at=timezone.now() - timedelta(days=1))
    operator = Client()
    operator.force_login(make_superuser())
    assert "/do/revoke/" in operator.get(f"/admin/oauth/link/{link.pk}/change/").content.decode()
    revoke(link)
    draft.refresh_from_db()
    assert (draft.client_id, draft.directory) == ("", "")


def test_what_is_proven_stays_when_the_link_is_revoked(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    try_it(link)
    secret_drop.take_back([link], by=None, address="")
    draft.refresh_from_db()
    assert draft.client_id == world.app["client_id"]


def test_ids_that_an_operator_typed_are_not_changed_by_a_link(client, world) -> None:
    typed = make_registration(world.link.tenant, cloud="sandbox")
    made, token = make_link(typed, purpose=Link.Purpose.SECRET)
    client.get(f"/c/{token}/")
    before = (typed.client_id, typed.directory)
    enter(client, made, filled(world))
    typed.refresh_from_db()
    assert (typed.client_id, typed.directory) == before


@pytest.mark.parametrize("typed", ["client_id", "directory"])
def test_the_one_id_that_an_operator_typed_is_shown_and_stays(client, world, draft, link, typed) -> None:
    values = {"client_id": "11111111-2222-4333-8444-555555555555", "directory": "typed-by-us.example"}
    AppRegistration.objects.filter(pk=draft.pk).update(**{typed: values[typed]})
    form = page(client, link)
    assert f'name="{typed}"' not in form
    assert f"<code>{values[typed]}</code>" in form
    entered = filled(world)
    for _ in range(2):
        enter(client, link, entered)
        try_it(link)
        draft.refresh_from_db()
        assert (draft.client_id, draft.directory) == tuple({**entered, typed: values[typed]}[name] for name in values)


def test_what_an_operator_has_corrected_is_not_changed_by_the_link_any_more(client, world, draft, link) -> None:
    enter(client, link, filled(world, directory="wrong.example"))
    AppRegistration.objects.filter(pk=draft.pk).update(directory="right.example")
    try_it(link)
    enter(client, link, filled(world, directory="wrong.example"))
    draft.refresh_from_db()
    assert draft.directory == "right.example"


def test_who_was_slower_to_register_the_application_is_told_so(client, world, link) -> None:
    form = secret_drop.DropForm(link, filled(world))
    assert form.is_valid()
    make_registration(cloud="sandbox", client_id=world.app["client_id"])
    with pytest.raises(secret_drop.Taken):
        secret_drop.enter(link, form, "127.0.0.1")
    assert "registered here already" in str(form.errors["client_id"])
    assert Event.objects.filter(verb="client ID refused").exists()
    assert not Verification.objects.exists()
