import pytest

from tenants.models import Event
from tests.factories import make_superuser, make_tenant

pytestmark = pytest.mark.django_db


def record() -> Event:
    tenant = make_tenant()
    return Event.objects.record(
        verb="changed", subject=tenant, tenant=tenant, actor=make_superuser(), changes={"name": ["Old", "New"]}
    )


def test_an_event_names_its_subject() -> None:
    event = record()
    assert (event.subject_type, event.subject_name) == ("tenants.tenant", str(event.tenant))


@pytest.mark.parametrize(
    "act",
    [
        lambda event: event.save(),
        lambda event: event.delete(),
        lambda event: Event.objects.filter(pk=event.pk).update(verb="x"),
        lambda event: Event.objects.filter(pk=event.pk).delete(),
        lambda event: Event.objects.bulk_update([event], ["verb"]),
    ],
)
def test_history_is_append_only(act) -> None:
    event = record()
    with pytest.raises(TypeError, match="append-only"):
        act(event)
    assert Event.objects.get().verb == "changed"


def test_an_anonymous_actor_is_nobody() -> None:
    tenant = make_tenant()
    from django.contrib.auth.models import AnonymousUser

    assert Event.objects.record(verb="x", subject=tenant, tenant=tenant, actor=AnonymousUser()).actor is None
