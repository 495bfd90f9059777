import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest
import redis

from .processes import ROOT, free_ports, of_session, wait_until
from .test_start import good_env

pytestmark = pytest.mark.processes

UP = "Ctrl-C stops everything."


class Launcher:
    """`python -m config.launcher` in a session of its own, its words in a file."""

    def __init__(self, env: dict[str, str], words: Path) -> None:
        self._words = words
        with words.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "config.launcher"],
                cwd=ROOT,
                env=env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self._words.read_text()

    def wait_until_up(self) -> None:
        wait_until(lambda: UP in self.said() or self._process.poll() is not None, 90)
        assert UP in self.said(), self.said()

    def running(self) -> set[int]:
        return of_session(self._process.pid)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(timeout=60)


@pytest.fixture
def ports():
    """For the site, the sandbox's pages and its token door."""
    return free_ports(3)


@pytest.fixture
def env(tmp_path, ports):
    """The demo, on spare ports, below tmp_path."""
    web, pages, door = ports
    folder = tmp_path / "var"
    cloud = {
        "key": "sandbox",
        "name": "Sandbox",
        "login_host": f"localhost:{door}",
        "graph_host": f"localhost:{door}",
        "outlook_host": f"localhost:{door}",
        "ca_file": str(folder / "sandbox" / "ca.pem"),
        "browser_origin": f"http://127.0.0.1:{pages}",
        "sandbox": True,
    }
    return good_env(folder) | {
        "SITE_URL": f"http://localhost:{web}",
        "EMAIL_URL": f"filemail:///{folder / 'mail'}",
        "EXTRA_CLOUDS": json.dumps([cloud]),
    }


@pytest.fixture
def services():
    """A PostgreSQL database and a Redis of our own on the usual loopback ports."""
    for port in (5432, 6379):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            missing = f"nothing answers on 127.0.0.1:{port}"
            if os.environ.get("REQUIRE_SERVICES"):
                pytest.fail(missing)
            pytest.skip(missing)
    name = f"tenantry_{secrets.token_hex(6)}"
    queue = redis.Redis(db=14)
    with psycopg.connect("postgres://postgres@127.0.0.1:5432/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield {
            "DATABASE_URL": f"postgres://postgres@127.0.0.1:5432/{name}",
            "REDIS_URL": "redis://127.0.0.1:6379/14",
        }
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    queue.delete("celery", "unacked", "unacked_index", "unacked_mutex", *queue.keys("_kombu.*"))
    queue.close()


@pytest.fixture
def launch(tmp_path):
    launchers = []

    def launch(env: dict[str, str]) -> Launcher:
        launchers.append(Launcher(env, tmp_path / f"words{len(launchers)}.txt"))
        return launchers[-1]

    yield launch
    for launcher in launchers:
        for pid in launcher.running():
            os.kill(pid, signal.SIGKILL)
        launcher.wait()


def get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status


def test_the_demo_comes_up_tells_its_addresses_and_leaves_nothing_running(launch, env, ports):
    web, pages, _ = ports
    launcher = launch(env)
    launcher.wait_until_up()
    operator = json.loads((Path(env["VAR_DIR"]) / "demo.json").read_text())
    for word in (f"http://localhost:{web}/admin/", f"http://127.0.0.1:{pages}/control/", *operator.values()):
        assert word in launcher.said()
    assert get(f"http://127.0.0.1:{web}/healthz/") == 200

    second = launch(env)
    assert second.wait() == 1
    assert second.said().startswith(f"Tenantry already runs from {env['VAR_DIR']} (process ")

    asked = time.monotonic()
    launcher.signal(signal.SIGINT)
    assert launcher.wait() == 0
    assert time.monotonic() - asked < 10
    assert launcher.running() == set()


def test_without_a_sandbox_there_is_no_demo_port_moves_the_site_and_nobody_outlives_a_kill(launch, env, ports):
    (moved,) = free_ports(1)
    launcher = launch(env | {"EXTRA_CLOUDS": "[]", "PORT": str(moved)})
    launcher.wait_until_up()
    assert get(f"http://127.0.0.1:{moved}/healthz/") == 200
    assert f"PORT moves the site to http://localhost:{moved} this time" in launcher.said()
    assert "Starting the sandbox" not in launcher.said()
    assert "Password" not in launcher.said()
    launcher.signal(signal.SIGKILL)
    wait_until(lambda: not launcher.running())


@pytest.mark.services
def test_on_postgresql_and_redis_it_comes_up_the_same(services, launch, env):
    launcher = launch(env | {"EXTRA_CLOUDS": "[]", **services})
    launcher.wait_until_up()
    log = (Path(env["VAR_DIR"]) / "log" / "worker.log").read_text()
    assert "Connected to redis://" in log
    assert not (Path(env["VAR_DIR"]) / "queue").exists()
    assert not list(Path(env["VAR_DIR"]).glob("*.sqlite3"))


@pytest.mark.parametrize("which", [0, 1, 2], ids=["site", "sandbox pages", "token door"])
def test_a_taken_port_is_named_and_nothing_is_started(launch, env, ports, which):
    with socket.create_server(("127.0.0.1", ports[which])):
        launcher = launch(env)
        assert launcher.wait() == 1
    assert launcher.said().startswith(f"Port {ports[which]} on 127.0.0.1 is taken by another program. ")
    assert launcher.said().count("\n") == 1
    assert not (Path(env["VAR_DIR"]) / "log").exists()


def test_a_taken_port_of_the_site_says_how_to_take_another(launch, env, ports):
    with socket.create_server(("127.0.0.1", ports[0])):
        launcher = launch(env)
        launcher.wait()
    assert "PORT=9000 make run" in launcher.said()


@pytest.mark.parametrize(
    ("wrong", "status", "sentence"),
    [
        ({"PORT": "nine"}, 1, "PORT must be a number from 1024 to 65092"),
        ({"SECRET_KEY": ""}, 3, "Tenantry did not start. SECRET_KEY is not set."),
        ({"SITE_URL": "http://tenantry.example.com"}, 3, "Tenantry did not start. SITE_URL's host"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, 1, "Starting the sandbox..."),
    ],
    ids=["port", "settings", "checks", "database"],
)
def test_what_is_wrong_is_said_without_a_traceback(launch, env, wrong, status, sentence):
    launcher = launch(env | wrong)
    assert launcher.wait() == status
    assert launcher.said().startswith(sentence)
    assert "Traceback" not in launcher.said()
