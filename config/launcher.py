"""Runs the whole of Tenantry on this machine: `python -m config.launcher`, what `make run` ends in.

Web, worker and beat; and where a cloud is marked as a sandbox on this machine, the sandbox and its demo.
"""

import errno
import fcntl
import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from django.conf import settings

from config.checks import is_loopback
from config.children import AskedToStop, Children, Failed
from config.make_env import DEFAULT_PORT, BadPort, port_from
from config.start import refuse_bad_settings
from tenants.clouds import Cloud, clouds

CA_FILE_MISSING = "config.E010"  # the sandbox makes its own, once it runs
START_SECONDS = 60.0
MANAGE = [sys.executable, "manage.py"]
CELERY = [sys.executable, "-m", "celery", "-A", "config"]


@dataclass(frozen=True)
class Plan:
    """What to start, and where it answers."""

    site_url: str
    web_port: int
    sandbox: Cloud | None

    @property
    def sandbox_ports(self) -> tuple[int, int]:
        """Its pages and its token door."""
        if not self.sandbox:
            raise ValueError("no sandbox")
        pages, door = urlsplit(self.sandbox.sign_in_origin), urlsplit(f"//{self.sandbox.login_host}")
        return pages.port or 80, door.port or 443


def main() -> int:
    refuse_bad_settings(tolerate=CA_FILE_MISSING)
    try:
        plan = plan_from(settings.SITE_URL, os.environ.get("PORT", ""))
        with only_launcher(settings.VAR_DIR) as lock:
            refuse_taken_ports(plan)
            with Children(settings.VAR_DIR / "log", lock) as children:
                run(plan, children)
    except (Failed, BadPort) as problem:
        print(problem, file=sys.stderr)
        return 1
    except AskedToStop:
        print("Stopped.")
    return 0


def plan_from(site_url: str, port_text: str) -> Plan:
    """PORT moves where the site listens, and its address too unless a proxy answers there."""
    site = urlsplit(site_url)
    port = port_from(port_text)
    if site.scheme == "http":  # so it is on this machine alone: a bad start elsewhere
        if not port_text:
            port = site.port or DEFAULT_PORT
        site_url = f"http://{site.hostname}:{port}"
    sandboxes = [cloud for cloud in clouds().values() if cloud.sandbox and is_loopback(cloud.login_host)]
    return Plan(site_url, port, sandboxes[0] if sandboxes else None)


@contextmanager
def only_launcher(var_dir: Path) -> Iterator[IO[str]]:
    """Hold var_dir for this launcher; two would share one queue, one database and one sandbox."""
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (var_dir / "launcher.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            other = f"Tenantry already runs from {var_dir} (process {lock.read().strip()})."
            raise Failed(f"{other} Stop that one first: Ctrl-C where it runs.") from None
        lock.truncate(0)
        print(os.getpid(), file=lock, flush=True)
        yield lock


def refuse_taken_ports(plan: Plan) -> None:
    refuse_taken_port(plan.web_port, "Stop that program, or choose another port: PORT=9000 make run")
    if plan.sandbox:
        for port in plan.sandbox_ports:
            refuse_taken_port(port, f"Stop that program, or write another port for {port} in EXTRA_CLOUDS in .env.")


def refuse_taken_port(port: int, way_out: str) -> None:
    # Browsers may take ::1 for localhost first: a program that listens only there would answer in our place.
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as problem:
                if problem.errno == errno.EADDRINUSE:
                    raise Failed(f"Port {port} on {address} is taken by another program. {way_out}") from None


def run(plan: Plan, children: Children) -> None:
    """Everything up in its order, then watch over it."""
    try:
        start(plan, children)
        print(welcome(plan), flush=True)
        children.watch()
    except AskedToStop:
        say("\nStopping; Ctrl-C again hurries.")
        raise


def start(plan: Plan, children: Children) -> None:
    if plan.site_url != settings.SITE_URL:
        say(f"PORT moves the site to {plan.site_url} this time; SITE_URL in .env says {settings.SITE_URL}.")
    env = {**os.environ, "SITE_URL": plan.site_url, "PYTHONUNBUFFERED": "1"}
    if plan.sandbox:
        say("Starting the sandbox...")
        start_sandbox(plan, plan.sandbox, children, env)
    say("Preparing the database...")
    children.run("migrate", [*MANAGE, "migrate", "--no-input"], env)
    say("Collecting static files...")
    children.run("collectstatic", [*MANAGE, "collectstatic", "--no-input"], env)
    if plan.sandbox:
        say("Loading the demo...")
        children.run("load_demo", [*MANAGE, "load_demo"], env)
    say("Starting the site, the worker and the clock...")
    start_site(plan, children, env)


def start_sandbox(plan: Plan, sandbox: Cloud, children: Children, env: dict[str, str]) -> None:
    pages, door = plan.sandbox_ports
    folder = Path(sandbox.ca_file).parent if sandbox.ca_file else settings.VAR_DIR / "sandbox"
    command = [sys.executable, "-m", "sandbox", "--folder", str(folder)]
    command += ["--pages-port", str(pages), "--token-port", str(door)]
    if keeps_mail():
        command += ["--mail-folder", settings.EMAIL_FILE_PATH]
    children.start("sandbox", command, env)
    children.wait_for("sandbox", lambda: answers(pages, "127.0.0.1", "/control/"), START_SECONDS)


def start_site(plan: Plan, children: Children, env: dict[str, str]) -> None:
    web = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{plan.web_port}"]
    children.start("web", [*web, "config.wsgi"], env)
    # Threads: one process, quick to ring and to stop. They know no time limits, but every call out has its timeout.
    worker = [*CELERY, "worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "INFO"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    start_celery("worker", worker, children, env)
    start_celery("beat", [*CELERY, "beat", "--loglevel", "INFO"], children, env)
    host = urlsplit(plan.site_url).hostname or ""
    children.wait_for("web", lambda: answers(plan.web_port, host, "/healthz/"), START_SECONDS)
    for name in ("worker", "beat"):
        children.wait_for(name, ready_file(name).exists, START_SECONDS)


def start_celery(name: str, command: Sequence[str], children: Children, env: dict[str, str]) -> None:
    ready_file(name).unlink(missing_ok=True)
    children.start(name, command, {**env, "READY_FILE": str(ready_file(name))})


def ready_file(name: str) -> Path:
    return Path(settings.VAR_DIR) / "log" / f"{name}.ready"


def answers(port: int, host: str, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def welcome(plan: Plan) -> str:
    lines = [("Admin", f"{plan.site_url}/admin/")]
    if plan.sandbox:
        operator = json.loads((settings.VAR_DIR / "demo.json").read_text())
        control = f"{plan.sandbox.sign_in_origin}/control/"
        lines += [("Name", operator["username"]), ("Password", operator["password"]), ("Sandbox", control)]
        if keeps_mail():
            lines.append(("Mail", f"{control}mail/"))
    lines.append(("Logs", str(settings.VAR_DIR / "log")))
    block = "\n".join(f"  {label:<10}{value}" for label, value in lines)
    return f"\nTenantry is running.\n\n{block}\n\nCtrl-C stops everything.\n"


def keeps_mail() -> bool:
    return bool(settings.EMAIL_BACKEND == "django.core.mail.backends.filebased.EmailBackend")


def say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
