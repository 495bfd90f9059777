"""The gate every admin goes through: own rows shown, others' hidden, a guessed address opens nothing."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.urls import reverse

from config.admin import TenantrySite
from oauth.models import Connection, Link
from staff.models import User
from tenants.admin.base import ReadOnlyAdmin, TenantScopedAdmin
from tenants.admin.scoping import MOST_CHOICES_IN_A_FILTER, visible_rows
from tenants.models import AppRegistration, Credential, Tenant, TenantAccess
from tests.factories import make_connection, make_operator, make_registration, make_superuser, make_tenant
from tests.world import World, make_import, make_world

pytestmark = pytest.mark.django_db

FOR_SUPERUSERS = [User, Group, TenantAccess]
OWNED = sorted((m for m in admin.site._registry if m not in FOR_SUPERUSERS), key=lambda model: model._meta.label)
by_name = pytest.mark.parametrize("model", OWNED, ids=lambda model: model._meta.model_name)


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def operator(world: World, client: Any) -> User:
    user = make_operator(tenants=(world.tenant,))
    client.force_login(user)
    world.own += make_import(user, world.of(AppRegistration, world.own)[0])  # an import is seen by who uploaded it
    return user


def list_of(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Any) -> str:
    return f"{list_of(type(row))}{row.pk}/change/"


def rows_listed(client: Any, model: Any) -> set[Any]:
    return {row.pk for row in client.get(list_of(model)).context["cl"].result_list}


@by_name
def test_own_rows_are_listed(world, operator, client, model) -> None:
    assert {row.pk for row in world.of(model, world.own)} == rows_listed(client, model) != set()


@by_name
def test_rows_of_others_are_not_listed(world, operator, client, model) -> None:
    others = {row.pk for row in world.of(model, world.foreign + world.platform)}
    assert others
    assert not others & rows_listed(client, model)


@by_name
def test_a_guessed_address_of_anothers_row_opens_nothing(world, operator, client, model) -> None:
    for row in world.of(model, world.foreign + world.platform):
        for address in (page_of(row), page_of(row).replace("/change/", "/history/")):
            assert client.get(address).headers["Location"] == reverse("admin:index")


@by_name
def test_an_own_row_opens(world, operator, client, model) -> None:
    for row in world.of(model, world.own):
        assert client.get(page_of(row)).status_code == 200


@pytest.mark.parametrize("model", FOR_SUPERUSERS, ids=lambda model: model._meta.model_name)
def test_who_works_here_is_for_superusers(operator, client, model) -> None:
    assert client.get(list_of(model)).status_code == 403
    assert client.get(list_of(model) + "add/").status_code == 403
    client.force_login(make_superuser())
    assert client.get(list_of(model)).status_code == 200


@by_name
def test_nothing_can_be_deleted(world, client, model) -> None:
    user = make_superuser()
    client.force_login(user)
    row = world.of(model, [*world.own, *make_import(user)])[0]
    assert client.post(page_of(row).replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in client.get(list_of(model)).content.decode()


class Unscoped(TenantScopedAdmin):
    pass


def test_a_model_that_cannot_say_whose_rows_it_shows_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"LogEntry has no visible_to"):
        TenantrySite().register(LogEntry, Unscoped)
    with pytest.raises(ImproperlyConfigured, match=r"LogEntry has no visible_to"):
        visible_rows(LogEntry, make_superuser())


def test_an_admin_that_does_not_go_through_the_gate_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="TenantScopedAdmin"):
        TenantrySite().register(Tenant)
    with pytest.raises(ImproperlyConfigured, match="TenantScopedAdmin"):
        TenantrySite().register(Tenant, admin.ModelAdmin)


@pytest.mark.parametrize("option", ["list_display", "search_fields", "list_filter"])
def test_an_admin_that_shows_or_searches_a_sealed_column_is_refused(option) -> None:
    leaky = type("Leaky", (ReadOnlyAdmin,), {option: ["value"]})
    with pytest.raises(ImproperlyConfigured, match="value, which is secret"):
        leaky(Credential, admin.site)


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (Connection, "refresh_token__isnull"),
        (Connection, "attempts__flow__isnull"),
        (Link, "token_digest__startswith"),
        (AppRegistration, "credentials__value__isnull"),
        (User, "password__startswith"),
    ],
)
def test_nobody_filters_by_what_is_secret(client, model, lookup) -> None:
    client.force_login(make_superuser())
    assert client.get(list_of(model), {lookup: "a"}).status_code == 400


def test_a_filter_of_very_many_names_only_the_chosen_one(client) -> None:
    tenants = [make_tenant(f"Customer {number}") for number in range(MOST_CHOICES_IN_A_FILTER + 1)]
    make_registration(tenants[0])
    client.force_login(make_superuser())
    assert "Customer 1<" not in client.get(list_of(AppRegistration)).content.decode()
    chosen = client.get(list_of(AppRegistration), {"tenant__id__exact": tenants[7].pk}).content.decode()
    assert f"tenant__id__exact={tenants[7].pk}" in chosen
    assert "Customer 8" not in chosen


def test_archived_rows_are_not_offered(client) -> None:
    make_tenant("Gone Company", archived_at="2026-01-01T00:00Z")
    client.force_login(make_superuser())
    query = {"app_label": "tenants", "model_name": "appregistration", "field_name": "tenant", "term": "Gone"}
    assert client.get(reverse("admin:autocomplete"), query).json()["results"] == []


def test_a_shared_registration_keeps_its_name_from_who_sees_one_tenant_only(client) -> None:
    tenant = make_tenant()
    connection = make_connection(make_registration(shared=True, name="Everybody's app"), tenant=tenant)
    client.force_login(make_operator(tenants=(tenant,)))
    page = client.get(page_of(connection)).content.decode()
    assert "a shared registration" in page
    assert "Everybody" not in page
    client.force_login(make_operator(tenants=(tenant,), platform=True))
    assert "Everybody" in client.get(page_of(connection)).content.decode()


def test_django_s_own_log_is_not_shown(client) -> None:
    request = RequestFactory().get("/")
    request.user = make_superuser()
    LogEntry.objects.create(user=request.user, action_flag=1, object_repr="x")
    assert not admin.site.get_log_entries(request).exists()
