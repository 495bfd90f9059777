"""manage.py sweep: the same check in the foreground, with an exit status."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from monitoring.models import Finding, Sweep
from tests.factories import make_connection, make_registration, make_tenant

from .test_findings import fault, see


def run(*args: str) -> tuple[int, str]:
    """Exit status and output."""
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("sweep", *args, stdout=out)
    assert isinstance(ended.value.code, int)
    return ended.value.code, out.getvalue()


def test_all_is_well(world):
    world.connect()
    status, said = run()
    assert status == 0
    assert said.splitlines() == ["Planned: 2", "Checked: 2", "Could not be checked: 0", "Open findings: 0"]


def test_what_is_wrong_is_said_and_sent(world, mailoutbox):
    world.connect()
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    status, said = run()
    assert status == 1
    assert "critical: “Contoso Mail”: Microsoft does not know this client secret." in said
    assert "  You: " in said
    assert "Could not be checked: 1" in said
    assert len(mailoutbox) == 1


def test_one_registration(world):
    other = make_connection()
    see(other, fault())
    status, said = run("--registration", str(world.registration.pk))
    assert status == 0
    assert "Planned: 1" in said
    assert Sweep.objects.get().scope == f"registration:{world.registration.pk}"


def test_one_tenant(world):
    world.connect()
    make_connection()
    status, said = run("--tenant", world.registration.tenant.slug)
    assert status == 0
    assert "Planned: 2" in said


@pytest.mark.parametrize("make", [lambda: ["--tenant", "nobody"], lambda: ["--registration", "99999"]])
def test_an_unknown_scope_is_an_error_of_its_own(db, make):
    with pytest.raises(CommandError) as refused:
        call_command("sweep", *make())
    assert refused.value.returncode == 2


def test_a_suspended_tenant_is_not_swept(db):
    tenant = make_tenant(suspended_at=timezone.now())
    with pytest.raises(CommandError, match="No active tenant"):
        call_command("sweep", "--tenant", tenant.slug)


def test_what_cannot_be_finished_has_a_status_of_its_own(world, monkeypatch, capsys):
    from monitoring.management.commands import sweep as command

    monkeypatch.setattr(command, "PATIENCE", 0.5)
    world.microsoft.set_fault("throttled")
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("sweep", stdout=out, stderr=err)
    assert ended.value.code == 2
    assert "Not finished" in err.getvalue()
    assert not Finding.objects.exists()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_shows_how_far_it_is(world):
    world.connect()
    err: Any = Terminal()
    with pytest.raises(SystemExit):
        call_command("sweep", stdout=StringIO(), stderr=err, no_color=True)
    half, full = f"\r[{'#' * 15}{'.' * 15}] 1 of 2", f"\r[{'#' * 30}] 2 of 2"
    assert err.getvalue() == f"{half}{full}{full}\n"


def plan(*args: str) -> list[str]:
    out = StringIO()
    call_command("sweep", "--dry-run", *args, stdout=out)
    return out.getvalue().splitlines()


def test_a_dry_run_says_what_would_be_checked_by_tenant_and_asks_nobody(world):
    before = len(world.microsoft.token_requests())
    shared = make_registration(shared=True)
    alder = make_tenant("Alder")
    make_connection(shared, tenant=alder)
    make_connection(shared, tenant=alder, token_status="dead")
    world.registration.tenant.name = "Contoso"
    world.registration.tenant.save()
    assert plan() == [
        "(shared): 1 registration, 0 connections",
        "Alder: 0 registrations, 1 connection",
        "Contoso: 1 registration, 0 connections",
        "Together: 2 registrations, 1 connection",
        "Not asked until reconnected: 1 connection",
    ]
    assert len(world.microsoft.token_requests()) == before
    assert not Sweep.objects.exists()


def test_a_dry_run_of_one_tenant_names_no_other(world):
    make_connection()
    lines = plan("--tenant", world.registration.tenant.slug)
    assert lines == [
        f"{world.registration.tenant.name}: 1 registration, 0 connections",
        "Together: 1 registration, 0 connections",
    ]


def test_findings_of_others_are_not_its_business(world):
    other = make_registration()
    see(other, fault("secret_invalid"))
    assert run("--registration", str(world.registration.pk))[0] == 0
    assert run("--registration", str(other.pk))[0] == 1
