"""The sandbox as a process: what it keeps, how it starts, how it stops."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import urllib3

from sandbox.server import Sandbox
from sandbox.store import FolderUnusable, Store
from tests.microsoft import Microsoft
from tests.sandbox.conftest import REDIRECT, settle

ROOT = Path(__file__).parents[2]


class Process:
    """python -m sandbox, as `make run` starts it."""

    def __init__(self, folder, *more):
        command = [sys.executable, "-m", "sandbox", "--folder", str(folder), "--pages-port", "0", "--token-port", "0"]
        self.child = subprocess.Popen(
            [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.ready = self.child.stdout.readline()
        self.ca_file = str(folder / "ca.pem")
        if self.ready:
            words = self.ready.split()
            self.pages_origin = next(word for word in words if word.startswith("http://")).removesuffix("/control/")
            self.token_host = next(word for word in words if word.startswith("https://"))[8:].rstrip(")")

    def stop(self, sign=signal.SIGTERM):
        """What it printed besides the ready line, and how it ended."""
        self.child.send_signal(sign)
        out, err = self.child.communicate(timeout=10)
        return out, err, self.child.returncode


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*more, folder=tmp_path / "box"):
        started.append(Process(folder, *more))
        return started[-1]

    yield begin
    for each in started:
        if each.child.poll() is None:
            each.child.kill()
        each.child.communicate()


# -- what a restart keeps


def test_a_restart_keeps_everything(tmp_path):
    with Sandbox(tmp_path) as box:
        here = settle(box)
        token = here.granted()["refresh_token"]
        here.microsoft.set_fault("throttled", oid="nobody")
        here.microsoft.set_trailers("lines")
        here.microsoft.grant_for_everybody(here.client_id, here.directory, ["Mail.Send"])
        here.microsoft.managed_policy(here.directory)
        here.microsoft.approval_workflow(here.directory)
        here.microsoft.sign_in(here.authorize(scope=f"openid {here.host}/Tasks.Read"), here.oid, "ask")
        here.microsoft.set_spread(5)
        here.microsoft.advance(86_400)
        before = here.microsoft.world()
        key = here.get("/common/discovery/v2.0/keys").body["keys"][0]["n"]
        ca = Path(box.ca_file).read_bytes()
    with Sandbox(tmp_path) as again:
        here.box, here.microsoft = again, Microsoft(again.pages_origin)
        after = here.microsoft.world()
        assert {**after, "now": ""} == {**before, "now": ""}
        assert after["now"][:13] == before["now"][:13] or after["now"] > before["now"]
        assert here.get("/common/discovery/v2.0/keys").body["keys"][0]["n"] == key
        assert Path(again.ca_file).read_bytes() == ca
        assert here.refresh(token).status == 200


def test_a_folder_of_an_older_sandbox_still_opens(tmp_path):
    directory, client_id, oid = (str(uuid.uuid4()) for _ in range(3))
    app = {"client_id": client_id, "name": "Mail", "directory": directory, "audience": "AzureADMyOrg"}
    person = {"oid": oid, "directory": directory, "name": "Adele", "address": "adele@contoso.example"}
    granted = {"client_id": client_id, "oid": oid, "granted_at": 1.0, "last_used_at": None}
    store = Store(tmp_path / "sandbox.sqlite3")
    store.write(
        put=[
            ("Organization", directory, {"id": directory, "name": "Contoso", "domain": "contoso.example"}),
            ("App", client_id, {**app, "redirect_uris": [REDIRECT], "installed_in": [directory]}),
            ("Person", oid, {**person, "admin": False, "disabled": False, "session": 0, "revoked_at": 0.0}),
            ("Grant", f"{client_id}|{oid}", {**granted, "scopes": ["Mail.Read"]}),
        ]
    )
    store.close()
    with Sandbox(tmp_path) as box:
        world = Microsoft(box.pages_origin).world()
    assert world["directories"][0]["users_may_consent"] is True
    assert world["grants"][0]["scopes"] == ["Mail.Read"]


def test_a_spent_code_is_still_spent_after_a_restart(tmp_path):
    with Sandbox(tmp_path) as box:
        here = settle(box)
        code = here.sign_in().fields["code"]
        here.redeem(code)
    with Sandbox(tmp_path) as again:
        here.box = again
        assert here.redeem(code).refusal == (400, "invalid_grant", 54005)


def test_private_keys_and_memory_are_for_their_owner_only(tmp_path):
    with Sandbox(tmp_path / "box"):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "box").iterdir()}
    assert stat.S_IMODE((tmp_path / "box").stat().st_mode) == 0o700
    assert modes.pop("ca.pem") == 0o644
    assert set(modes.values()) == {0o600}


def test_no_secret_lies_in_the_folder(tmp_path):
    with Sandbox(tmp_path) as box:
        here = settle(box)
        token = here.granted()["refresh_token"]
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert here.client_id.encode() in kept
    assert here.secret.encode() not in kept
    assert token.encode() not in kept


def test_a_folder_in_use_is_refused(tmp_path):
    with Sandbox(tmp_path), pytest.raises(FolderUnusable, match="in use by another sandbox"), Sandbox(tmp_path):
        pass


@pytest.mark.parametrize("name", ["sandbox.sqlite3", "signing.key", "seal.key", "server.pem", "ca.pem"])
def test_a_damaged_folder_is_refused_in_words(tmp_path, name):
    with Sandbox(tmp_path):
        pass
    (tmp_path / name).write_bytes(b"damaged" * 200)
    with pytest.raises(FolderUnusable, match="Move"), Sandbox(tmp_path):
        pass


# -- the process


@pytest.mark.processes
def test_a_folder_that_cannot_be_one_is_one_clear_line(start, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    process = start(folder=tmp_path / "file")
    out, err = process.child.communicate(timeout=10)
    assert (process.child.returncode, process.ready, out) == (1, "", "")
    assert err == f"{tmp_path / 'file'} cannot be used as a folder (File exists). Name another.\n"


@pytest.mark.processes
def test_one_ready_line_and_nothing_else(start):
    process = start()
    assert process.ready.startswith("The sandbox is ready: http://127.0.0.1:")
    assert urllib3.request("GET", f"{process.pages_origin}/control/").status == 200
    assert process.stop() == ("", "", 0)


@pytest.mark.processes
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_three_seconds_though_lines_are_kept_alive(start, sign):
    process = start()
    here = settle(process)
    here.app_token()  # leaves its TLS line open in the pool
    began = time.monotonic()
    assert process.stop(sign) == ("", "", 0)
    assert time.monotonic() - began < 3


@pytest.mark.processes
def test_it_stops_within_three_seconds_in_the_middle_of_a_slow_answer(start):
    process = start()
    here = settle(process)
    here.microsoft.set_fault("slow", seconds=60)
    body = f"grant_type=client_credentials&client_id={here.client_id}"
    line = urllib3.connection.HTTPSConnection(process.token_host.split(":")[0], int(process.token_host.split(":")[1]))
    line.ca_certs = process.ca_file
    line.request("POST", "/common/oauth2/v2.0/token", body=body)
    began = time.monotonic()
    assert process.stop() == ("", "", 0)
    assert time.monotonic() - began < 3
    line.close()


@pytest.mark.processes
def test_a_kill_at_any_time_leaves_a_readable_world(start):
    process = start()
    here = settle(process)
    token = here.granted()["refresh_token"]
    for number in range(20):
        here.microsoft.add_person(here.directory, "Person", f"p{number}@contoso.example")
    os.kill(process.child.pid, signal.SIGKILL)
    process.child.wait()
    again = start()
    here.box, here.microsoft = again, Microsoft(again.pages_origin)
    assert len(here.microsoft.world()["people"]) == 21
    assert here.refresh(token).status == 200


@pytest.mark.processes
@pytest.mark.parametrize("door", ["--pages-port", "--token-port"])
def test_a_taken_port_is_one_clear_line(start, door):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(door, str(port))
        out, err = process.child.communicate(timeout=10)
    assert process.child.returncode == 1
    assert (process.ready, out) == ("", "")
    assert err.startswith(f"Port {port} on 127.0.0.1 cannot be opened")
    assert err.count("\n") == 1


@pytest.mark.processes
def test_it_listens_on_loopback_only(start):
    process = start()
    listening = Path(f"/proc/{process.child.pid}/net/tcp").read_text().splitlines()[1:]
    wanted = {int(origin.rsplit(":", 1)[1]) for origin in (process.pages_origin, process.token_host)}
    addresses = {
        line.split()[1].split(":")[0]
        for line in listening
        if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) in wanted
    }
    assert addresses == {"0100007F"}


@pytest.mark.processes
def test_it_can_be_started_as_another_provider(start):
    here = settle(start("--dialect", "plain"))
    document = here.get(f"/{here.directory}/v2.0/.well-known/openid-configuration").body
    assert document["authorization_response_iss_parameter_supported"] is True


@pytest.mark.processes
@pytest.mark.parametrize("value", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_refused(start, value):
    process = start("--pages-port", value)
    _, err = process.child.communicate(timeout=10)
    assert process.child.returncode == 2
    assert "--pages-port" in err


def test_an_entry_for_extra_clouds_is_plain_json(sandbox):
    cloud = json.loads(json.dumps(sandbox.cloud()))
    assert cloud["login_host"] == cloud["graph_host"] == sandbox.token_host
    assert cloud["browser_origin"] == sandbox.pages_origin
    assert cloud["sandbox"] is True
