"""The Setup page: a registration's own values, steps that tick themselves, and links for the tenant's administrator."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from oauth.in_entra import InEntra
from oauth.models import AdminGrant, Link, Verification
from tenants.models import AppRegistration, Event, RedirectURI, ScopeSelection
from tests.factories import make_credential, make_operator, make_registration, make_tenant
from tests.oauth.consenting import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def registration(client, settings) -> AppRegistration:
    settings.SITE_URL = "https://tenantry.example.com"
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return make_registration(tenant, name="Contoso Mail", scopes=("Mail.ReadWrite",), client_id="", directory="")


def address(registration: AppRegistration, more: str = "") -> str:
    return f"/admin/tenants/appregistration/{registration.pk}/setup/{more}"


def ticks(client, registration) -> dict[str, str]:
    """Of each step, the word beside its title."""
    context = client.get(address(registration)).context
    return {step.key: {True: "done", False: "to do", None: "?"}[step.done] for step in context["steps"]}


def test_it_is_filled_in_with_the_registrations_own_values(client, registration) -> None:
    RedirectURI.objects.create(registration=registration, use="product", uri="https://mail.contoso.example/")
    page = text_of(client.get(address(registration)))
    for words in (
        "Contoso Mail",
        "Single tenant only",
        "https://tenantry.example.com/oauth/callback/global/",
        "https://mail.contoso.example/",
        "Mail.ReadWrite",
        *("offline_access", "openid", "email", "profile", "MailboxSettings.Read", "User.Read"),
        "365 days (12 months)",
        "24 months is the longest, and “Never” is gone",
        "Grant admin consent",
        "The “Secret ID” is not the secret",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("global", "https://entra.microsoft.com/#view/"),
        ("usgov_l4", "https://entra.microsoft.us/#view/"),
        ("china", "https://entra.microsoftonline.cn/#view/"),
    ],
)
def test_its_links_lead_to_the_right_page_in_the_right_cloud(client, registration, cloud, host) -> None:
    client_id = "11111111-2222-4333-8444-555555555555"
    AppRegistration.objects.filter(pk=registration.pk).update(cloud=cloud, client_id=client_id, directory="c.example")
    urls = {step.key: step.url for step in client.get(address(registration)).context["steps"]}
    assert all(url.startswith(host) for url in urls.values())
    assert urls["secret"].endswith(f"/Credentials/appId/{client_id}")
    assert urls["permissions"].endswith(f"/CallAnAPI/appId/{client_id}")
    assert urls["register"].endswith("/ApplicationsListBlade")


def test_before_it_is_registered_no_link_leads_to_a_page_that_is_not_there(client, registration) -> None:
    urls = {step.key: step.url for step in client.get(address(registration)).context["steps"]}
    assert [key for key, url in urls.items() if url] == ["register"]


def test_steps_tick_themselves_as_far_as_tenantry_knows(client, registration) -> None:
    RedirectURI.objects.create(registration=registration, use="product", uri="https://mail.contoso.example/")
    assert ticks(client, registration) == {
        **{"register": "to do", "ids": "to do", "secret": "to do"},
        **{"uris": "?", "permissions": "?", "consent": "?"},
    }
    fields = {"client_id": "11111111-2222-4333-8444-555555555555"}
    AppRegistration.objects.filter(pk=registration.pk).update(
        **fields, directory="22222222-2222-4333-8444-555555555555"
    )
    make_credential(registration)
    seen = ticks(client, registration)
    assert (seen["register"], seen["ids"], seen["secret"]) == ("done", "done", "done")


CLIENT_ID = "11111111-2222-4333-8444-555555555555"
ALWAYS = ("MailboxSettings.Read", "User.Read", "openid", "profile", "email", "offline_access")


def read(registration: AppRegistration, *, kind: str = "whole", consent: str = "", **fields: Any) -> None:
    """Entra was read, and told of the application what stands here, but for these fields."""
    AppRegistration.objects.filter(pk=registration.pk).update(client_id=CLIENT_ID)
    registration = AppRegistration.objects.get(pk=registration.pk)
    there = {
        "client_id": CLIENT_ID,
        "name": registration.name,
        "audience": registration.audience,
        "is_disabled": False,
        "redirect_uris": tuple(registration.uris_to_register),
        "permissions": ("Mail.ReadWrite", *ALWAYS),
        **fields,
    }
    steps = [{"key": "consent", "state": consent, "seen": ""}] if consent else []
    Verification.objects.create(
        registration=registration,
        kind=kind,
        client_id=CLIENT_ID,
        in_entra=InEntra(**there).kept(),
        steps=steps,
        finished_at=timezone.now(),
    )


def test_what_was_read_in_entra_ticks_steps_or_takes_the_tick_away(client, registration) -> None:
    RedirectURI.objects.create(registration=registration, use="product", uri="https://mail.contoso.example/")
    read(registration, permissions=ALWAYS, consent="skipped")
    seen = ticks(client, registration)
    assert (seen["register"], seen["uris"], seen["permissions"], seen["consent"]) == ("done", "done", "to do", "?")


def test_a_tick_goes_once_more_is_wanted(client, registration) -> None:
    read(registration, consent="ok")
    seen = ticks(client, registration)
    assert (seen["permissions"], seen["consent"]) == ("done", "done")
    RedirectURI.objects.create(registration=registration, use="product", uri="https://mail.contoso.example/")
    ScopeSelection.objects.create(registration=registration, scope="Calendar.ReadOnly")
    seen = ticks(client, registration)
    assert (seen["uris"], seen["permissions"], seen["consent"]) == ("to do", "to do", "?")


@pytest.mark.parametrize("others", [(), ("https://mail.contoso.example/",)])
@pytest.mark.parametrize("wrong", [{"audience": "AzureADMultipleOrgs"}, {"redirect_uris": ()}])
def test_one_that_was_registered_otherwise_is_to_be_corrected_where_that_is_done(
    client, registration, wrong, others
) -> None:
    RedirectURI.objects.bulk_create(RedirectURI(registration=registration, use="product", uri=uri) for uri in others)
    wrong = {name: others if name == "redirect_uris" else value for name, value in wrong.items()}
    read(registration, **wrong)
    step = client.get(address(registration)).context["steps"][0]
    assert (step.key, step.done, step.title) == ("register", False, "Correct the registration")
    assert step.url.endswith(f"/Authentication/appId/{CLIENT_ID}")
    assert "Single tenant only" in [copy.text for copy in step.copies]


def test_what_was_read_before_it_was_for_personal_accounts_only_ticks_nothing(client, registration) -> None:
    read(registration)
    AppRegistration.objects.filter(pk=registration.pk).update(audience="PersonalMicrosoftAccount")
    seen = ticks(client, registration)
    assert (seen["register"], seen["ids"], seen["permissions"]) == ("done", "done", "?")


def test_what_a_nightly_comparison_leaves_out_stands_as_it_was_seen_before(client, registration) -> None:
    read(registration, consent="ok", permissions=ALWAYS)
    for _ in range(12):
        read(registration, kind="sync")
    seen = ticks(client, registration)
    assert (seen["consent"], seen["permissions"]) == ("done", "done")


def test_what_was_seen_of_another_application_ticks_nothing(client, registration) -> None:
    read(registration, consent="ok")
    AppRegistration.objects.filter(pk=registration.pk).update(client_id="99999999-2222-4333-8444-555555555555")
    seen = ticks(client, registration)
    assert (seen["permissions"], seen["consent"]) == ("?", "?")


@pytest.mark.parametrize(("status", "tick"), [("reported", "?"), ("seen", "done"), ("verified", "done")])
def test_an_approval_ticks_the_consent_once_it_is_more_than_a_rumour(client, registration, status, tick) -> None:
    directory, client_id = "22222222-2222-4333-8444-555555555555", "11111111-2222-4333-8444-555555555555"
    AppRegistration.objects.filter(pk=registration.pk).update(client_id=client_id, directory=directory)
    AdminGrant.objects.create(
        tenant=registration.tenant,
        registration=registration,
        tid=directory,
        client_id=client_id,
        scopes=["Mail.ReadWrite", "MailboxSettings.Read", "User.Read"],
        status=status,
    )
    assert ticks(client, registration)["consent"] == tick


def test_each_tools_file_can_be_downloaded(client, registration) -> None:
    manifest = client.get(address(registration, "manifest/"))
    assert json.loads(manifest.content)["displayName"] == "Contoso Mail"
    assert manifest.headers["Content-Disposition"] == 'attachment; filename="manifest.json"'
    assert b"az ad app create" in client.get(address(registration, "az/")).content
    assert b'resource "azuread_application"' in client.get(address(registration, "terraform/")).content
    assert client.get(address(registration, "other/")).status_code == 404


def test_a_tool_that_does_not_know_the_cloud_says_what_to_do_instead(client, registration, cloud) -> None:
    AppRegistration.objects.filter(pk=registration.pk).update(cloud=cloud.key)
    assert "The Azure CLI has no name of its own for" in text_of(client.get(address(registration)))
    assert client.get(address(registration, "az/")).status_code == 404


@pytest.mark.parametrize(("chosen", "purpose"), [("steps", "setup"), ("secret", "secret")])
def test_a_link_for_the_tenants_administrator_is_made_and_shown_once(client, registration, chosen, purpose) -> None:
    answer = client.post(address(registration), {"link": chosen})
    link = Link.objects.get()
    assert (link.purpose, link.tenant, link.registration) == (purpose, registration.tenant, registration)
    assert f"/c/{answer.context['address'].rstrip('/').rpartition('/')[2]}" in text_of(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert Event.objects.get(subject_id=str(link.pk), verb="added")
    assert client.get(f"/admin/oauth/link/{link.pk}/change/").status_code == 200


def test_the_administrator_sees_the_steps_and_nothing_of_the_house(client, registration) -> None:
    token = client.post(address(registration), {"link": "steps"}).context["address"].rstrip("/").rpartition("/")[2]
    client.logout()
    page = text_of(client.get(f"/c/{token}/", follow=True))
    assert "Register the app in Entra" in page
    assert "Mail.ReadWrite" in page
    for words in (
        "/admin/",
        "alert",
        "finding",
        "What Microsoft would say",
        "never shown again",
        "asked for at the end",
    ):
        assert words not in page
    assert "send them both IDs" in page
    link = Link.objects.get()
    script = client.get(f"/connect/{link.public_id}/setup/?tool=az").content
    assert b"az ad app create" in script
    assert b"credential reset" not in script
    assert client.get(f"/connect/{link.public_id}/setup/?tool=x").status_code == 404


def test_a_shared_registrations_steps_are_for_operators(client, settings) -> None:
    client.force_login(make_operator(platform=True))
    shared = make_registration(shared=True)
    assert "Or have the tenant" not in text_of(client.get(address(shared)))
    assert client.post(address(shared), {"link": "secret"}).status_code == 403


def test_who_may_only_look_sends_nothing(client, registration) -> None:
    user = make_operator(tenants=(registration.tenant,))
    user.groups.clear()
    user.user_permissions.set(Permission.objects.filter(codename="view_appregistration"))
    client.force_login(user)
    assert client.get(address(registration)).status_code == 200
    assert client.post(address(registration), {"link": "steps"}).status_code == 403
    assert not Link.objects.exists()


def test_who_may_send_links_but_not_change_the_registration_cannot_have_a_secret_dropped(client, registration) -> None:
    user = make_operator(tenants=(registration.tenant,))
    user.groups.clear()
    codes = ["view_appregistration", "add_link", "view_link"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(user)
    assert client.post(address(registration), {"link": "secret"}).status_code == 302
    assert not Link.objects.exists()


@pytest.mark.parametrize("more", ["", "manifest/"])
def test_another_tenants_registration_is_not_there(client, registration, more) -> None:
    theirs = make_registration(make_tenant())
    assert client.get(address(theirs, more)).status_code == 302
    assert client.post(address(theirs), {"link": "steps"}).status_code == 302
    assert not Link.objects.exists()


def test_an_archived_one_can_be_read_and_not_sent(client, registration) -> None:
    AppRegistration.objects.filter(pk=registration.pk).update(archived_at=timezone.now() - timedelta(days=1))
    assert client.get(address(registration)).status_code == 200
    assert client.post(address(registration), {"link": "steps"}).status_code == 403


def test_a_new_registration_is_led_to_its_setup_page(client, registration) -> None:
    change = f"/admin/tenants/appregistration/{registration.pk}/change/"
    assert address(registration) in client.get(change).content.decode()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (None, "Nothing was entered yet."),
        ({"outcome": ""}, "it is being tried"),
        ({"outcome": "ok", "steps": [{"key": "sign_in", "state": "ok"}]}, "and Microsoft takes it"),
        (
            {"outcome": "failed", "steps": [{"key": "sign_in", "state": "failed"}]},
            "can enter it again by the same link",
        ),
        ({"outcome": "unanswered"}, "Press “Verify”"),
    ],
)
def test_a_links_page_says_what_came_of_a_secret_drop(client, registration, made, words) -> None:
    client.post(address(registration), {"link": "secret"})
    link = Link.objects.get()
    if made is not None:
        ended = timezone.now() if made["outcome"] else None
        Verification.objects.create(registration=registration, link=link, finished_at=ended, **made)
    page = text_of(client.get(f"/admin/oauth/link/{link.pk}/change/"))
    assert words in page
    assert "Funnel" not in page
    assert "expected account" not in page.lower()


def test_a_link_to_set_up_is_no_step_of_the_funnel(client, registration) -> None:
    client.post(address(registration), {"link": "steps"})
    Link.objects.update(opens=3)
    panels = client.get(f"/admin/tenants/appregistration/{registration.pk}/change/").context["page"].panels
    (funnel,) = [panel for panel in panels if panel.title.startswith("Funnel")]
    assert funnel.rows[0][1] == "0"
