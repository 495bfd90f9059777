import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import guardian
from config.guardian import end_groups

from .processes import ROOT, alive, of_session, wait_until

pytestmark = pytest.mark.processes

LAUNCHER = """
import fcntl, sys
from pathlib import Path
from config.children import AskedToStop, Children, Failed
folder, program = Path(sys.argv[1]), sys.argv[2:]
command = lambda text: [sys.executable, "-c", text, str(folder)]
try:
    lock = open(folder / "lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    with Children(folder / "log", lock) as children:
        for number, text in enumerate(program):
            children.start(f"child{number}", command(text), {})
        (folder / "started").touch()
        children.watch()
except AskedToStop:
    print("asked to stop")
except Failed as problem:
    sys.exit(str(problem))
"""

PATIENT = "import time; time.sleep(60)"
STUBBORN = """
import signal, sys, time
for number in (signal.SIGTERM, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
open(sys.argv[1] + "/ready", "w").close()
time.sleep(60)
"""
# A parent with a worker of its own, as a pool has. Each writes down the signals it gets; the parent ends by the first.
POOL = """
import os, signal, sys, time
worker = os.fork()
name = sys.argv[1] + ("/parent" if worker else "/worker")
def heard(number, frame):
    with open(name, "a") as file:
        file.write(signal.Signals(number).name + " ")
    if worker:
        time.sleep(0.3)
        os.kill(worker, signal.SIGKILL)
        sys.exit()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
    signal.signal(number, heard)
open(name + ".ready", "w").close()
while True:
    time.sleep(60)
"""


@pytest.fixture
def launch(tmp_path):
    """Start a launcher of these programs, in a session of its own."""
    started = []

    def launch(*programs: str) -> "subprocess.Popen[str]":
        launcher = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(tmp_path), *programs],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(launcher)
        return launcher

    yield launch
    for launcher in started:
        for pid in of_session(launcher.pid):
            os.kill(pid, signal.SIGKILL)
        launcher.communicate()


def started(folder: Path) -> bool:
    return (folder / "started").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_asked_to_stop_ends_all_and_well(launch, tmp_path, number):
    launcher = launch(PATIENT, PATIENT)
    wait_until(lambda: started(tmp_path))
    launcher.send_signal(number)
    output, errors = launcher.communicate(timeout=60)
    assert (launcher.returncode, output, errors) == (0, "asked to stop\n", "")
    assert of_session(launcher.pid) == set()


def test_a_stop_is_one_signal_to_the_leader_and_none_to_its_pool(launch, tmp_path):
    launcher = launch(POOL)
    wait_until(lambda: (tmp_path / "parent.ready").exists() and (tmp_path / "worker.ready").exists())
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=60)
    assert (tmp_path / "parent").read_text() == "SIGTERM "
    assert not (tmp_path / "worker").exists()


def test_a_second_ctrl_c_hurries_what_does_not_listen(launch, tmp_path):
    launcher = launch(STUBBORN)
    wait_until((tmp_path / "ready").exists)
    launcher.send_signal(signal.SIGINT)
    time.sleep(0.3)
    asked = time.monotonic()
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=60)
    assert time.monotonic() - asked < guardian.PATIENCE
    assert of_session(launcher.pid) == set()


def test_one_that_ends_ends_all_and_its_last_lines_are_shown(launch, tmp_path):
    launcher = launch(PATIENT, "print('a'); print('the reason'); raise SystemExit(7)")
    output, errors = launcher.communicate(timeout=60)
    log = tmp_path / "log" / "child1.log"
    assert launcher.returncode == 1
    assert errors == f"child1 ended (exit status 7). The last lines of {log}:\n  a\n  the reason\n"
    assert of_session(launcher.pid) == set()


def test_nobody_outlives_a_killed_launcher(launch, tmp_path):
    launcher = launch(PATIENT, PATIENT)
    wait_until(lambda: started(tmp_path))
    assert len(of_session(launcher.pid)) == 4  # with the guardian
    launcher.kill()
    wait_until(lambda: of_session(launcher.pid) == set())


def test_the_lock_is_held_while_a_killed_launchers_children_end(launch, tmp_path):
    launcher = launch(STUBBORN)
    wait_until((tmp_path / "ready").exists)
    launcher.kill()
    launcher.wait()
    probe = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    answer = subprocess.run([sys.executable, "-c", probe, str(tmp_path / "lock")], capture_output=True, text=True)
    assert "BlockingIOError" in answer.stderr


def test_the_log_of_the_run_before_is_kept(launch, tmp_path):
    for text in ("first", "second"):
        launch(f"print('{text}')").communicate(timeout=60)
    log = tmp_path / "log" / "child0.log"
    assert log.read_text() == "second\n"
    assert log.with_name("child0.log.1").read_text() == "first\n"


def test_the_guardian_spares_what_ended_before(tmp_path):
    """Its number may belong to somebody else by now."""
    ended, left = (subprocess.Popen([sys.executable, "-c", PATIENT], process_group=0) for _ in range(2))
    try:
        lines = f"+{ended.pid}\n+{left.pid}\n-{ended.pid}\n"
        watch = subprocess.Popen([sys.executable, guardian.__file__], stdin=subprocess.PIPE, text=True)
        watch.stdin.write(lines)
        watch.stdin.close()
        assert left.wait(timeout=60) == -signal.SIGTERM
        watch.wait(timeout=60)
        assert alive(ended.pid)
    finally:
        ended.kill()
        ended.wait()


def test_whoever_ignores_the_guardian_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(guardian, "PATIENCE", 0.2)
    stubborn = subprocess.Popen([sys.executable, "-c", STUBBORN, str(tmp_path)], process_group=0)
    wait_until((tmp_path / "ready").exists)
    end_groups([stubborn.pid])
    assert stubborn.wait(timeout=60) == -signal.SIGKILL
