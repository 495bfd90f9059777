"""Which way on comes first, by what is known of the directory."""

from uuid import uuid4

import pytest
from django.utils import timezone

from oauth.models import AdminGrant, Connection, Link
from oauth.ways import ways_on
from tests.factories import make_connection, make_link, make_registration

ASKED = ["Mail.Read", "MailboxSettings.Read", "User.Read"]
APPROVAL_FIRST = ["approve", "hand_on", "sign_in"]
SIGN_IN_FIRST = ["sign_in", "approve", "hand_on"]


@pytest.fixture
def link(db) -> Link:
    return make_link(make_registration())[0]


def first(link: Link, cloud) -> list[str]:
    fresh = Link.objects.select_related("registration", "connection").get(pk=link.pk)
    return list(ways_on(fresh, cloud, is_approved=False))


def test_what_administrators_decide_begins_with_them(link, cloud):
    assert first(link, cloud) == APPROVAL_FIRST


def test_where_somebody_was_granted_all_of_it_people_sign_in(link, cloud):
    make_connection(link.registration, tid=link.registration.directory, scopes_granted=[*ASKED, "Files.Read"])

    assert first(link, cloud) == SIGN_IN_FIRST


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes_granted": ASKED[:1]},
        {"tid": uuid4()},
        {"client_id": str(uuid4())},
    ],
    ids=["less", "elsewhere", "before"],
)
def test_what_was_granted_otherwise_says_nothing(link, cloud, fields):
    make_connection(link.registration, **{"tid": link.registration.directory, "scopes_granted": ASKED, **fields})

    assert first(link, cloud) == APPROVAL_FIRST


def test_where_any_directory_may_come_one_says_nothing_of_the_others(db, cloud):
    shared = make_registration(shared=True)
    link, _ = make_link(shared)
    make_connection(shared, tenant=link.tenant, scopes_granted=ASKED)

    assert first(link, cloud) == APPROVAL_FIRST


def test_who_had_all_of_it_before_signs_in_again(db, cloud):
    connection = make_connection(scopes_granted=ASKED, disconnected_at=timezone.now())
    link, _ = make_link(connection.registration, purpose="reconnect", connection=connection)
    assert first(link, cloud) == SIGN_IN_FIRST

    Connection.objects.update(scopes_granted=ASKED[:1])
    assert first(link, cloud) == APPROVAL_FIRST
    assert not AdminGrant.objects.exists()
