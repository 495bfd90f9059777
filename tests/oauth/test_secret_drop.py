"""Secret drop: entered by somebody outside, tried at Microsoft, seen by nobody here."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oauth import secret_drop
from oauth.models import Link, Mail, Verification
from oauth.secret_drop import MOST_TRIES
from oauth.tasks import verify
from tenants.models import AppRegistration, Credential, Event
from tests.factories import make_link, make_secret, make_superuser
from tests.oauth.consenting import text_of
from tests.oauth.dropping import ENDS, enter, filled, page, revoke, try_it


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
