"""Makes .venv and installs what Tenantry needs: `python3 config/bootstrap.py`, with --dev also what its tests need.

Runs before anything is installed and under whatever Python somebody has: standard library only, and no syntax that
Python 3.6 could not read, so that an old one gets a sentence and not a SyntaxError.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
RUN = ["requirements.txt", "requirements-sandbox.txt"]
DEV = [*RUN, "requirements-dev.txt"]
STAMP = "tenantry-installed.json"
LAST_LINES = 15


class Stop(Exception):
    """What went wrong and what to do about it."""


def main(arguments: "list[str]") -> None:
    try:
        prepare(ROOT, DEV if "--dev" in arguments else RUN)
    except Stop as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")


def prepare(root: str, locks: "list[str]", version: "tuple[int, ...]" = sys.version_info[:3]) -> None:
    """Leave a .venv in root that holds what the lock files say; costs next to nothing when it does already."""
    refuse_old_python(version)
    folder = os.path.join(root, ".venv")
    if not works(folder):
        make(folder, version)
    stamp = os.path.join(folder, STAMP)
    wanted = {name: digest(os.path.join(root, name)) for name in locks}
    installed = read_stamp(stamp)
    if all(installed.get(name) == value for name, value in wanted.items()):
        return
    install(root, folder, locks)
    with open(stamp, "w") as file:
        json.dump(wanted, file)


def refuse_old_python(version: "tuple[int, ...]") -> None:
    if tuple(version[:2]) >= OLDEST:
        return
    newer = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    way_out = (
        f"Choose another: make run PYTHON={newer[0]}"
        if newer
        else "Install a newer one and name it: make run PYTHON=python3.12"
    )
    raise Stop(f"Tenantry needs Python {text_of(OLDEST)} or newer; {sys.executable} is {text_of(version)}. {way_out}")


def works(folder: str) -> bool:
    """Whether folder is a whole virtual environment: its interpreter runs, is new enough, and has pip."""
    question = f"import pip, sys; sys.exit(sys.version_info < {OLDEST} or sys.prefix == sys.base_prefix)"
    return succeeds([interpreter(folder), "-I", "-c", question])


def make(folder: str, version: "tuple[int, ...]") -> None:
    if os.path.lexists(folder):
        if not nothing_is_lost_with(folder):
            raise Stop(f"{folder} is no virtual environment that Tenantry can use. Remove it: rm -r {folder}")
        say(f"Repairing {folder}, which is not whole...")
    else:
        say(f"Making a virtual environment in {folder}...")
    status, output = run([sys.executable, "-m", "venv", "--clear", folder])
    if status == 0 and works(folder):
        return
    if not succeeds([sys.executable, "-c", "import ensurepip, venv"]):
        package = f"python{text_of(version[:2])}-venv"
        raise Stop(f"This Python cannot make virtual environments. On Debian and Ubuntu: apt install {package}")
    raise Stop(f"{output}\nThe virtual environment could not be made. Mend that, then: rm -r {folder}")


def nothing_is_lost_with(folder: str) -> bool:
    """Whether folder is empty or a virtual environment, however broken; never through a link to somewhere else."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        return False
    return not os.listdir(folder) or os.path.isfile(os.path.join(folder, "pyvenv.cfg"))


def install(root: str, folder: str, locks: "list[str]") -> None:
    say("Installing packages; the first time takes a minute...")
    command = [interpreter(folder), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "--require-hashes"]
    for name in locks:
        command += ["-r", os.path.join(root, name)]
    status, output = run(command, on_line=Progress())
    if status:
        raise Stop(
            f"{output}\nThe packages could not be installed; above is what pip said last. "
            "Without a network or behind a proxy, mend that; then run the same command again."
        )
    say("Installed.")


class Progress:
    """Counts packages on a terminal while pip works; silent where output goes to a file."""

    def __init__(self) -> None:
        self.packages = 0

    def __call__(self, line: str) -> None:
        if not sys.stdout.isatty():
            return
        if line.startswith(("Collecting ", "Requirement already")):
            self.packages += 1
            sys.stdout.write(f"\r  {self.packages} packages")
        elif line.startswith("Installing collected"):
            sys.stdout.write(f"\r  {self.packages} packages, unpacking\n")
        sys.stdout.flush()


def run(command: "list[str]", on_line: "Progress | None" = None) -> "tuple[int, str]":
    """The exit status and the last lines of what the command printed."""
    with subprocess.Popen(  # noqa: S603  our own interpreter
        command,
        env=dict(os.environ, PIP_USER="0"),  # a person's own pip.conf may say user = true, which fails in a .venv
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if on_line:
                on_line(line)
    return process.returncode, "".join(lines[-LAST_LINES:]).strip()


def succeeds(command: "list[str]") -> bool:
    try:
        return run(command)[0] == 0
    except OSError:
        return False


def interpreter(folder: str) -> str:
    return os.path.join(folder, "bin", "python")


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def read_stamp(path: str) -> "dict[str, str]":
    try:
        with open(path) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def text_of(version: "tuple[int, ...]") -> str:
    return ".".join(str(part) for part in version)


def say(sentence: str) -> None:
    print(sentence)
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
