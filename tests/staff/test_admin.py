"""Colleagues: kept by superusers, each change in history, passwords never."""

import secrets

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from staff.models import User
from tenants.models import Event
from tests.canary import find
from tests.factories import make_operator, make_superuser, make_tenant

pytestmark = pytest.mark.django_db

ADD = reverse("admin:staff_user_add")


@pytest.fixture
def root(client) -> User:
    root = make_superuser()
    client.force_login(root)
    return root


def page_of(user: User) -> str:
    return reverse("admin:staff_user_change", args=[user.pk])


def test_a_colleague_is_added_and_their_password_is_nowhere(client, root) -> None:
    password = secrets.token_urlsafe(16)
    data = {"username": "olga", "usable_password": "true", "password1": password, "password2": password}
    response = client.post(ADD, data, follow=True)
    assert User.objects.get(username="olga").check_password(password)
    event = Event.objects.get(verb="added")
    assert event.changes["password"] == "changed"
    sinks = [("history", str(event.changes).encode()), ("page", response.content)]
    assert find({"password": password}, sinks) == []


def test_a_new_password_is_history_without_the_password(client, root) -> None:
    colleague, password = make_operator(), secrets.token_urlsafe(16)
    data = {"usable_password": "true", "password1": password, "password2": password}
    client.post(reverse("admin:auth_user_password_change", args=[colleague.pk]), data)
    colleague.refresh_from_db()
    assert colleague.check_password(password)
    event = Event.objects.get()
    assert (event.actor, event.subject_name, event.changes) == (root, colleague.username, {"password": "changed"})


def test_django_s_log_gets_nothing(client, root) -> None:
    client.post(ADD, {"username": "olga", "usable_password": "false"})
    assert User.objects.filter(username="olga").exists()
    assert not LogEntry.objects.exists()


def test_what_a_colleague_sees_stands_on_their_page(client, root) -> None:
    colleague = make_operator(tenants=(make_tenant("Contoso"),))
    assert ">Contoso</a>" in client.get(page_of(colleague)).content.decode()
    assert "None yet. Give access" in client.get(page_of(make_operator())).content.decode()
    assert "Tenants this user sees" not in client.get(page_of(root)).content.decode()


def test_a_colleague_cannot_be_deleted_and_can_be_switched_off(client, root) -> None:
    colleague = make_operator()
    assert client.post(reverse("admin:staff_user_delete", args=[colleague.pk]), {"post": "yes"}).status_code == 403
    fields = {"username": colleague.username, "date_joined_0": "2026-01-01", "date_joined_1": "10:00"}
    client.post(page_of(colleague), fields)
    colleague.refresh_from_db()
    assert not colleague.is_active
    assert Event.objects.get().changes["active"] == [True, False]


def test_an_operator_makes_nobody_a_superuser(client) -> None:
    operator = make_operator()
    client.force_login(operator)
    assert client.post(page_of(operator), {"username": "x", "is_superuser": "on"}).status_code == 403
