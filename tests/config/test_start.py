"""Each real process is started wrongly, and leaves with a sentence."""

import os
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from .processes import ROOT

pytestmark = pytest.mark.processes

SAYS = "Tenantry did not start. "
MANAGE = [sys.executable, "manage.py"]
CELERY = [sys.executable, "-m", "celery", "-A", "config"]
GUNICORN = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", "127.0.0.1:0"]
PROCESSES = {
    "gunicorn": GUNICORN,
    "gunicorn, several workers": [*GUNICORN, "--workers", "2"],
    "gunicorn, other settings": [*GUNICORN, "--config", os.devnull, "--no-control-socket"],
    "worker": [*CELERY, "worker", "--pool", "threads"],
    "beat": [*CELERY, "beat"],
    "command": [*MANAGE, "shell", "-c", "pass"],
}


def run(command: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def sentences(answer: "subprocess.CompletedProcess[str]") -> list[str]:
    return [line.removeprefix(SAYS) for line in answer.stderr.splitlines() if line.startswith(SAYS)]


def good_env(folder: Path) -> dict[str, str]:
    """Nothing of the environment of the tests; a value for all that a .env beside manage.py might else add."""
    return {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "SITE_URL": "http://localhost:8000",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'tenantry.sqlite3'}",
        "REDIS_URL": "",
        "EXTRA_CLOUDS": "[]",
        "TIME_ZONE": "UTC",
        "SWEEP_AT": "",
        "TRUSTED_PROXIES": "",
        "ORGANIZATION_LOGO": "",
    }


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """The environment of a site that has started once: its database has tables and a canary of its key."""
    env = good_env(tmp_path_factory.mktemp("var"))
    for command in (["migrate", "--verbosity", "0"], ["shell", "-c", "pass"]):
        answer = run([*MANAGE, *command], env)
        assert (answer.returncode, answer.stderr) == (0, "")
    return env


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set. "),
        ({"SECRET_KEY": "change-me" * 6}, "SECRET_KEY is a placeholder"),
        ({"FIELD_ENCRYPTION_KEYS": ""}, "FIELD_ENCRYPTION_KEYS is not set. "),
        ({"FIELD_ENCRYPTION_KEYS": "short"}, "Key 1 of FIELD_ENCRYPTION_KEYS is not a Fernet key. "),
        ({"SITE_URL": ""}, "SITE_URL is not set. "),
        ({"SITE_URL": "http://localhost:8000/tenantry"}, "SITE_URL is not the address of a site. "),
        ({"ALLOWED_HOSTS": "127.0.0.1"}, "SITE_URL's host localhost is not in ALLOWED_HOSTS"),
        ({"TRUSTED_PROXIES": "127.0.0.1,proxy"}, "Entry 2 of TRUSTED_PROXIES is neither an IP address nor a network. "),
        ({"ORGANIZATION_LOGO": "no/such.png"}, "The file of ORGANIZATION_LOGO cannot be read: No such file"),
        ({"EXTRA_CLOUDS": "{"}, "EXTRA_CLOUDS is not JSON. "),
        ({"TIME_ZONE": "Mars/Olympus"}, "TIME_ZONE is not the name of a time zone"),
        ({"SWEEP_AT": "25:00"}, "SWEEP_AT is not a time of day"),
        ({"SECRET_WARN_DAYS": "30,soon"}, "SECRET_WARN_DAYS is not whole numbers of days between commas"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is not a URL"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"}, "The database cannot be reached: "),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, "The database cannot be reached: "),
        ({"DATABASE_URL": "sqlite://:memory:"}, "The database is not up to date; "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_said_in_one_sentence(migrated, wrong, sentence):
    answer = run(PROCESSES["command"], migrated | wrong)
    (said,) = sentences(answer)
    assert answer.returncode == 3
    assert said.startswith(sentence)
    assert answer.stderr.splitlines() == [SAYS + said]


def test_each_problem_has_its_sentence(migrated):
    answer = run(PROCESSES["command"], migrated | {"SITE_URL": "http://a.example", "FIELD_ENCRYPTION_KEYS": "x,y"})
    assert [said.rpartition("(")[2] for said in sentences(answer)] == [
        "config.E003)",
        "config.E003)",
        "config.E005)",
        "config.E006)",
    ]


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: {"SECRET_KEY": ""}, "SECRET_KEY is not set. "),
        (
            lambda: {"FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode()},
            "FIELD_ENCRYPTION_KEYS cannot read what is stored",
        ),
    ],
    ids=["no secret key", "another encryption key"],
)
def test_every_process_leaves_with_a_sentence(migrated, process, wrong, sentence):
    answer = run(PROCESSES[process], migrated | wrong())
    assert answer.returncode == 3
    assert sentences(answer)
    assert all(said.startswith(sentence) for said in sentences(answer))
    assert "Traceback" not in answer.stderr


def test_a_refused_start_leaves_what_is_stored_as_it_was(migrated):
    def stored() -> list[tuple[str, str]]:
        with sqlite3.connect(migrated["DATABASE_URL"].removeprefix("sqlite:///")) as database:
            rows = database.execute("SELECT key_id, value FROM tenants_keycanary").fetchall()
        database.close()
        return rows

    before = stored()
    run(PROCESSES["command"], migrated | {"FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode()})
    assert len(before) == 1
    assert stored() == before


def test_a_second_key_in_front_is_welcome(migrated):
    keys = f"{Fernet.generate_key().decode()},{migrated['FIELD_ENCRYPTION_KEYS']}"
    assert run(PROCESSES["command"], migrated | {"FIELD_ENCRYPTION_KEYS": keys}).returncode == 0


@pytest.mark.parametrize("command", [["help"], ["--version"]])
def test_help_needs_no_settings(command):
    answer = run([*MANAGE, *command], {"PATH": os.environ["PATH"], "SECRET_KEY": ""})
    assert answer.returncode == 0


def test_check_shows_what_is_wrong_as_django_does(migrated):
    answer = run([*MANAGE, "check"], migrated | {"SITE_URL": "http://a.example"})
    assert answer.returncode == 1
    assert "?: (config.E006)" in answer.stderr
