"""The registration form: what it refuses and in which words, what it stores, and that a secret goes in only."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tenants.models import AppRegistration, Credential, Event, Tenant
from tests.canary import find
from tests.factories import (
    make_connection,
    make_credential,
    make_operator,
    make_registration,
    make_secret,
    make_superuser,
    make_tenant,
)
from tests.world import make_finding

pytestmark = pytest.mark.django_db

ADD = reverse("admin:tenants_appregistration_add")
NEXT_YEAR = (date.today() + timedelta(days=300)).isoformat()


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


def page_of(registration: AppRegistration) -> str:
    return reverse("admin:tenants_appregistration_change", args=[registration.pk])


def filled(tenant: Tenant | None = None, /, **fields: Any) -> dict[str, Any]:
    return {
        "tenant": tenant.pk if tenant else "",
        "name": "Contoso Mail",
        "cloud": "global",
        "audience": "AzureADMyOrg",
        "directory": "contoso.example",
        "client_id": str(uuid.uuid4()),
        "scopes": ["Mail.ReadOnly"],
        **fields,
    }


def as_stored(registration: AppRegistration, **fields: Any) -> dict[str, Any]:
    """The form as the page of a stored registration would send it back."""
    names = ["name", "cloud", "audience", "directory", "client_id"]
    return {**{name: getattr(registration, name) for name in names}, "scopes": registration.scope_names, **fields}


def revealed(credential: Credential) -> str:
    assert credential.value is not None
    return credential.value.reveal("test")


def errors(client: Any, address: str, data: dict[str, Any]) -> dict[str, list[str]]:
    response = client.post(address, data)
    assert response.status_code == 200, "it was taken"
    return response.context["adminform"].form.errors  # type: ignore[no-any-return]


def test_a_registration_is_added_with_secret_and_scopes(client, tenant) -> None:
    value = make_secret()
    data = filled(tenant, secret=value, secret_ends_on="2099-01-31", scopes=["Mail.ReadWrite", "Calendar.ReadOnly"])
    response = client.post(ADD, data, follow=True)
    registration = AppRegistration.objects.get(tenant=tenant)
    assert registration.scope_names == ["Mail.ReadWrite", "Calendar.ReadOnly"]
    credential = registration.credentials.current().get()
    assert revealed(credential) == value
    assert (credential.ends_at, credential.ends_at_typed) == (datetime(2099, 1, 31, tzinfo=UTC), True)
    assert response.redirect_chain[-1][0] == page_of(registration)
    assert "create a consent link" in response.content.decode()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"client_id": "my app"}, "client_id", "This is not a GUID"),
        (
            {"client_id": "", "secret": "not-a-real-secret", "secret_ends_on": "2099-01-01"},
            "client_id",
            "Paste the Application (client) ID",
        ),
        ({"name": ""}, "name", "Give it the name it has in Entra"),
        ({"directory": ""}, "directory", "enter its Directory (tenant) ID or a domain"),
        ({"directory": "no directory"}, "directory", "neither a GUID nor a domain"),
        ({"cloud": "mars"}, "cloud", "Select a valid choice"),
        ({"cloud": "china", "audience": "PersonalMicrosoftAccount"}, "audience", "no personal Microsoft accounts"),
        ({"scopes": ["Mail.ReadOnly", "SMTP.Send"]}, "scopes", "AADSTS70011"),
        ({"scopes": ["Files.Read"]}, "scopes", "“Files.Read” is not a scope of the catalogue"),
        ({"alert_emails": "ops@example.com, nobody"}, "alert_emails", "“nobody” is not an email address"),
        (
            {"secret": str(uuid.uuid4()), "secret_ends_on": NEXT_YEAR},
            "secret",
            "This is the Secret ID; paste the Value",
        ),
        ({"secret": "two words here", "secret_ends_on": NEXT_YEAR}, "secret", "no spaces"),
        ({"secret": "not-a-real-secret"}, "secret_ends_on", "Enter the day this secret ends"),
        ({"secret": "not-a-real-secret", "secret_ends_on": "2020-01-01"}, "secret_ends_on", "has ended already"),
        ({"secret": "not-a-real-secret", "secret_ends_on": "soon"}, "secret_ends_on", "This is not a day"),
        ({"secret_ends_on": NEXT_YEAR}, "secret", "Paste the Value of the secret that ends on this day"),
        ({"tenant": ""}, "tenant", "Choose the tenant this registration belongs to"),
    ],
)
def test_each_field_says_what_is_wrong_with_it(client, tenant, fields, field, words) -> None:
    found = errors(client, ADD, filled(tenant, **fields))
    assert words in " ".join(found[field])
    assert not AppRegistration.objects.exists()


def test_a_day_that_begins_now_has_ended(client, tenant) -> None:
    found = errors(client, ADD, filled(tenant, secret=make_secret(), secret_ends_on=timezone.now().date().isoformat()))
    assert "has ended already" in found["secret_ends_on"][0]


def test_a_client_id_in_use_is_said_at_its_field_and_names_nobody(client, tenant) -> None:
    other = make_registration(name="Fabrikam's app")
    response = client.post(ADD, filled(tenant, client_id=other.client_id.upper()))
    found = response.context["adminform"].form.errors
    assert found["client_id"] == ["This application (client) ID is already in use in this cloud."]
    assert "Fabrikam" not in response.content.decode()


def test_a_name_in_use_is_said_at_its_field_also_where_the_tenant_is_fixed(client, tenant) -> None:
    make_registration(tenant, name="Taken")
    mine = make_registration(tenant, name="Mine")
    assert errors(client, page_of(mine), as_stored(mine, name="Taken"))["name"] == [
        "This tenant already has a registration of this name."
    ]


def test_a_scope_for_imap_needs_a_cloud_that_has_it(client, tenant, settings) -> None:
    settings.EXTRA_CLOUDS = [{"key": "fr", "name": "France", "login_host": "login.example", "graph_host": "g.example"}]
    found = errors(client, ADD, filled(tenant, cloud="fr", scopes=["SMTP.Send"]))
    assert "France has no host for IMAP" in found["scopes"][0]


def test_a_cloud_that_is_gone_is_said_above_the_form_where_it_is_fixed(client, tenant) -> None:
    registration = make_registration(tenant, cloud="gone")
    make_connection(registration)
    found = errors(client, page_of(registration), as_stored(registration))
    assert found["__all__"] == ["This cloud is not configured here."]
    assert "gone (not configured)" in client.get(page_of(registration)).content.decode()


def test_a_secret_is_never_shown_again(client, tenant) -> None:
    value = make_secret()
    client.post(ADD, filled(tenant, secret=value, secret_ends_on=NEXT_YEAR))
    registration = AppRegistration.objects.get()
    addresses = [page_of(registration), page_of(registration).replace("change", "history"), ADD.replace("add/", "")]
    addresses += [reverse("admin:tenants_event_changelist"), reverse("admin:index")]
    pages = [(address, client.get(address).content) for address in addresses]
    rejected = filled(tenant, name="", secret=value, secret_ends_on=NEXT_YEAR)
    pages.append(("a form with an error", client.post(ADD, rejected).content))
    pages.append(("history", str(list(Event.objects.values())).encode()))
    assert find({"secret": value}, pages) == []
    assert value[:3] + "… stored" in client.get(page_of(registration)).content.decode()


def test_a_rejected_form_says_that_the_secret_must_be_pasted_again(client, tenant) -> None:
    found = errors(client, ADD, filled(tenant, name="", secret=make_secret(), secret_ends_on=NEXT_YEAR))
    assert "Paste it once more" in found["secret"][0]


def test_an_empty_secret_keeps_what_is_stored(client, tenant) -> None:
    registration = make_registration(tenant)
    credential = make_credential(registration)
    assert client.post(page_of(registration), as_stored(registration, name="New name")).status_code == 302
    assert registration.credentials.get() == credential


def test_a_new_secret_replaces_the_stored_one_and_history_says_only_that(client, tenant) -> None:
    registration = make_registration(tenant)
    old = make_credential(registration)
    value = make_secret()
    client.post(page_of(registration), as_stored(registration, secret=value, secret_ends_on="2099-01-31"))
    assert revealed(registration.credentials.current().get()) == value
    assert registration.credentials.get(slot=Credential.Slot.PREVIOUS).pk == old.pk
    changes = Event.objects.get(verb="changed").changes
    assert changes["client secret (value)"] == "changed"
    assert changes["client secret ends on"] == [f"{old.ends_at:%Y-%m-%d}", "2099-01-31"]


def test_a_date_alone_corrects_when_the_stored_secret_ends(client, tenant) -> None:
    registration = make_registration(tenant)
    credential = make_credential(registration)
    client.post(page_of(registration), as_stored(registration, secret_ends_on="2099-01-31"))
    corrected = registration.credentials.get()
    assert (corrected.pk, corrected.ends_at) == (credential.pk, datetime(2099, 1, 31, tzinfo=UTC))


def test_longer_than_entra_allows_is_a_warning(client, tenant) -> None:
    data = filled(tenant, secret=make_secret(), secret_ends_on="2099-01-31")
    assert "at most 24 months" in client.post(ADD, data, follow=True).content.decode()
    data = filled(tenant, name="Other", secret=make_secret(), secret_ends_on=NEXT_YEAR)
    assert "look at the end date" not in client.post(ADD, data, follow=True).content.decode()


def test_history_keeps_old_and_new_who_and_from_where(client, tenant) -> None:
    registration = make_registration(tenant, name="Old name")
    data = as_stored(registration, name="New name", scopes=["Mail.Send"])
    client.post(page_of(registration), data, REMOTE_ADDR="192.0.2.7")
    event = Event.objects.get(verb="changed")
    assert event.changes == {"name": ["Old name", "New name"], "scopes": [["Mail.ReadOnly"], ["Mail.Send"]]}
    assert (str(event.actor), event.address, event.tenant) == (client_user(client), "192.0.2.7", tenant)
    page = client.get(page_of(registration).replace("change", "history")).content.decode()
    assert "Old name → New name" in page
    assert "192.0.2.7" in page


def client_user(client: Any) -> str:
    return client.get(reverse("admin:index")).context["user"].username  # type: ignore[no-any-return]


def test_saving_without_a_change_is_no_history(client, tenant) -> None:
    registration = make_registration(tenant)
    client.post(page_of(registration), as_stored(registration))
    assert not Event.objects.exists()


def test_scopes_can_be_unticked(client, tenant) -> None:
    registration = make_registration(tenant, scopes=("Mail.ReadOnly", "Mail.Send"))
    client.post(page_of(registration), as_stored(registration, scopes=["Mail.Send"]))
    assert AppRegistration.objects.get().scope_names == ["Mail.Send"]


def test_the_page_says_what_microsoft_will_be_asked_for(client, tenant) -> None:
    registration = make_registration(tenant, scopes=("Mail.ReadOnly", "Mail.ReadWrite"))
    page = client.get(page_of(registration)).content.decode()
    assert "Mail.Read, Mail.ReadWrite, MailboxSettings.Read, User.Read" in page
    assert "Mail.ReadOnly is contained in Mail.ReadWrite" in page
    assert "administrator needed" in page


def test_the_redirect_uri_stands_ready_to_copy(client, tenant) -> None:
    registration = make_registration(tenant)
    assert f">{registration.redirect_uri}</code>" in client.get(page_of(registration)).content.decode()
    adding = client.get(ADD).content.decode()
    assert "Shown here after saving" in adding
    assert "http://testserver/oauth/callback/china/" in adding


def test_what_people_consented_to_stays(client, tenant) -> None:
    registration = make_registration(tenant)
    make_connection(registration)
    other = str(uuid.uuid4())
    client.post(page_of(registration), as_stored(registration, client_id=other, cloud="china", name="New name"))
    stored = AppRegistration.objects.get()
    assert (stored.name, stored.client_id, stored.cloud) == ("New name", registration.client_id, "global")
    assert "people have consented" in client.get(page_of(registration)).content.decode()


def test_before_anybody_consented_the_client_id_can_be_corrected(client, tenant) -> None:
    registration = make_registration(tenant)
    other = str(uuid.uuid4())
    client.post(page_of(registration), as_stored(registration, client_id=other))
    assert AppRegistration.objects.get().client_id == other


def test_a_registration_never_moves_to_another_tenant(client) -> None:
    registration, other = make_registration(), make_tenant()
    client.force_login(make_superuser())
    client.post(page_of(registration), as_stored(registration, tenant=other.pk, name="New name"))
    stored = AppRegistration.objects.get()
    assert (stored.name, stored.tenant) == ("New name", registration.tenant)


def test_only_who_sees_the_platform_adds_a_shared_one(client) -> None:
    client.force_login(make_operator(platform=True))
    client.post(ADD, filled(None, audience="AzureADMultipleOrgs", directory=""))
    assert AppRegistration.objects.get().tenant is None


def test_an_archived_tenant_gets_no_registration(client, tenant) -> None:
    Tenant.objects.update(archived_at=timezone.now())
    assert "Select a valid choice" in errors(client, ADD, filled(tenant))["tenant"][0]


def test_the_list_sorts_by_the_secret_s_end_and_says_it_in_words(client, tenant) -> None:
    for name, days in (("late", 199.5), ("ended", -2), ("soon", 11.5)):
        make_credential(make_registration(tenant, name=name), days_left=days)
    make_registration(tenant, name="without")
    response = client.get(reverse("admin:tenants_appregistration_changelist"), {"o": "2"})
    assert [row.name for row in response.context["cl"].result_list] == ["ended", "soon", "late", "without"]
    page = response.content.decode()
    for words in ("ended 2", "ends in 12 days", "ends in 200 days", ">none<"):
        assert words in page.replace("\xa0", " ")


def test_archiving_asks_first_and_then_shreds(client, tenant) -> None:
    registration = make_registration(tenant)
    make_credential(registration)
    connection = make_connection(registration)
    button = reverse("admin:tenants_appregistration_act", args=[registration.pk, "archive"])
    asked = client.post(button)
    assert "shredded" in asked.content.decode()
    assert AppRegistration.objects.get().archived_at is None
    client.post(button, {"confirmed": "yes"})
    registration.refresh_from_db()
    connection.refresh_from_db()
    assert registration.archived_at
    assert connection.disconnected_at
    assert connection.refresh_token is None
    assert registration.credentials.get().value is None
    assert Event.objects.get(subject_type="tenants.appregistration").verb == "archived"
    assert client.post(page_of(registration), as_stored(registration, name="x")).status_code == 403


def test_a_button_takes_only_a_post(client, tenant) -> None:
    registration = make_registration(tenant)
    button = reverse("admin:tenants_appregistration_act", args=[registration.pk, "archive"])
    assert client.get(button).status_code == 405


def test_spaces_and_braces_copied_along_with_an_id_are_taken_off(client, tenant) -> None:
    client_id, directory = str(uuid.uuid4()), str(uuid.uuid4())
    data = {**filled(tenant), "client_id": f"  {{{client_id.upper()}}} ", "directory": f" {{{directory}}}"}
    client.post(ADD, data)
    registration = AppRegistration.objects.get()
    assert (registration.client_id, registration.directory) == (client_id, directory)


def test_a_refused_secret_is_not_shown_by_its_date(client, tenant) -> None:
    credential = make_credential(make_registration(tenant))
    assert "ends in 200 days" in client.get(page_of(credential.registration)).content.decode()
    make_finding(tenant=tenant, credential=credential, inhibits=True)
    page = client.get(page_of(credential.registration)).content.decode()
    assert "refused by Microsoft" in page


def test_a_suspended_tenants_registration_offers_no_link(client, tenant) -> None:
    registration = make_registration(tenant)
    assert "Create consent link" in client.get(page_of(registration)).content.decode()
    Tenant.objects.update(suspended_at=timezone.now())
    assert "Create consent link" not in client.get(page_of(registration)).content.decode()


def test_scopes_are_taken_by_aurinkos_older_names_too(client) -> None:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    registration = make_registration(tenant, name="Contoso Mail")
    client.post(page_of(registration), as_stored(registration, scopes=["Mail.Read", "mail.drafts", "Mail.ReadOnly"]))
    assert AppRegistration.objects.get().scope_names == ["Mail.ReadOnly", "Mail.Draft"]
