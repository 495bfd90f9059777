"""A whole Tenantry in real processes on spare ports: web, worker, sandbox, a second provider if asked for; on http or
https."""

import contextlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
import trustme
import urllib3
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Provider:
    """One sandbox process: its name is its folder's and its cloud's, and `pages` its pages' origin."""

    def __init__(self, folder: Path, name: str, dialect: str) -> None:
        self.name = name
        self.folder = folder / name
        pages_port, token_port = free_port(), free_port()
        self.pages = f"http://127.0.0.1:{pages_port}"
        self.host = f"localhost:{token_port}"
        self.command = [sys.executable, "-m", "sandbox", f"--dialect={dialect}", f"--folder={self.folder}"]
        self.command += [f"--pages-port={pages_port}", f"--token-port={token_port}"]

    def cloud(self, **more: Any) -> dict[str, Any]:
        """Its entry of EXTRA_CLOUDS."""
        hosts = dict.fromkeys(("login_host", "graph_host", "outlook_host"), self.host)
        ca_file = str(self.folder / "ca.pem")
        return {"key": self.name, **hosts, "ca_file": ca_file, "browser_origin": self.pages, **more}


class Site:
    """Started by `with`, stopped and gone after it. `url` is the site's, `pages` and `tokens` the sandbox's origins.

    With `plain` a plain OpenID provider runs beside the sandbox, as the cloud of that key. `settings` are environment
    variables that differ from those of a plain site.
    """

    def __init__(self, folder: Path, scheme: str, *, plain: bool = False, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"{scheme}://localhost:{self.port}"
        sandbox = Provider(folder, "sandbox", "entra")
        sandbox.command.append(f"--mail-folder={folder / 'mail'}")
        self.pages = sandbox.pages
        self.tokens = f"https://{sandbox.host}"
        self.providers = {"sandbox": sandbox}
        clouds = [sandbox.cloud(name="Sandbox", sandbox=True)]
        if plain:
            self.providers["plain"] = Provider(folder, "plain", "plain")
            clouds.append(self.providers["plain"].cloud(name="Plain OpenID provider", admin_consent=False))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._database: str | None = None
        self.environment = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DEBUG": "False",
            "SITE_URL": self.url,
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "VAR_DIR": str(folder),
            "EMAIL_URL": f"filemail:///{folder / 'mail'}",
            "ALERT_EMAILS": "ops@example.com",
            "ORGANIZATION_NAME": "Example Mail",
            "SUPPORT_EMAIL": "help@example.com",
            "EXTRA_CLOUDS": json.dumps(clouds),
            "DATABASE_URL": f"sqlite:///{folder / 'tenantry.sqlite3'}",
            "REDIS_URL": os.environ.get("REDIS_URL", ""),
            **settings,
        }

    def __enter__(self) -> "Site":
        if os.environ.get("DATABASE_URL", "").startswith("postgres"):
            self._make_database(os.environ["DATABASE_URL"])
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=5)
        if self._database:
            with self._postgres() as cursor:
                cursor.execute(f'DROP DATABASE "{self._database}" WITH (FORCE)')

    def manage(self, *arguments: str, input: str = "", **environment: str) -> str:
        """Run one of Tenantry's commands; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sinks(self) -> Iterator[tuple[str, bytes]]:
        """Everything this site wrote: its database as text, its files, logs, mails and queue."""
        yield "the database", "\n".join(self._rows()).encode()
        for path in sorted(self.folder.rglob("*")):
            inner = path.relative_to(self.folder).parts
            if path.is_file() and inner[0] not in (*self.providers, "static") and not inner[0].endswith(".pem"):
                yield "/".join(inner), path.read_bytes()
        if self.environment["REDIS_URL"]:
            yield "Redis", b"\n".join(self._redis())

    def forget_queue(self, name: str) -> None:
        """Redis outlives the site; the folder does not."""
        if self.environment["REDIS_URL"]:
            with redis.Redis.from_url(self.environment["REDIS_URL"]) as store:
                store.delete(name)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if self._database:
            with self._postgres(self._database) as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        with contextlib.closing(sqlite3.connect(self.folder / "tenantry.sqlite3")) as database:
            return database.execute(sql).fetchall()

    def _rows(self) -> Iterator[str]:
        tables = (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            if self._database
            else "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
        for (table,) in self.query(tables):
            for row in self.query(f'SELECT * FROM "{table}"'):
                yield f"{table} {row}"

    def _redis(self) -> Iterator[bytes]:
        with redis.Redis.from_url(self.environment["REDIS_URL"]) as store:
            for key in store.scan_iter():
                kind = store.type(key)
                if kind == b"list":
                    yield from store.lrange(key, 0, -1)
                elif kind == b"hash":
                    yield from store.hvals(key)
                elif kind in (b"set", b"zset"):
                    yield from store.sscan_iter(key) if kind == b"set" else store.zrange(key, 0, -1)

    def _make_database(self, url: str) -> None:
        self._admin_url = url
        name = f"tenantry_e2e_{secrets.token_hex(6)}"
        with self._postgres() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
        self._database = name
        self.environment["DATABASE_URL"] = url.rsplit("/", 1)[0] + "/" + name

    @contextlib.contextmanager
    def _postgres(self, database: str = "") -> Iterator[Any]:
        import psycopg

        url = self._admin_url.rsplit("/", 1)[0] + "/" + database if database else self._admin_url
        with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            yield cursor

    def _start(self) -> None:
        for provider in self.providers.values():
            self._run(provider.name, provider.command)
            self._wait_for(f"{provider.pages}/control/")
        self.manage("migrate", "--verbosity=0")
        self.manage("collectstatic", "--no-input", "--verbosity=0")
        # A browser opens TLS connections in advance, and until it uses them each holds one of gunicorn's threads.
        serve = [sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{self.port}", "--threads=32"]
        self._run("web", [*serve, "--access-logfile=-", *self._certificate()])
        self._run("worker", [sys.executable, "-m", "celery", "-A", "config", "worker", "--pool=threads", "-c4"])
        self._wait_for(f"{self.url}/healthz/")

    def _certificate(self) -> list[str]:
        if not self.url.startswith("https"):
            return []
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.folder / "web-ca.pem")
        issued = authority.issue_cert("localhost")
        certificate, key = self.folder / "web.pem", self.folder / "web-key.pem"
        for part in issued.cert_chain_pems:
            part.write_to_path(certificate, append=True)
        issued.private_key_pem.write_to_path(key)
        return [f"--certfile={certificate}", f"--keyfile={key}"]

    def _run(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _wait_for(self, url: str, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        authority = self.folder / "web-ca.pem"
        pool = urllib3.PoolManager(retries=False, timeout=3, ca_certs=str(authority) if authority.exists() else None)
        with pool:
            while time.monotonic() < deadline:
                with contextlib.suppress(urllib3.exceptions.HTTPError):
                    if pool.request("GET", url, redirect=False).status < 400:
                        return
                gone = [name for name, process in self._processes.items() if process.poll() is not None]
                assert not gone, (self.folder / f"{gone[0]}.log").read_text()
                time.sleep(0.1)
        raise AssertionError(f"{url} did not answer in {seconds} s")
