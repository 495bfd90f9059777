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
    assert "critical: Contoso Mail: Microsoft does not know this client secret." in said
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
    assert err.getvalue() == "\r1 of 2\r2 of 2\r2 of 2\n"


def test_findings_of_others_are_not_its_business(world):
    other = make_registration()
    see(other, fault("secret_invalid"))
    assert run("--registration", str(world.registration.pk))[0] == 0
    assert run("--registration", str(other.pk))[0] == 1
