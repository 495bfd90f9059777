"""The page "Export": what it asks, what it shows, what it hands out, and to whom."""

import io
import json
import logging
import zipfile
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from staff.models import User
from tenants import dotenv
from tenants.admin.base import MOST_AT_ONCE
from tenants.exports import DIALECTS, LEFT_OUT
from tenants.models import AppRegistration, Credential, Event, Tenant
from tests.canary import find
from tests.factories import make_operator, make_registration, make_secret, make_tenant
from tests.tenants.exporting import REASON, URI, fresh, make_exportable
from tests.tenants.symfony_dotenv import load

pytestmark = pytest.mark.django_db

LIST = reverse("admin:tenants_appregistration_changelist")
PAGE = reverse("admin:tenants_appregistration_export")


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant("Contoso")


@pytest.fixture
def operator(client: Client, tenant: Tenant) -> User:
    operator = make_operator(tenants=(tenant,))
    client.force_login(operator)
    return operator


def page_for(*apps: AppRegistration) -> str:
    return f"{PAGE}?of={'.'.join(str(app.pk) for app in apps)}"


def show(client: Client, *apps: AppRegistration, **fields: Any) -> str:
    response = client.post(page_for(*apps), {"dialect": "cypht", "show": "Show", **fields})
    assert response.status_code == 200
    return response.content.decode()


def download(client: Client, *apps: AppRegistration, **fields: Any) -> Any:
    return client.post(page_for(*apps), {"dialect": "cypht", "download": "Download", **fields})


def taken(client: Client, *apps: AppRegistration, **fields: Any) -> Any:
    return download(client, *apps, **{"with_secrets": "on", "reason": REASON, **fields})


def shown_files(page: str) -> list[str]:
    return [unescape(part.partition(">")[2].partition("</pre>")[0]) for part in page.split("<pre ")[1:]]


def unpacked(response: Any) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o600}
        return {name: archive.read(name).decode() for name in archive.namelist()}


def permit_only(operator: User, *codenames: str) -> None:
    operator.groups.clear()
    operator.user_permissions.set(Permission.objects.filter(codename__in=codenames))


# The way there


def test_the_button_leads_to_the_page(client, operator, tenant) -> None:
    app = make_exportable(tenant)
    page = reverse("admin:tenants_appregistration_change", args=[app.pk])
    assert ">Export</button>" in client.get(page).content.decode()
    response = client.post(reverse("admin:tenants_appregistration_act", args=[app.pk, "export"]))
    assert (response.status_code, response["Location"]) == (302, page_for(app))


def test_rows_of_the_list_lead_to_the_page(client, operator, tenant) -> None:
    apps = [make_exportable(tenant, name=name) for name in ("A", "B")]
    response = client.post(LIST, {"action": "export", ACTION_CHECKBOX_NAME: [app.pk for app in apps]})
    assert set(response["Location"].partition("=")[2].split(".")) == {str(app.pk) for app in apps}
    assert client.get(response["Location"]).content.decode().count("(Contoso)") == 2


def test_too_many_are_refused_on_both_ways(client, operator, tenant) -> None:
    apps = [make_registration(tenant) for _ in range(MOST_AT_ONCE + 1)]
    chosen = {"action": "export", ACTION_CHECKBOX_NAME: [app.pk for app in apps]}
    assert f"at most {MOST_AT_ONCE} at a time" in client.post(LIST, chosen, follow=True).content.decode()
    assert client.get(page_for(*apps)).status_code == 302
    assert client.get(page_for(*apps[1:])).status_code == 200


@pytest.mark.parametrize("of", ["", "x", "1.x", "99999999999999999999", "0", "-1", "."])
def test_nothing_chosen_leads_back_to_the_list(client, operator, of) -> None:
    for method in (client.get, client.post):
        response = method(f"{PAGE}?of={of}")
        assert (response.status_code, response["Location"]) == (302, LIST)


def test_the_page_names_every_dialect_with_what_it_is_for(client, operator, tenant) -> None:
    page = client.get(page_for(make_exportable(tenant))).content.decode()
    for dialect in DIALECTS.values():
        assert f"<strong>{dialect.label}</strong> {dialect.purpose}" in page


def test_a_hundred_cost_as_many_queries_as_one(client, operator, tenant, django_assert_max_num_queries) -> None:
    apps = [make_exportable(tenant, name=f"App {number}") for number in range(20)]
    for rows in (apps[:1], apps):
        with django_assert_max_num_queries(16):
            assert len(shown_files(show(client, *rows))) == len(rows)


# What is shown


@pytest.mark.parametrize("key", DIALECTS)
def test_the_page_shows_the_file_and_what_to_know(client, operator, tenant, key) -> None:
    secret = make_secret()
    app = make_exportable(tenant, secret=secret)
    page = show(client, app, dialect=key)
    [text] = shown_files(page)
    assert app.name in text
    assert 'data-copy="file-1-1"' in page
    assert 'id="file-1-1"' in page
    if DIALECTS[key].takes_secret:
        assert "The client secret ends on" in page.partition("<pre ")[0]
    assert find({"secret": secret}, [("page", page.encode())]) == []


def test_with_secrets_the_page_shows_them_no_less_left_out(client, operator, tenant) -> None:
    secret = make_secret()
    page = show(client, make_exportable(tenant, secret=secret), with_secrets="on", reason=REASON)
    assert load(shown_files(page)[0])["OFFICE365_CLIENT_SECRET"] == LEFT_OUT
    assert "Shown without the client secret; it is in the download." in page
    assert find({"secret": secret}, [("page", page.encode())]) == []
    assert not Event.objects.exists()


def test_what_cannot_be_exported_is_named_beside_what_can(client, operator, tenant) -> None:
    good, waiting = make_exportable(tenant), make_registration(tenant, name="Waiting", client_id="")
    page = show(client, good, waiting)
    assert len(shown_files(page)) == 1
    assert "It has no application (client) ID yet. Register it in Entra" in page


def test_one_of_several_redirect_uris_is_asked_for(client, operator, tenant) -> None:
    other = "https://b.example.com/"
    app = make_exportable(tenant, uris=(URI, other))
    field = f"redirect_uri_{app.pk}"
    assert f'name="{field}"' in client.get(page_for(app)).content.decode()
    assert "Choose the redirect URI of the product" in show(client, app)
    assert load(shown_files(show(client, app, **{field: other}))[0])["OFFICE365_CLIENT_URI"] == other
    assert "Select a valid choice" in show(client, app, **{field: "https://evil.example/"})
    assert len(shown_files(show(client, app, dialect="json"))) == 1


@pytest.mark.parametrize("key", ["", "bogus", "CYPHT"])
def test_a_dialect_that_there_is_not_is_refused(client, operator, tenant, key) -> None:
    page = show(client, make_exportable(tenant), dialect=key)
    assert "Choose " in page.partition('class="errorlist"')[2]
    assert shown_files(page) == []


def test_names_are_shown_as_text(client, operator) -> None:
    tenant = make_tenant("<script>alert(1)</script>")
    app = make_exportable(tenant, name="<b>bold</b>")
    operator.is_superuser = True
    operator.save()
    page = show(client, app)
    assert "<script>alert" not in page
    assert "<b>bold" not in page


# What is handed out


def test_a_download_without_secrets(client, operator, tenant) -> None:
    app = make_exportable(tenant)
    response = download(client, app)
    assert load(response.content.decode())["OFFICE365_CLIENT_SECRET"] == LEFT_OUT
    assert not Event.objects.exists()


@pytest.mark.parametrize("key", [key for key, dialect in DIALECTS.items() if dialect.takes_secret])
def test_a_download_with_secrets_is_kept_nowhere(client, operator, tenant, key) -> None:
    secret = make_secret()
    app = make_exportable(tenant, secret=secret)
    response = taken(client, app, dialect=key)
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    name = f"{tenant.slug}-contoso-mail-{app.pk}"
    assert response["Content-Disposition"].startswith(f'attachment; filename="{name}.')
    [event] = Event.objects.all()
    assert (event.verb, event.actor, event.reason) == ("secret exported", operator, REASON)
    assert event.address == "127.0.0.1"


def test_many_are_an_archive(client, operator, tenant) -> None:
    secrets = [make_secret(), make_secret()]
    apps = [make_exportable(tenant, name=f"App {n}", secret=secret) for n, secret in enumerate(secrets)]
    response = taken(client, *apps)
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"] == 'attachment; filename="tenantry-cypht.zip"'
    assert "no-store" in response["Cache-Control"]
    read = [load(text)["OFFICE365_CLIENT_SECRET"] for text in unpacked(response).values()]
    assert sorted(read) == sorted(secrets)
    assert Event.objects.count() == 2


def test_many_are_one_json_document(client, operator, tenant) -> None:
    apps = [make_exportable(tenant, name=name) for name in ("A", "B")]
    response = taken(client, *apps, dialect="json")
    assert len(json.loads(response.content)["registrations"]) == 2
    assert response["Content-Disposition"] == 'attachment; filename="registrations.json"'


def test_an_archive_names_what_is_not_in_it(client, operator, tenant) -> None:
    good, bare = make_exportable(tenant), make_registration(tenant, name="Bare")
    files = unpacked(taken(client, good, bare, dialect="json"))
    assert "Bare (Contoso): No client secret is stored." in files.pop("not-exported.txt")
    assert len(files) == 1
    assert [event.subject_id for event in Event.objects.all()] == [str(good.pk)]


def test_where_nothing_can_be_exported_the_page_says_why(client, operator, tenant) -> None:
    bare = make_registration(tenant)
    response = taken(client, bare, dialect="json")
    assert response["Content-Type"].startswith("text/html")
    assert "No client secret is stored. Paste one on the registration" in response.content.decode()


def test_an_unreadable_secret_is_told_on_the_page(client, operator, tenant, restart_with) -> None:
    app = make_exportable(tenant)
    restart_with(Fernet.generate_key().decode())
    page = taken(client, app).content.decode()
    assert "The stored client secret cannot be read." in page
    assert "Put that key back and restart" in page
    assert not Event.objects.exists()


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_reason_is_asked_for(client, operator, tenant, reason) -> None:
    secret = make_secret()
    page = taken(client, make_exportable(tenant, secret=secret), reason=reason).content.decode()
    assert "Say why the client secrets are needed" in page
    assert find({"secret": secret}, [("page", page.encode())]) == []
    assert not Event.objects.exists()


def test_history_shows_who_took_it_and_why(client, operator, tenant) -> None:
    app = make_exportable(tenant)
    taken(client, app)
    page = client.get(reverse("admin:tenants_appregistration_history", args=[app.pk])).content.decode()
    assert f"Secret exported: {REASON}" in page
    assert "exported as: nothing → Cypht .env" in page
    assert operator.username in page


def test_nothing_of_it_is_left_anywhere(client, operator, tenant, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    secret = make_secret()
    app = make_exportable(tenant, secret=secret)
    assert secret in taken(client, app).content.decode()
    pages = [LIST, page_for(app), reverse("admin:tenants_appregistration_change", args=[app.pk])]
    pages += [reverse("admin:tenants_appregistration_history", args=[app.pk]), reverse("admin:index")]
    pages += [reverse("admin:tenants_event_change", args=[Event.objects.get().pk])]
    sinks = [(address, client.get(address).content) for address in pages]
    sinks.append(("page after it", show(client, app, with_secrets="on", reason=REASON).encode()))
    sinks.append(("log", caplog.text.encode()))
    sinks.append(("cookies", repr(client.cookies).encode() + repr(dict(client.session)).encode()))
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}"')
            sinks.append((f"table {table}", repr(cursor.fetchall()).encode()))
    assert find({"secret": secret}, sinks) == []


# To whom


def test_nobody_exports_another_tenants(client, operator, tenant) -> None:
    own = make_exportable(tenant, name="Own")
    foreign, shared = make_exportable(name="Foreign App"), make_exportable(shared=True, name="Shared App")
    for address in (page_for(foreign), page_for(shared), page_for(foreign, shared)):
        assert client.get(address)["Location"] == LIST
        response = client.post(address, {"dialect": "json", "download": "1", "with_secrets": "on", "reason": "x"})
        assert response["Location"] == LIST
    mixed = taken(client, own, foreign, shared, dialect="json").content.decode()
    assert own.client_id in mixed
    assert foreign.client_id not in mixed + show(client, own, foreign, shared, dialect="json")
    assert shared.client_id not in mixed
    assert [event.subject_id for event in Event.objects.all()] == [str(own.pk)]


def test_what_many_share_is_for_who_sees_the_platform(client, tenant) -> None:
    client.force_login(make_operator(tenants=(tenant,), platform=True))
    secret = make_secret()
    shared = make_exportable(shared=True, secret=secret)
    assert secret in taken(client, shared).content.decode()
    assert Event.objects.get().tenant is None


def test_what_is_archived_is_not_exported(client, operator, tenant) -> None:
    app = make_exportable(tenant)
    AppRegistration.objects.filter(pk=app.pk).update(archived_at=timezone.now())
    assert (
        ">Export</button>"
        not in client.get(reverse("admin:tenants_appregistration_change", args=[app.pk])).content.decode()
    )
    for page in (show(client, app), taken(client, app).content.decode()):
        assert "It is archived." in page
        assert app.client_id not in page
    assert not Event.objects.exists()


def test_what_is_suspended_can_be_exported(client, operator, tenant) -> None:
    app = make_exportable(tenant)
    Tenant.objects.update(suspended_at=timezone.now())
    page = reverse("admin:tenants_appregistration_change", args=[app.pk])
    assert ">Export</button>" in client.get(page).content.decode()
    assert len(shown_files(show(client, app))) == 1


def test_without_the_permission_secrets_are_not_offered_and_not_given(client, operator, tenant) -> None:
    permit_only(operator, "view_appregistration", "change_appregistration")
    secret = make_secret()
    app = make_exportable(tenant, secret=secret)
    page = client.get(page_for(app)).content.decode()
    assert 'name="with_secrets"' not in page
    assert "you need the permission <em>Can export client secrets</em>" in page
    assert load(download(client, app).content.decode())["OFFICE365_CLIENT_SECRET"] == LEFT_OUT
    assert taken(client, app).status_code == 403
    assert not Event.objects.exists()


def test_who_may_see_and_take_needs_to_change_nothing(client, operator, tenant) -> None:
    permit_only(operator, "view_appregistration", "export_secrets")
    secret = make_secret()
    assert secret in taken(client, make_exportable(tenant, secret=secret)).content.decode()


@pytest.mark.parametrize("codenames", [(), ("view_appregistration",), ("export_secrets",), ("change_credential",)])
def test_the_page_is_closed_to_others(client, operator, tenant, codenames) -> None:
    permit_only(operator, *codenames)
    app = make_exportable(tenant)
    for response in (client.get(page_for(app)), download(client, app), taken(client, app)):
        assert response.status_code == 403


def test_the_page_is_closed_to_who_is_not_signed_in(client, tenant) -> None:
    app = make_exportable(tenant)
    for response in (client.get(page_for(app)), taken(client, app)):
        assert response["Location"].startswith("/admin/login/")


def test_the_permission_is_one_of_credentials() -> None:
    permission = Permission.objects.get(codename="export_secrets")
    assert (permission.name, permission.content_type.model_class()) == ("Can export client secrets", Credential)


def test_a_dialect_without_secrets_gives_none(client, operator, tenant, monkeypatch) -> None:
    monkeypatch.setitem(DIALECTS, "json", replace(DIALECTS["json"], takes_secret=False))
    secret = make_secret()
    page = taken(client, make_exportable(tenant, secret=secret), dialect="json").content.decode()
    assert "“JSON” holds no client secret: leave this unticked." in page
    assert not Event.objects.exists()


def test_another_registrations_choice_is_not_taken(client, operator, tenant) -> None:
    first = make_exportable(tenant, name="A", uris=(URI, "https://b.example.com/"))
    second = make_exportable(tenant, name="B")
    fields = {f"redirect_uri_{first.pk}": URI, f"redirect_uri_{second.pk}": "https://b.example.com/"}
    files = [dotenv.read(text) for text in shown_files(show(client, first, second, **fields))]
    assert [file["OFFICE365_CLIENT_URI"] for file in files] == [URI, URI]
    assert fresh(second).product_uris == [URI]
