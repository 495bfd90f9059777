"""What the README promises: in a fresh copy `make run` comes up, lets the operator in, ends on Ctrl-C, keeps all."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from tests.config.processes import of_session, wait_until

UP = "Ctrl-C stops everything."
COLD_SECONDS = 300


def main(copy: Path) -> None:
    port = free_port()
    first = one_run(copy, port)
    second = one_run(copy, port)
    if second["Password"] != first["Password"]:
        sys.exit("The second run has another operator.")
    if "Installing" in second["words"] or "Wrote .env" in second["words"]:
        sys.exit(f"The second run did again what the first had done:\n{second['words']}")


def free_port() -> int:
    """One that is free with the two that PORT moves along: the sandbox's doors."""
    for port in range(18000, 19000):
        with suppress(OSError), ExitStack() as stack:
            for each in (port, port + 1, port + 443):
                stack.enter_context(socket.create_server(("127.0.0.1", each)))
            return port
    sys.exit("No port is free.")


def one_run(copy: Path, port: int) -> dict[str, str]:
    """Up, signed in, asked to stop as a terminal would, gone. Returns its words, and its last block by its labels."""
    words = copy.parent / "words.txt"
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "PYTHONPATH")}
    with words.open("w") as output:
        run = subprocess.Popen(  # noqa: S603
            ["make", "run", f"PORT={port}"],  # noqa: S607
            cwd=copy,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: UP in words.read_text() or run.poll() is not None, COLD_SECONDS)
        if run.poll() is not None:
            sys.exit(f"make run ended:\n{words.read_text()}")
        print(re.sub(r"(?m)^(  Password +)\S+$", r"\1(not shown)", words.read_text()))
        said = dict(re.findall(r"^  (\w+) +(\S+)$", words.read_text(), re.MULTILINE))
        sign_in(said["Admin"], said["Name"], said["Password"])
        asked = time.monotonic()
        os.killpg(run.pid, signal.SIGINT)  # a terminal's Ctrl-C goes to make and what runs in its group
        run.wait(timeout=20)
        print(f"Ended after {time.monotonic() - asked:.1f} s.")
        if left := of_session(run.pid):
            sys.exit(f"Left running: {left}")
    finally:
        for pid in of_session(run.pid):
            os.kill(pid, signal.SIGKILL)
    return said | {"words": words.read_text()}


def sign_in(admin: str, name: str, password: str) -> None:
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    if read(browser, f"{admin.removesuffix('admin/')}healthz/") != "ok":
        sys.exit("/healthz/ is not ok.")
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', read(browser, f"{admin}login/"))
    form = {"csrfmiddlewaretoken": token, "username": name, "password": password, "next": "/admin/"}
    if 'id="logout-form"' not in read(browser, f"{admin}login/", urlencode(form).encode()):
        sys.exit("The operator could not sign in.")


def read(browser: OpenerDirector, url: str, data: bytes | None = None) -> str:
    with browser.open(url, data, timeout=20) as answer:
        return str(answer.read().decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
