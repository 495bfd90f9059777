import ast
import json
import os
import sys
from pathlib import Path

import pytest

from config import bootstrap
from config.bootstrap import Stop, prepare

LOCK = "requirements.txt"


@pytest.fixture
def root(tmp_path):
    """A project that needs no package at all."""
    (tmp_path / LOCK).write_text("")
    return tmp_path


def stopped(root: Path, **given) -> str:
    with pytest.raises(Stop) as stop:
        prepare(str(root), [LOCK], **given)
    return str(stop.value)


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_an_old_python_can_read_the_file_that_refuses_it():
    ast.parse(Path(bootstrap.__file__).read_text(), feature_version=(3, 6))


def test_an_old_python_is_refused_by_name_and_version(root, monkeypatch):
    monkeypatch.setenv("PATH", str(root))
    message = stopped(root, version=(3, 9, 2))
    assert message == (
        f"Tenantry needs Python 3.11 or newer; {sys.executable} is 3.9.2. "
        "Install a newer one and name it: make run PYTHON=python3.12"
    )


def test_an_old_python_names_the_newer_one_beside_it(root, monkeypatch):
    executable(root / "bin" / "python3.12", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(root / "bin"))
    assert "make run PYTHON=python3.12" in stopped(root, version=(3, 10, 0))


def test_a_python_without_venv_names_debians_package(root, monkeypatch):
    bare = executable(root / "bin" / "python3", "#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(sys, "executable", str(bare))
    assert stopped(root, version=(3, 11, 2)).endswith("apt install python3.11-venv")


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_what_is_no_virtual_environment_is_left_alone(root, what):
    folder = root / ".venv"
    if what == "file":
        folder.write_text("mine")
    elif what == "folder":
        folder.mkdir()
        (folder / "mine.txt").touch()
    else:
        (root / "elsewhere").mkdir()
        folder.symlink_to(root / "elsewhere")
    assert stopped(root) == f"{folder} is no virtual environment that Tenantry can use. Remove it: rm -r {folder}"
    assert folder.exists()


@pytest.mark.processes
def test_a_half_made_environment_is_repaired_and_then_costs_nothing(root, capsys):
    folder = root / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /nowhere\n")
    (folder / "bin" / "python").symlink_to("/nowhere/python3")

    prepare(str(root), [LOCK])
    assert f"Repairing {folder}" in capsys.readouterr().out
    assert os.access(folder / "bin" / "pip", os.X_OK)
    assert json.loads((folder / bootstrap.STAMP).read_text())[LOCK]

    prepare(str(root), [LOCK])
    assert capsys.readouterr().out == ""

    (root / LOCK).write_text(f"nothing @ {(root / 'missing.whl').as_uri()} --hash=sha256:{'0' * 64}\n")
    message = stopped(root)
    assert "missing.whl" in message
    assert "run the same command again" in message
    assert json.loads((folder / bootstrap.STAMP).read_text()) != {LOCK: bootstrap.digest(str(root / LOCK))}


def test_a_refusal_is_one_sentence_without_a_traceback(root):
    (root / "config").mkdir()
    copy = root / "config" / "bootstrap.py"
    copy.write_text(Path(bootstrap.__file__).read_text())
    (root / ".venv").write_text("mine")
    status, output = bootstrap.run([sys.executable, str(copy)])
    assert status == 1
    assert output.startswith(f"{root / '.venv'} is no virtual environment")
    assert "Traceback" not in output
