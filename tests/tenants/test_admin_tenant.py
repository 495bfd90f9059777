"""A tenant's page: who may add one, what suspending and archiving do, who gets access."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from monitoring.models import Finding, Sweep
from oauth.models import Link
from staff.models import User
from tenants.models import AppRegistration, Event, Tenant, TenantAccess
from tests.factories import (
    make_connection,
    make_credential,
    make_link,
    make_operator,
    make_registration,
    make_superuser,
    make_tenant,
)
from tests.world import make_finding

pytestmark = pytest.mark.django_db

ADD = reverse("admin:tenants_tenant_add")
LIST = reverse("admin:tenants_tenant_changelist")
NO_ACCESSES = {"accesses-TOTAL_FORMS": 0, "accesses-INITIAL_FORMS": 0}


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


def page_of(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_change", args=[tenant.pk])


def press(client: Any, tenant: Tenant, action: str, **data: str) -> Any:
    return client.post(reverse("admin:tenants_tenant_act", args=[tenant.pk, action]), data, follow=True)


def test_who_adds_a_tenant_sees_it(client, tenant) -> None:
    response = client.post(ADD, {"name": "Fabrikam", "slug": "fabrikam"}, follow=True)
    added = Tenant.objects.get(name="Fabrikam")
    assert response.redirect_chain[-1][0] == page_of(added)
    assert "Next: add its app registration." in response.content.decode()
    assert Event.objects.get(verb="added").tenant == added


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"name": "Contoso", "slug": "other"}, "name", "This name is already in use."),
        ({"name": "Other", "slug": "contoso"}, "slug", "This short name is already in use."),
        ({"name": "Other", "slug": "two words"}, "slug", "valid “slug”"),
        ({"name": "", "slug": "x"}, "name", "This field is required."),
        ({"name": "O", "slug": "o", "contact_emails": "x"}, "contact_emails", "“x” is not an email address."),
        ({"name": "O", "slug": "o", "warn_days": "30, soon"}, "warn_days", "“soon” is not a whole number from 1 to"),
        ({"name": "O", "slug": "o", "warn_days": "366"}, "warn_days", "“366” is not a whole number from 1 to 365."),
        ({"name": "O", "slug": "o", "warn_days": "0"}, "warn_days", "“0” is not a whole number from 1 to 365."),
    ],
)
def test_each_field_says_what_is_wrong_with_it(client, data, field, words) -> None:
    make_tenant("contoso", slug="contoso")
    client.force_login(make_superuser())
    found = client.post(ADD, {**NO_ACCESSES, **data}).context["adminform"].form.errors
    assert words in found[field][0]


def test_the_days_of_warning_are_kept_in_order_and_empty_means_as_usual(client, tenant) -> None:
    def save(days: str) -> Any:
        data = {**NO_ACCESSES, "name": "Contoso", "slug": tenant.slug, "warn_days": days}
        assert client.post(page_of(tenant), data).status_code == 302
        tenant.refresh_from_db()
        return tenant.warn_days

    assert save("7, 90,30,7") == [90, 30, 7]
    assert 'value="90, 30, 7"' in client.get(page_of(tenant)).content.decode()
    before = Event.objects.count()
    assert save("90, 30, 7") == [90, 30, 7]
    assert Event.objects.count() == before
    assert save("") is None


def test_a_suspended_tenant_resumes_as_it_was(client, tenant) -> None:
    link, token = make_link(make_registration(tenant))
    asked = press(client, tenant, "suspend").content.decode()
    assert "Consent links pause" in asked
    assert Tenant.objects.get().suspended_at is None
    assert "Contoso: suspended." in press(client, tenant, "suspend", confirmed="yes").content.decode()
    assert Link.objects.for_token(token) is None
    page = client.get(page_of(tenant)).content.decode()
    assert ">Resume<" in page
    assert ">Suspend<" not in page
    assert ">Check now<" not in page
    press(client, tenant, "resume", confirmed="yes")
    assert Link.objects.for_token(token) == link
    assert list(Event.objects.values_list("verb", flat=True)) == ["resumed", "suspended"]


def test_archiving_keeps_what_is_to_be_read_and_shreds_what_opens_anything(client, tenant) -> None:
    shared = make_registration(shared=True)
    registration = make_registration(tenant)
    make_credential(registration)
    make_credential(shared)
    connections = [make_connection(registration), make_connection(shared, tenant=tenant)]
    stays = make_connection(shared)
    _, token = make_link(shared, tenant=tenant)
    make_finding(tenant=tenant, connection=connections[1])
    press(client, tenant, "archive", confirmed="yes")
    for connection in connections:
        connection.refresh_from_db()
        assert (connection.refresh_token, connection.disconnected_at is None) == (None, False)
    stays.refresh_from_db()
    assert stays.refresh_token is not None
    assert registration.credentials.get().value is None
    assert shared.credentials.get().value is not None
    assert AppRegistration.objects.filter(archived_at=None).get() == shared
    assert Link.objects.for_token(token) is None
    assert not Finding.objects.open().exists()
    assert "archived" in client.get(LIST, {"status": "archived"}).content.decode()
    assert client.post(page_of(tenant), {"name": "x", "slug": "x"}).status_code == 403


def test_an_action_for_many_asks_once_and_records_each(client) -> None:
    tenants = [make_tenant(), make_tenant()]
    client.force_login(make_superuser())
    chosen = {"action": "suspend", "_selected_action": [tenant.pk for tenant in tenants]}
    asked = client.post(LIST, chosen).content.decode()
    assert all(str(tenant) in asked for tenant in tenants)
    assert all(f'name="_selected_action" value="{tenant.pk}"' in asked for tenant in tenants)
    client.post(LIST, {**chosen, "confirmed": "yes"})
    assert Tenant.objects.filter(suspended_at=None).count() == 0
    assert Event.objects.filter(verb="suspended").count() == 2


def test_the_page_shows_what_belongs_to_the_tenant(client, tenant) -> None:
    registration = make_registration(tenant, name="Contoso Mail")
    make_credential(registration, days_left=11.5)
    make_connection(registration, address="anna@contoso.example")
    make_finding(tenant=tenant, registration=registration, what="The client secret is wrong.")
    page = client.get(page_of(tenant)).content.decode()
    for words in ("Contoso Mail", "ends in 12 days", "anna@contoso.example", "1 active", "The client secret is wrong."):
        assert words in page
    assert f"{reverse('admin:tenants_appregistration_add')}?tenant={tenant.pk}" in page


def test_empty_parts_say_what_comes_next(client, tenant) -> None:
    page = client.get(page_of(tenant)).content.decode()
    for words in ("Add the one that was made in Entra", "Send a consent link", "Not checked yet."):
        assert words in page


def test_check_now_is_a_row_first(client, tenant, django_capture_on_commit_callbacks) -> None:
    make_registration(tenant)
    with django_capture_on_commit_callbacks() as bells:
        response = press(client, tenant, "check_now")
    sweep = Sweep.objects.get()
    assert (sweep.scope, sweep.started_by, len(bells)) == (f"tenant:{tenant.pk}", response.context["user"], 1)
    assert response.redirect_chain[-1][0] == reverse("admin:monitoring_sweep_change", args=[sweep.pk])
    assert response.headers["Refresh"] == "2"


def test_a_suspended_tenant_is_not_checked(client, tenant) -> None:
    Tenant.objects.update(suspended_at=timezone.now())
    assert "is not checked" in press(client, tenant, "check_now").content.decode()
    assert not Sweep.objects.exists()


def test_access_is_given_and_taken_by_superusers_and_both_are_history(client, tenant) -> None:
    colleague = make_operator()
    fields = {"name": tenant.name, "slug": tenant.slug}
    given = {"accesses-TOTAL_FORMS": 1, "accesses-INITIAL_FORMS": 0, "accesses-0-tenant": tenant.pk}
    client.post(page_of(tenant), {**fields, **given, "accesses-0-user": colleague.pk})
    assert not TenantAccess.objects.filter(user=colleague).exists()
    client.force_login(make_superuser())
    client.post(page_of(tenant), {**fields, **own_accesses(tenant), **more(tenant, colleague)})
    access = TenantAccess.objects.get(user=colleague)
    assert Event.objects.get(verb="changed").changes["tenant accesses"] == [[], [str(access)]]
    client.post(reverse("admin:tenants_tenantaccess_delete", args=[access.pk]), {"post": "yes"})
    assert not TenantAccess.objects.filter(user=colleague).exists()
    assert Event.objects.get(verb="removed").subject_name == str(access)


def own_accesses(tenant: Tenant) -> dict[str, Any]:
    access = tenant.accesses.get()
    row = {"id": access.pk, "tenant": tenant.pk, "user": access.user_id, "group": ""}
    return {f"accesses-0-{name}": value for name, value in row.items()}


def more(tenant: Tenant, user: User) -> dict[str, Any]:
    row = {"tenant": tenant.pk, "user": user.pk, "group": ""}
    counts = {"accesses-TOTAL_FORMS": 2, "accesses-INITIAL_FORMS": 1}
    return {**counts, **{f"accesses-1-{name}": value for name, value in row.items()}}


def test_the_same_access_twice_at_once_is_refused_in_words(client, tenant) -> None:
    client.force_login(make_superuser())
    colleague = make_operator()
    row = {"tenant": tenant.pk, "user": colleague.pk, "group": ""}
    twice = {f"accesses-{number}-{name}": value for number in (1, 2) for name, value in row.items()}
    counts = {"accesses-TOTAL_FORMS": 3, "accesses-INITIAL_FORMS": 1}
    fields = {"name": "New name", "slug": tenant.slug, **own_accesses(tenant), **counts, **twice}
    assert "This clashes with" in client.post(page_of(tenant), fields, follow=True).content.decode()
    assert Tenant.objects.get().name == "Contoso"


def test_more_than_a_hundred_at_once_are_refused(client) -> None:
    for number in range(101):
        make_tenant(f"Customer {number}")
    client.force_login(make_superuser())
    for action in ("suspend", "check_now"):
        chosen = {"action": action, "_selected_action": "1", "select_across": 1, "confirmed": "yes"}
        assert "at most 100 at a time" in client.post(LIST, chosen, follow=True).content.decode()
    assert not Tenant.objects.exclude(suspended_at=None).exists()
    assert not Sweep.objects.exists()


def test_access_names_a_user_or_a_group(client, tenant) -> None:
    client.force_login(make_superuser())
    page = client.post(reverse("admin:tenants_tenantaccess_add"), {"tenant": tenant.pk}).content.decode()
    assert "Choose a user or a group, one of the two." in page


def test_a_suspended_tenants_page_says_so(client, tenant) -> None:
    Tenant.objects.update(suspended_at=timezone.now())
    page = client.get(page_of(tenant)).content.decode()
    assert ">suspended<" in page
    assert "Nothing is checked while it is suspended." in page
    assert "Nothing is wrong." not in page


@pytest.mark.parametrize(
    ("severities", "colour"), [(["warning"], "warning"), (["warning", "critical"], "bad"), (["critical"], "bad")]
)
@pytest.mark.parametrize("listed", ["tenants_tenant", "tenants_appregistration", "oauth_connection"])
def test_open_findings_are_red_only_where_one_is_critical(client, tenant, listed, severities, colour) -> None:
    connection = make_connection(make_registration(tenant))
    for kind, severity in enumerate(severities):
        make_finding(tenant=tenant, connection=connection, kind=f"kind_{kind}", severity=severity)
    page = client.get(reverse(f"admin:{listed}_changelist")).content.decode()
    assert f'<span class="badge badge-{colour}">{len(severities)} open</span>' in page
