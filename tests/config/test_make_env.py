import json
import os
import stat
import subprocess
import sys

import environ
import pytest
from cryptography.fernet import Fernet

from config.make_env import BadPort, make_env


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".env"


def read(path) -> environ.Env:
    """What django-environ makes of the file alone."""

    class Alone(environ.Env):
        ENVIRON: dict[str, str] = {}

    Alone.read_env(path)
    return Alone()


def test_each_env_has_keys_of_its_own(path, tmp_path):
    make_env(path, {})
    make_env(tmp_path / "other", {})
    first, second = read(path), read(tmp_path / "other")
    assert len(first("SECRET_KEY")) >= 50
    Fernet(first("FIELD_ENCRYPTION_KEYS"))
    assert first("SECRET_KEY") != second("SECRET_KEY")
    assert first("FIELD_ENCRYPTION_KEYS") != second("FIELD_ENCRYPTION_KEYS")


def test_only_its_owner_may_read_it(path):
    before = os.umask(0)
    try:
        make_env(path, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_there_is_never_overwritten(path):
    path.write_text("mine")
    assert make_env(path, {}) == "Settings are in .env."
    assert path.read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(path, tmp_path):
    path.symlink_to(tmp_path / "nowhere")
    make_env(path, {})
    assert not (tmp_path / "nowhere").exists()


def test_a_configured_environment_needs_no_file(path):
    assert make_env(path, {"SECRET_KEY": "theirs"}) == "Settings come from the environment."
    assert not path.exists()


def test_the_demo_stays_on_this_machine_and_sends_no_mail(path):
    make_env(path, {})
    env = read(path)
    assert env("SITE_URL") == "http://localhost:8000"
    assert env.list("ALLOWED_HOSTS") == ["localhost", "127.0.0.1"]
    assert env.email_url("EMAIL_URL")["EMAIL_FILE_PATH"] == "var/mail"
    assert env.list("ALERT_EMAILS") == ["oncall@example.com"]


def test_port_moves_every_address_the_first_time(path):
    make_env(path, {"PORT": "9000"})
    env = read(path)
    (sandbox,) = env.json("EXTRA_CLOUDS")
    assert env("SITE_URL") == "http://localhost:9000"
    assert sandbox["browser_origin"] == "http://127.0.0.1:9001"
    assert {sandbox[f"{name}_host"] for name in ("login", "graph", "outlook")} == {"localhost:9443"}


@pytest.mark.parametrize("port", ["0", "80", "65093", "-1", "nine", "٩٠٠٠", "8000 "])
def test_a_port_that_is_none_writes_nothing(path, port):
    with pytest.raises(BadPort, match="PORT must be a number from 1024 to 65092"):
        make_env(path, {"PORT": port})
    assert not path.exists()


@pytest.mark.processes
def test_its_settings_are_good_enough_to_start(path):
    """Every check but that of the sandbox's certificate, which the sandbox makes."""
    make_env(path, {"PORT": "8123"})
    question = "from config.start import refuse_bad_settings as ask; ask(tolerate='config.E010')"
    given = {name: read(path)(name) for name in read(path).ENVIRON}
    answer = subprocess.run(
        [sys.executable, "-c", question], env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_clouds_are_written_so_that_they_can_be_read_back(path):
    make_env(path, {})
    line = next(line for line in path.read_text().splitlines() if line.startswith("EXTRA_CLOUDS="))
    assert json.loads(line.partition("=")[2].strip("'"))[0]["sandbox"] is True
