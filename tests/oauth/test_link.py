"""What a link is by itself: open or over, and what ends with it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oauth.models import Link
from tenants.admin.archiving import archive_tenants
from tenants.models import Tenant
from tests.factories import make_link, make_registration, make_tenant

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def family() -> list[Link]:
    """A consent link, the link for the rest that grew from it, and that one's for an administrator; and a stranger."""
    registration = make_registration()
    consent, _ = make_link(registration)
    rest, _ = make_link(registration, parent=consent, purpose="reconnect")
    approval, _ = make_link(registration, parent=rest, purpose="approval")
    stranger, _ = make_link(registration)
    return [consent, rest, approval, stranger]


def usable() -> list[Link]:
    return list(Link.objects.usable().order_by("pk"))


def test_revoking_a_link_ends_all_that_grew_from_it(family) -> None:
    consent, rest, approval, stranger = family

    ended = Link.objects.filter(pk=consent.pk).revoke()

    assert set(ended) == {consent, rest, approval}
    assert usable() == [stranger]
    assert Link.objects.get(pk=approval.pk).status == "revoked"


def test_revoking_a_link_in_the_middle_leaves_what_it_grew_from(family) -> None:
    Link.objects.filter(pk=family[1].pk).revoke()

    assert usable() == [family[0], family[3]]


def test_what_was_revoked_before_keeps_its_time(family) -> None:
    Link.objects.filter(pk=family[1].pk).update(revoked_at=NOW - timedelta(days=1))

    assert list(Link.objects.filter(pk=family[1].pk).revoke()) == []
    assert Link.objects.get(pk=family[1].pk).revoked_at == NOW - timedelta(days=1)


def test_archiving_a_tenant_revokes_its_links(family) -> None:
    archive_tenants(Tenant.objects.filter(pk=family[0].tenant_id))

    assert {link.status for link in Link.objects.all()} == {"revoked"}


@pytest.mark.parametrize("purpose", ["consent", "disconnect"])
@pytest.mark.parametrize(
    ("status", "of_link", "of_tenant", "of_parent"),
    [
        ("open", {}, {}, {}),
        ("used", {"uses": 1}, {}, {}),
        ("expired", {"expires_at": NOW}, {}, {}),
        ("revoked", {"revoked_at": NOW}, {}, {}),
        ("revoked", {}, {}, {"revoked_at": NOW}),
        ("paused", {}, {"suspended_at": NOW}, {}),
        ("revoked", {}, {"archived_at": NOW}, {}),
    ],
)
def test_a_link_is_called_open_exactly_where_it_opens_something(purpose, status, of_link, of_tenant, of_parent) -> None:
    registration = make_registration(make_tenant(**of_tenant))
    parent, _ = make_link(registration, **of_parent)
    link, _ = make_link(registration, parent=parent, purpose=purpose, **of_link)

    if purpose == "disconnect" and of_tenant:
        status = "open"  # whoever wants to disconnect may
    assert link.status == status
    assert (link in usable()) is (status == "open")
