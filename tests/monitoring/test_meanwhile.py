"""What happens at Microsoft or in the admin while a check looks, or between two."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from monitoring import alerts, claims, findings, saves
from monitoring.models import Delivery, DeliveryAlert, Finding, Sweep
from monitoring.tries import TRIES
from oauth.models import Connection
from tenants.admin.archiving import archive_registrations
from tenants.models import AppRegistration, Tenant
from tests.factories import make_credential, make_registration, make_tenant
from tests.leases import look

from .conftest import World, check, work


def open_kinds() -> list[str]:
    return sorted(Finding.objects.open().values_list("kind", flat=True))


def told() -> list[tuple[str, int, int]]:
    carried = DeliveryAlert.objects.order_by("alert_id").select_related("alert__finding")
    return [(c.alert.finding.kind, c.alert.epoch, c.alert.step) for c in carried]


def work_with(sweep: Sweep, meanwhile: Callable[[], object]) -> Sweep:
    """What a worker does; once, between looking at registrations and saving, something else happens."""
    while batch := claims.claim(sweep):
        looked = look(batch)
        if meanwhile and isinstance(batch.rows[0], AppRegistration):
            meanwhile()
            meanwhile = lambda: None  # noqa: E731
        saves.save(sweep, looked)
    return work(sweep)


def test_a_secret_replaced_while_it_is_tried_is_tried_again(world: World) -> None:
    world.connect()
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    sweep = work_with(Sweep.objects.start_manual(), world.new_secret)
    assert open_kinds() == []
    assert (sweep.done, sweep.failed) == (2, 0)


def test_an_announced_end_of_a_secret_is_over_once_when_it_is_replaced_meanwhile(world: World) -> None:
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])
    check()
    work_with(Sweep.objects.start_manual(), world.new_secret)
    assert open_kinds() == []
    assert told() == [("secret_ending", 1, 1000), ("secret_ending", 1, 0)]


def test_a_registration_archived_while_it_is_looked_at_gets_no_finding(world: World) -> None:
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    own = AppRegistration.objects.filter(pk=world.registration.pk)
    sweep = work_with(Sweep.objects.start_manual(), lambda: archive_registrations(own))
    assert sweep.finished_at
    assert not Finding.objects.exists()


def test_what_an_old_check_never_got_round_to_is_still_asked(world: World) -> None:
    world.connect()
    sweep = Sweep.objects.start_manual()
    Sweep.objects.filter(pk=sweep.pk).update(started_at=timezone.now() - timedelta(hours=13))
    assert work(sweep).done == 2
    assert not Finding.objects.exists()


def test_checking_again_looks_again_at_what_a_running_check_found_wrong(world: World) -> None:
    world.connect()
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    other = make_registration(cloud=world.cloud.key, directory=world.directory["id"])
    make_credential(other)
    world.microsoft.set_fault("throttled", client_id=other.client_id)
    running = work(Sweep.objects.start_manual())
    assert running.finished_at is None
    assert open_kinds() == ["secret_invalid"]
    world.new_secret()
    again = Sweep.objects.start_manual()
    assert again.pk == running.pk
    assert open_kinds() == ["secret_invalid"]
    work(again)
    assert open_kinds() == []
    again.refresh_from_db()
    assert again.seen <= again.planned


def test_checking_again_asks_nothing_again_of_what_is_well(world: World) -> None:
    world.connect()
    other = make_registration(cloud=world.cloud.key, directory=world.directory["id"])
    make_credential(other)
    world.microsoft.set_fault("throttled", client_id=other.client_id)
    work(Sweep.objects.start_manual())
    before = len(world.microsoft.token_requests())
    work(Sweep.objects.start_manual())
    assert len(world.microsoft.token_requests()) == before


@pytest.mark.parametrize("directory_is_known", [True, False])
def test_a_secret_refused_for_one_account_alone_does_not_flap(world: World, directory_is_known: bool) -> None:
    if not directory_is_known:
        AppRegistration.objects.update(directory="", audience=AppRegistration.Audience.MULTIPLE_ORGS)
    world.connect("Anna")
    berta = world.connect("Berta")
    world.microsoft.set_fault(7000215, oid=str(berta.oid), grant_type="refresh_token")
    for _ in range(2):
        sweep = Sweep.objects.start_manual()
        for _ in range(TRIES):
            work(sweep)
            Connection.objects.update(next_at=None)
        assert sweep.finished_at or not directory_is_known
    refusals = [kind for kind, _, _ in told() if kind in ("secret_invalid", "unverified")]
    assert len(refusals) <= 2  # of the account, and where no directory is known of the registration
    assert {epoch for _, epoch, _ in told()} <= {1}
    assert not Connection.objects.exclude(token_status="active").exists()


def test_a_secret_that_dies_between_two_looks_is_one_finding(world: World) -> None:
    for number in range(3):
        world.connect(f"Person{number}")
    end = lambda: world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])  # noqa: E731
    work_with(Sweep.objects.start_manual(), end)
    assert open_kinds() == ["secret_invalid"]
    assert len(told()) == 1


def test_a_refresh_asks_only_for_what_was_asked_of_the_person(world: World) -> None:
    connection = world.connect(scopes_asked=["Mail.Read"])
    Connection.objects.update(scopes_granted=["Calendars.Read", "Mail.Read"])  # of another consent, withdrawn since
    check()
    connection.refresh_from_db()
    assert connection.token_status == "active"
    assert open_kinds() == []


def test_a_late_mail_speaks_of_its_own_time(world: World) -> None:
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    check()
    alerts.deliver_due()
    world.new_secret()
    check()
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    check()
    alerts.deliver_due()
    over = mail.outbox[1]
    assert over.subject.startswith("[Tenantry] Resolved:")
    assert "Over since: \n" not in over.body
    assert "It has come back since" in over.body
    assert "Nobody needs to do anything" not in over.body


def quiet_finding(world: World) -> Tenant:
    """A dead connection of a tenant, kept quiet by a fault of the shared registration; then the tenant is suspended."""
    AppRegistration.objects.update(tenant=None)
    world.registration.refresh_from_db()
    tenant = make_tenant()
    anna = world.connect("Anna", tenant=tenant)
    world.microsoft.revoke_sessions(str(anna.oid))
    check(anna)
    DeliveryAlert.objects.all().delete()
    Delivery.objects.all().delete()
    Finding.objects.get().alerts.all().delete()
    Tenant.objects.filter(pk=tenant.pk).update(suspended_at=timezone.now())
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    check()
    world.new_secret()
    return tenant


def test_a_suspended_tenants_silence_does_not_end_with_the_registrations_fault(world: World) -> None:
    quiet_finding(world)
    check()
    assert [kind for kind, _, _ in told() if kind == "grant_revoked"] == []


def test_what_was_kept_quiet_is_told_when_the_tenant_is_back(world: World) -> None:
    tenant = quiet_finding(world)
    check()
    Tenant.objects.update(suspended_at=None)
    findings.announce_unheard(Finding.objects.open().filter(tenant=tenant))
    findings.announce_unheard(Finding.objects.open().filter(tenant=tenant))
    assert [kind for kind, _, _ in told() if kind == "grant_revoked"] == ["grant_revoked"]
