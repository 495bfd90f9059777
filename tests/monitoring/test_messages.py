"""Which message carries which alert: at once, in a group after a storm, or in the daily digest."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from monitoring import messages
from monitoring.alerts import News, announce_all
from monitoring.models import Alert, Delivery, DeliveryAlert, Finding
from monitoring.transports.email import message_of
from tests.factories import make_connection, make_credential, make_registration, make_tenant

from .telling import break_something, send
from .test_findings import fault, see

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def make_findings(number: int, tenant=None, **fields) -> list[Finding]:
    """Open findings of as many registrations, not announced yet."""
    tenant = tenant or make_tenant()
    registration = make_registration(tenant)
    return Finding.objects.bulk_create(
        [
            Finding(
                tenant=tenant,
                registration=registration,
                kind=f"kind{each}",
                severity="critical",
                actor="operator",
                what=f"Thing {each} is broken.",
                remedy="Mend it.",
                **fields,
            )
            for each in range(number)
        ]
    )


def tell(findings: list[Finding], step: int = 1) -> None:
    announce_all([News(finding, step) for finding in findings])


def shape() -> list[tuple[bool, int]]:
    """Of each message, in order: whether it is a group, and how many alerts it carries."""
    return [(row.is_group, row.alerts.count()) for row in Delivery.objects.order_by("created_at")]


def test_five_go_alone_and_the_rest_together_a_little_later():
    tell(make_findings(9))
    assert shape() == [(False, 1)] * 5 + [(True, 4)]
    group = Delivery.objects.get(is_group=True)
    assert group.next_at - group.created_at == timedelta(minutes=5)


def test_it_makes_no_difference_whether_they_come_at_once_or_one_by_one():
    for finding in make_findings(9):
        tell([finding])
    assert shape() == [(False, 1)] * 5 + [(True, 4)]


def test_each_tenant_has_a_storm_of_its_own():
    tell(make_findings(5))
    tell(make_findings(5))
    assert shape() == [(False, 1)] * 10


def test_after_ten_minutes_it_is_quiet_again():
    findings = make_findings(6)
    with time_machine.travel(NOON, tick=True) as clock:
        tell(findings[:5])
        clock.shift(timedelta(minutes=10, seconds=1))
        tell(findings[5:])
    assert shape() == [(False, 1)] * 6


def test_a_group_that_was_tried_takes_nothing_more(mailoutbox):
    findings = make_findings(8)
    with time_machine.travel(NOON, tick=True) as clock:
        tell(findings[:7])
        clock.shift(timedelta(minutes=5))
        send()
        assert len(mailoutbox) == 6
        tell(findings[7:])
    assert shape() == [(False, 1)] * 5 + [(True, 2), (True, 1)]


def test_of_a_few_thousand_each_is_named_once_and_none_is_forgotten(django_assert_max_num_queries):
    findings = make_findings(2500)
    with django_assert_max_num_queries(60):
        tell(findings)
    named = Counter(_named_in_mails())
    assert named == {finding.pk: 1 for finding in findings}
    assert max(size for _, size in shape()) == messages.MOST_IN_ONE
    assert DeliveryAlert.objects.count() == 2500


def _named_in_mails() -> Iterator[int]:
    for delivery in Delivery.objects.all():
        yield from map(int, re.findall(r"/finding/(\d+)/change/", str(message_of(delivery).body)))


def test_a_group_says_how_many_and_what():
    tell(make_findings(8, make_tenant("Contoso")))
    mail = message_of(Delivery.objects.get(is_group=True))
    assert mail.subject == "[Tenantry] Contoso: 3 more findings"
    for part in (str(mail.body), str(mail.alternatives[0][0])):
        assert "Thing 7 is broken." in part
        assert "Mend it." in part
        assert "Thing 4" not in part


def test_what_was_resolved_before_its_group_went_out_is_named_once_as_resolved():
    findings = make_findings(7)
    tell(findings)
    findings[6].resolved_at = timezone.now()
    findings[6].save()
    tell([findings[6]], Alert.RESOLVED)
    body = str(message_of(Delivery.objects.get(is_group=True)).body)
    assert body.count("Thing 6") == 1
    assert "Resolved: " in body


# The digest


@pytest.mark.parametrize(
    ("zone", "now", "next_one"),
    [
        ("UTC", datetime(2026, 3, 3, 7, 59, tzinfo=UTC), datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 3, 8, 0, tzinfo=UTC), datetime(2026, 3, 4, 8, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 6, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 7, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 3, 3, 22, 30, tzinfo=UTC), datetime(2026, 3, 3, 23, tzinfo=UTC)),
    ],
)
def test_the_next_digest_is_at_eight_where_we_are(settings, zone, now, next_one):
    settings.TIME_ZONE = zone
    assert messages.next_digest(now) == next_one
    assert next_one.astimezone(ZoneInfo(zone)).hour == 8


def test_what_is_coming_waits_for_the_digest_of_the_day():
    with time_machine.travel(NOON, tick=True):
        see(make_credential(), fault("secret_ending", is_coming=True))
        see(make_credential(), fault("secret_ending", is_coming=True))
        break_something()
    digest, alone = Delivery.objects.get(digest_at__isnull=False), Delivery.objects.get(digest_at=None)
    assert digest.next_at == datetime(2026, 3, 4, 8, tzinfo=UTC)
    assert (digest.alerts.count(), alone.alerts.count()) == (2, 1)


def test_a_digest_is_sent_in_its_time_and_the_next_is_another(mailoutbox):
    with time_machine.travel(NOON, tick=True) as clock:
        see(make_credential(), fault("secret_ending", is_coming=True))
        send()
        assert mailoutbox == []
        clock.move_to(datetime(2026, 3, 4, 8, tzinfo=UTC))
        see(make_credential(), fault("secret_ending", is_coming=True))
        send()
    assert len(mailoutbox) == 1
    days = Delivery.objects.order_by("digest_at").values_list("digest_at", flat=True)
    assert [day.day for day in days] == [4, 5]


def test_a_digest_of_two_tenants_belongs_to_neither():
    registrations = [make_registration(make_tenant(name)) for name in ("Beta", "Alpha")]
    see(make_credential(registrations[0]), fault("secret_ending", is_coming=True, what="It ends."))
    assert Delivery.objects.get().tenant == registrations[0].tenant
    see(make_credential(registrations[1]), fault("secret_ending", is_coming=True, what="It ends."))
    digest = Delivery.objects.get()
    assert digest.tenant is None
    mail = message_of(digest)
    assert mail.subject == "[Tenantry] Daily digest: 2 tenants: 2 things are coming"
    assert str(mail.body).index("Alpha") < str(mail.body).index("Beta")
    assert "Nothing here is broken yet" in str(mail.body)


def test_a_full_digest_is_followed_by_another_a_minute_later():
    findings = make_findings(450, is_coming=True)
    with time_machine.travel(NOON, tick=True):
        tell(findings)
    digests = Delivery.objects.order_by("digest_at")
    assert [row.alerts.count() for row in digests] == [200, 200, 50]
    assert [row.digest_at.minute for row in digests] == [0, 1, 2]


def test_what_breaks_does_not_wait_for_the_digest_that_foretold_it(mailoutbox):
    subject = make_credential()
    see(subject, fault("secret_ending", is_coming=True))
    see(subject, fault("secret_ending", is_coming=False, step=2))
    send()
    assert len(mailoutbox) == 1
    assert Delivery.objects.get(state="waiting").digest_at


def test_a_later_word_of_a_finding_waits_for_the_earlier_one():
    subject = make_connection()
    break_something(subject)
    see(subject)
    first, second = Delivery.objects.order_by("created_at")
    assert list(Delivery.objects.due()) == [first]
    Delivery.objects.filter(pk=first.pk).update(state="sent")
    assert list(Delivery.objects.due()) == [second]
