"""What is sent is sent once, and takes only whom it is meant for."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from oauth.models import Link, Mail
from tests.factories import (
    make_connection,
    make_credential,
    make_link,
    make_operator,
    make_registration,
    make_superuser,
)

from .test_admin_sending import filled, make_ready, page_for, send, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(client) -> Any:
    tenant = make_ready("Alder", contact_emails=["It@Alder.example", "ana@alder.example"])
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


@pytest.fixture
def shared(client) -> Any:
    registration = make_registration(shared=True, name="For all")
    make_credential(registration)
    client.force_login(make_superuser())
    return registration


# Once


def test_a_page_that_is_sent_twice_sends_once(client, tenant) -> None:
    address = page_for(tenant)
    data = filled(client.get(address))
    first, second = (client.post(address, data, follow=True) for _ in range(2))

    assert "2 links are on their way." in words_of(first)
    assert "These were sent already." in words_of(second)
    assert (Link.objects.count(), Mail.objects.count()) == (2, 2)


def test_the_page_opened_anew_sends_once_more(client, tenant) -> None:
    send(client, page_for(tenant))
    send(client, page_for(tenant))

    assert Mail.objects.count() == 4


def test_after_a_mistake_the_page_can_still_be_sent(client, tenant) -> None:
    page = send(client, page_for(tenant), text="without the link")
    client.post(page_for(tenant), filled(page))

    assert Mail.objects.count() == 2


# Pinned


@pytest.mark.parametrize(
    ("ticked", "expected"), [({}, {""}), ({"only_theirs": "on"}, {"it@alder.example", "ana@alder.example"})]
)
def test_each_link_takes_only_whom_it_was_mailed_to_where_that_is_ticked(client, tenant, ticked, expected) -> None:
    send(client, page_for(tenant), **ticked)

    assert set(Link.objects.values_list("expected_address", flat=True)) == expected


def test_by_a_shared_registration_a_directory_may_be_expected(client, tenant, shared) -> None:
    key = f"t{tenant.pk}"
    send(client, page_for(tenant), **{f"{key}-registration": shared.pk, f"{key}-directory": " Alder.example "})

    assert set(Link.objects.values_list("expected_directory", flat=True)) == {"alder.example"}


def test_what_is_no_directory_is_refused(client, tenant, shared) -> None:
    key = f"t{tenant.pk}"
    page = send(client, page_for(tenant), **{f"{key}-registration": shared.pk, f"{key}-directory": "Alder Ltd"})

    assert "This is neither a GUID nor a domain." in words_of(page)
    assert not Link.objects.exists()


def test_a_registration_with_a_directory_of_its_own_is_asked_for_none(client, tenant) -> None:
    assert f"t{tenant.pk}-directory" not in client.get(page_for(tenant)).content.decode()


def test_in_the_list_mailed_to_and_only_look_different(client, tenant) -> None:
    registration = tenant.registrations.get()
    make_link(registration, sent_to="ana@alder.example")
    make_link(registration, expected_address="ben@alder.example")
    make_link(registration, sent_to="cleo@alder.example", expected_address="cleo@alder.example")

    listed = words_of(client.get(reverse("admin:oauth_link_changelist")))

    assert "consent mailed to ana@alder.example" in listed
    assert "consent only ben@alder.example" in listed
    assert "consent only cleo@alder.example, mailed to cleo@alder.example" in listed


# Connected already


def test_it_is_told_who_is_connected_already(client, tenant) -> None:
    registration = tenant.registrations.get()
    make_connection(registration, address="it@alder.example")
    make_connection(registration, address="ana@alder.example", disconnected_at=timezone.now())
    make_connection(make_registration(), address="ana@alder.example")

    assert "Connected already: It@Alder.example." in words_of(client.get(page_for(tenant)))
