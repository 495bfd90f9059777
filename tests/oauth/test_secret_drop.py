"""Secret drop: entered by somebody outside, tried at Microsoft, seen by nobody here."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from oauth import secret_drop
from oauth.models import Link, Mail, Verification
from oauth.secret_drop import MOST_TRIES
from oauth.tasks import verify
from tenants.models import AppRegistration, Credential, Event
from tests.factories import make_connection, make_link, make_registration, make_secret, make_superuser
from tests.oauth.consenting import text_of

ENDS = (date.today() + timedelta(days=180)).isoformat()
LATER = timedelta(minutes=4)  # after which a new secret has spread


@pytest.fixture
def draft(world) -> AppRegistration:
    """A registration of the world's tenant that Entra knows and Tenantry does not, yet."""
    AppRegistration.objects.filter(pk=world.registration.pk).update(archived_at=timezone.now())
    return make_registration(world.link.tenant, cloud="sandbox", client_id="", directory="")


@pytest.fixture
def link(client, draft) -> Link:
    made, token = make_link(draft, purpose=Link.Purpose.SECRET)
    assert client.get(f"/c/{token}/").status_code == 303
    return made


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


@pytest.mark.parametrize("audience", ["AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount"])
def test_from_nothing_to_a_secret_that_signs_in(client, world, draft, link, rung, audience) -> None:
    AppRegistration.objects.filter(pk=draft.pk).update(audience=audience)
    world.microsoft.set_app(world.app["client_id"], audience=audience)
    assert "Enter the client secret" in page(client, link)
    assert enter(client, link, filled(world)).status_code == 303
    assert "Trying it at Microsoft" in page(client, link)
    assert try_it(link).has_signed_in
    draft.refresh_from_db()
    assert (draft.client_id, draft.directory) == (world.app["client_id"], world.directory["id"])
    assert Credential.objects.current().get(registration=draft).value.reveal("test") == world.secret["value"]
    assert "Microsoft takes the secret" in page(client, link)


@pytest.mark.parametrize("how", ["down", "again"])
def test_what_microsoft_took_is_told_so_also_where_the_report_begins_again(client, world, draft, link, how) -> None:
    """Graph gives no answer; or the next one dies early, of which the first step stands."""
    enter(client, link, filled(world))
    world.microsoft.set_fault("down", grant_type="graph")
    try_it(link)
    if how == "again":
        Verification.objects.filter(link=link).update(steps=[{"key": "configuration", "state": "ok", "seen": ""}])
    shown = page(client, link)
    assert "Microsoft takes the secret" in shown
    assert "personal" not in shown


def test_for_personal_accounts_only_it_is_kept_untried_and_the_page_says_so(client, world, draft, link, rung) -> None:
    AppRegistration.objects.filter(pk=draft.pk).update(audience="PersonalMicrosoftAccount")
    world.microsoft.set_app(world.app["client_id"], audience="PersonalMicrosoftAccount")
    assert "It cannot be tried at once" in page(client, link)
    enter(client, link, filled(world))
    try_it(link)
    assert Credential.objects.current().get(registration=draft).value.reveal("test") == world.secret["value"]
    assert not world.microsoft.token_requests()
    kept = page(client, link)
    assert "The secret is stored" in kept
    assert "The first person who consents will show it" in kept
    assert "Microsoft takes the secret" not in kept
    assert enter(client, link, filled(world, secret=make_secret())).status_code == 303
    assert Credential.objects.filter(registration=draft).count() == 1
    operator = Client()
    operator.force_login(make_superuser())
    assert "It cannot be tried" in text_of(operator.get(f"/admin/oauth/link/{link.pk}/change/"))
    told = Mail.objects.get()
    assert "The first consent will show whether Microsoft takes it" in told.text
    assert "works" not in told.subject


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


def test_the_page_refreshes_itself_only_while_microsoft_is_asked(client, world, link) -> None:
    address = f"/connect/{link.public_id}/"
    assert "Refresh" not in client.get(address).headers
    enter(client, link, filled(world))
    assert client.get(address).headers["Refresh"]
    try_it(link)
    assert "Refresh" not in client.get(address).headers


def test_a_secret_that_works_is_said_while_the_rest_is_still_looked_at(client, world, link) -> None:
    enter(client, link, filled(world))
    steps = [{"key": "sign_in", "state": "ok", "seen": ""}]
    Verification.objects.filter(link=link).update(steps=steps, started_at=timezone.now())
    answer = client.get(f"/connect/{link.public_id}/")
    assert "Microsoft takes the secret" in text_of(answer)
    assert answer.headers["Refresh"]


def test_it_is_good_once(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    try_it(link)
    assert enter(client, link, filled(world, secret=make_secret())).status_code == 303
    assert Credential.objects.filter(registration=draft).count() == 1
    assert "Microsoft takes the secret" in page(client, link)
    link.refresh_from_db()
    assert (link.uses, link.status) == (1, "used")


def test_what_was_entered_is_shown_to_nobody(client, world, draft, link, caplog, django_capture_on_commit_callbacks):
    value = world.secret["value"]
    with django_capture_on_commit_callbacks(execute=False):
        wrong = enter(client, link, filled(world, ends_on="never"))
        enter(client, link, filled(world))
    try_it(link)
    told = [wrong.content.decode(), page(client, link), caplog.text, str(list(Event.objects.values()))]
    told += [str(list(Verification.objects.values())), str(list(AppRegistration.objects.values()))]
    assert not [text for text in told if value in text]


def test_whoever_made_the_link_gets_one_mail_once_it_works(client, world, draft, link) -> None:
    enter(client, link, filled(world, secret=make_secret()))
    try_it(link)
    assert not Mail.objects.exists()
    enter(client, link, filled(world))
    try_it(link)
    mail = Mail.objects.get()
    assert (mail.link, mail.kind, mail.address) == (link, "secret", "ops@example.com")
    assert draft.name in mail.text
    assert world.secret["value"] not in mail.text


def test_history_says_who_entered_what_but_the_secret(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    event = Event.objects.get(verb="client secret entered")
    assert event.subject_id == str(draft.pk)
    assert event.tenant == draft.tenant
    assert event.changes["client secret"] == "changed"
    assert event.changes["client ID"] == ["", world.app["client_id"]]
    assert event.reason == str(link)
    assert event.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("secret", "11111111-2222-4333-8444-555555555555", "This is the Secret ID; paste the Value"),
        ("secret", "two words", "no spaces"),
        ("secret", "", "Please fill this in"),
        ("client_id", "Contoso Mail", "not an Application (client) ID"),
        ("directory", "not a directory", "neither a Directory (tenant) ID nor a domain"),
        ("ends_on", "2020-01-31", "has ended already"),
        ("ends_on", "never", "This is not a day"),
    ],
)
def test_each_field_says_at_once_what_is_wrong_and_nothing_is_stored(client, world, link, field, value, words):
    answer = enter(client, link, filled(world, **{field: value}))
    assert words in text_of(answer)
    assert not Verification.objects.exists()
    link.refresh_from_db()
    assert link.uses == 0


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


def test_a_refused_secret_is_entered_again_by_the_same_link(client, world, draft, link) -> None:
    enter(client, link, filled(world, secret=make_secret()))
    assert try_it(link).outcome == "failed"
    refused = page(client, link)
    assert "Microsoft refused it" in refused
    assert "AADSTS7000215" in refused
    assert "Secret ID was copied" in refused
    enter(client, link, filled(world))
    assert try_it(link).has_signed_in
    assert Credential.objects.filter(registration=draft, slot="next").count() == 0


def test_ids_that_were_wrong_can_be_mended_until_they_are_proven(client, world, draft, link) -> None:
    enter(client, link, filled(world, client_id="11111111-2222-4333-8444-555555555555"))
    try_it(link)
    assert "knows no application with this client ID" in page(client, link)
    enter(client, link, filled(world))
    assert try_it(link).has_signed_in
    draft.refresh_from_db()
    assert draft.client_id == world.app["client_id"]


def test_while_a_new_secret_may_be_spreading_it_can_be_entered_again(client, world, draft, link) -> None:
    enter(client, link, filled(world, secret=make_secret()))
    verify(Verification.objects.get(link=link).pk)
    assert "does not take the secret yet" in page(client, link)
    assert "What Entra shows" in page(client, link, "?again")
    enter(client, link, filled(world))
    assert try_it(link).has_signed_in


def test_a_secret_that_works_is_left_alone_by_one_that_does_not(client, world) -> None:
    made, token = make_link(world.registration, purpose=Link.Purpose.SECRET)
    client.get(f"/c/{token}/")
    assert "client_id" not in page(client, made)
    enter(client, made, {"secret": make_secret(), "ends_on": ENDS})
    try_it(made)
    assert Credential.objects.current().get().value.reveal("test") == world.secret["value"]
    assert "Nothing that worked before was disturbed" in page(client, made)


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


def test_it_is_refused_for_good_after_many_tries(client, world, link) -> None:
    for _ in range(MOST_TRIES):
        assert "What Entra shows" in page(client, link)
        enter(client, link, filled(world, secret=make_secret()))
        try_it(link)
    assert "refused too often" in page(client, link)
    assert enter(client, link, filled(world)).status_code == 303
    assert Verification.objects.filter(link=link).count() == MOST_TRIES


def test_without_an_answer_it_is_kept_and_said_so(client, world, link) -> None:
    enter(client, link, filled(world))
    Verification.objects.filter(link=link).update(outcome="unanswered", finished_at=timezone.now())
    assert "Stored, and not tried yet" in page(client, link)
    assert Credential.objects.filter(slot="next").count() == 1


@pytest.mark.parametrize("end", ["revoked", "expired", "archived", "suspended"])
def test_a_link_that_is_over_takes_nothing(client, world, draft, link, end) -> None:
    now = timezone.now()
    if end == "revoked":
        Link.objects.filter(pk=link.pk).revoke()
    elif end == "expired":
        Link.objects.filter(pk=link.pk).update(expires_at=now)
    elif end == "archived":
        AppRegistration.objects.filter(pk=draft.pk).update(archived_at=now)
    else:
        type(draft.tenant).objects.filter(pk=draft.tenant_id).update(suspended_at=now)
    assert enter(client, link, filled(world)).status_code == 404
    assert not Credential.objects.filter(registration=draft).exists()


def test_what_came_of_it_is_told_only_as_long_as_the_tenant_is_looked_after(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    type(draft.tenant).objects.filter(pk=draft.tenant_id).update(suspended_at=timezone.now())
    assert client.get(f"/connect/{link.public_id}/").status_code == 404


def test_a_link_can_be_revoked_after_a_refused_try_and_nothing_of_it_is_tried_any_more(client, world, draft, link):
    enter(client, link, filled(world))
    link.refresh_from_db()
    assert link.status == "open"
    operator = Client()
    operator.force_login(make_superuser())
    operator.post(f"/admin/oauth/link/{link.pk}/do/revoke/", {"confirmed": "yes"})
    assert enter(client, link, filled(world)).status_code == 404
    try_it(link)
    assert not Credential.objects.exclude(slot="").filter(registration=draft).exists()
    draft.refresh_from_db()
    assert (draft.client_id, draft.directory) == ("", ""), "an ID that nothing has proven keeps nobody out"


def revoke(link: Link) -> None:
    operator = Client()
    operator.force_login(make_superuser())
    operator.post(f"/admin/oauth/link/{link.pk}/do/revoke/", {"confirmed": "yes"})


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


def test_after_a_revoked_link_is_renewed_its_form_is_open_again(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    revoke(link)
    try_it(link)
    link.refresh_from_db()
    client.get(f"/c/{link.renew(timezone.now() + timedelta(days=1))}/")
    opened = page(client, link)
    assert "What Entra shows" in opened
    assert "gave no answer" not in opened
    operator = Client()
    operator.force_login(make_superuser())
    assert "is not tried any more" in text_of(operator.get(f"/admin/oauth/link/{link.pk}/change/"))
    enter(client, link, filled(world))
    assert try_it(link).has_signed_in


def test_of_two_links_the_one_whose_secret_was_replaced_is_open_again(client, world, draft, link) -> None:
    other, token = make_link(draft, purpose=Link.Purpose.SECRET)
    enter(client, link, filled(world))
    client.get(f"/c/{token}/")
    enter(client, other, filled(world))
    assert "What Entra shows" in page(client, link)
    assert "Trying it at Microsoft" in page(client, other)


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


@pytest.mark.parametrize("when", ["spreading", "unanswered"])
def test_a_secret_that_an_operator_enters_meanwhile_wins(client, world, draft, link, when) -> None:
    enter(client, link, filled(world))
    if when == "unanswered":
        Verification.objects.filter(link=link).update(outcome="unanswered", finished_at=timezone.now())
    draft.refresh_from_db()
    typed = Credential.objects.replace(draft, make_secret(), timezone.now() + timedelta(days=9))
    assert Verification.objects.secret_to_try(draft) is None
    try_it(link)
    assert Credential.objects.current().get(registration=draft) == typed


def test_a_registration_without_scopes_judges_no_secret(client, world, draft, link) -> None:
    draft.scope_selections.all().delete()
    enter(client, link, filled(world, secret=make_secret()))
    try_it(link)
    assert "AADSTS7000215" in page(client, link)
    enter(client, link, filled(world))
    try_it(link)
    works = page(client, link)
    assert "Microsoft takes the secret" in works
    assert "What Entra still lacks" not in works


def test_who_can_approve_is_told_that_nobody_has(client, world, draft, link) -> None:
    world.microsoft.may_read_grants(world.app["client_id"], world.directory["id"])
    enter(client, link, filled(world))
    try_it(link)
    shown = page(client, link)
    assert "Microsoft takes the secret" in shown
    assert "Admin consent was not granted for all permissions." in shown
    assert "There is nothing more for you to do here" not in shown


def test_a_suspension_is_no_refusal(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    tenant = type(draft.tenant).objects.filter(pk=draft.tenant_id)
    tenant.update(suspended_at=timezone.now())
    try_it(link)
    tenant.update(suspended_at=None)
    assert "Stored, and not tried yet" in page(client, link)
    assert Verification.objects.secret_to_try(draft) is not None


def test_silence_is_not_told_as_a_refusal(client, world, link) -> None:
    enter(client, link, filled(world))
    world.microsoft.set_fault("down", grant_type="client_credentials")
    verify(Verification.objects.get(link=link).pk)
    assert "is being tried now" in page(client, link)


def test_what_the_operator_has_tried_again_is_told_to_whoever_entered_it(client, world, draft, link) -> None:
    enter(client, link, filled(world))
    Verification.objects.filter(link=link).update(outcome="unanswered", finished_at=timezone.now())
    operator = Client()
    operator.force_login(make_superuser())
    operator.post(f"/admin/tenants/appregistration/{draft.pk}/do/verify/")
    try_it(link)
    assert "Microsoft takes the secret" in page(client, link)
    assert Mail.objects.get().kind == "secret"


@pytest.mark.parametrize("field", ["client_id", "directory", "ends_on"])
def test_a_secret_in_the_wrong_box_is_not_shown_again(client, world, link, field) -> None:
    value = world.secret["value"]
    assert value not in enter(client, link, filled(world, **{field: value})).content.decode()


def test_who_was_slower_to_register_the_application_is_told_so(client, world, link) -> None:
    form = secret_drop.DropForm(link, filled(world))
    assert form.is_valid()
    make_registration(cloud="sandbox", client_id=world.app["client_id"])
    with pytest.raises(secret_drop.Taken):
        secret_drop.enter(link, form, "127.0.0.1")
    assert "registered here already" in str(form.errors["client_id"])
    assert Event.objects.filter(verb="client ID refused").exists()
    assert not Verification.objects.exists()


def test_another_browser_learns_and_enters_nothing(world, draft, link) -> None:
    stranger = Client()
    answer = stranger.get(f"/connect/{link.public_id}/")
    assert draft.name not in answer.content.decode()
    assert enter(stranger, link, filled(world)).status_code == 404
    assert not Credential.objects.filter(registration=draft).exists()


def test_a_link_of_another_purpose_takes_no_secret(client, world) -> None:
    for purpose in (Link.Purpose.CONSENT, Link.Purpose.SETUP):
        made, token = make_link(world.registration, purpose=purpose)
        client.get(f"/c/{token}/")
        assert enter(client, made, filled(world)).status_code == 404
    assert Credential.objects.count() == 1


def test_two_at_once_enter_one_after_the_other(client, world, draft, link) -> None:
    form = secret_drop.DropForm(link, filled(world))
    assert form.is_valid()
    secret_drop.enter(link, form, "127.0.0.1")
    with pytest.raises(secret_drop.AlreadyOver):
        secret_drop.enter(link, form, "127.0.0.1")
    assert Credential.objects.filter(registration=draft).count() == 1


def test_the_task_is_told_the_number_of_a_row_and_nothing_else(
    client, world, link, rung, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        enter(client, link, filled(world))
    asked = Verification.objects.get(link=link)
    assert ("oauth.tasks.verify", (asked.pk,)) in rung
