"""One site in a temporary folder: its servers, its settings, its workers and beats, as somebody would run them."""

import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import django
import redis
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import DatabaseError, connection

from faults.microsoft import Microsoft
from faults.post_office import PostOffice
from faults.processes import Process, Processes, wait_until
from faults.receiver import Receiver
from faults.servers import Postgres, Redis, free_port

CLOUD = "faults"
OPERATOR = "oncall@example.com"
READY_WITHIN = 60
NOTHING: Mapping[str, str] = {}


class Worker:
    """A Celery worker, its database connections named after it, so that a lease can be traced to who took it."""

    def __init__(self, name: str, pool: str, process: Process) -> None:
        self.name = name
        self.pool = pool
        self.process = process


class Site:
    """Everything a round may break. Make it once: Django is set up for it, and the environment is its own."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._started = 0
        self._workers: list[Worker] = []
        self.idle: list[Worker] = []  # whom a round has released
        self.postgres = Postgres(folder / "postgres", processes)
        self.redis = Redis(processes)
        self.microsoft = Microsoft(processes, folder / "microsoft")
        self.mail = PostOffice()
        self.receiver = Receiver(folder / "receiver")
        os.environ.update(self._environment())
        django.setup()
        wait_until(self.is_awake, READY_WITHIN, "PostgreSQL takes connections")
        call_command("migrate", verbosity=0)

    def _environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "SITE_URL": f"http://localhost:{free_port()}",
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "VAR_DIR": str(self._folder / "var"),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url(),
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "ALERT_EMAILS": OPERATOR,
            "WEBHOOK_ALLOW_LOOPBACK": "True",
            "WEBHOOK_CA_FILE": self.receiver.ca_file,
            "EXTRA_CLOUDS": json.dumps([self.microsoft.cloud(CLOUD)]),
        }

    # Processes

    def worker(
        self,
        *,
        pool: str = "threads",
        concurrency: int = 1,
        app: str = "config",
        bells: int = 0,
        environ: Mapping[str, str] = NOTHING,
    ) -> Worker:
        """Started, and not yet ready. It hears the bells that are rung in this database of Redis, and rings there."""
        self._started += 1
        name = f"worker{self._started}"
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            app,
            "worker",
            f"--pool={pool}",
            f"--hostname={name}@localhost",
        ]
        command += [f"--concurrency={concurrency}", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        named = {
            "DATABASE_URL": f"{self.postgres.url}?application_name={name}",
            "REDIS_URL": self.redis.url(bells),
        }
        worker = Worker(name, pool, self._start(name, command, {**named, **environ}))
        self._workers.append(worker)
        return worker

    def dismiss_all(self) -> None:
        """After a round that broke off: nobody goes on with its work."""
        for worker in self._workers:
            worker.process.kill()
        self.idle.clear()

    def beat(self) -> Process:
        self._started += 1
        return self._start(f"beat{self._started}", [sys.executable, "-m", "celery", "-A", "config", "beat"], {})

    def wait_for(self, *processes: Process) -> None:
        """Until each says it is ready; one that ends before that will never be."""
        for process in processes:
            ready = self._folder / f"{process.log.stem}.ready"
            wait_until(
                lambda ready=ready, process=process: ready.exists() or process.ended is not None,  # type: ignore[misc]
                READY_WITHIN,
                f"{process.log.stem} starts",
            )

    def _start(self, name: str, command: list[str], environ: Mapping[str, str]) -> Process:
        ready = {"READY_FILE": str(self._folder / f"{name}.ready")}
        return self._processes.start(name, command, {**os.environ, **ready, **environ})

    # The bells

    def ring(self, task: str, *arguments: object, bells: int = 0) -> None:
        """Send the task as beat or a page would; without a broker it is lost."""
        from config.celery import app

        with app.connection_for_write(self.redis.url(bells)) as broker, suppress(*broker.connection_errors):
            app.send_task(f"monitoring.tasks.{task}", arguments, connection=broker, retry=False)

    def silence(self) -> None:
        """Forget every bell, rung or being worked on."""
        with suppress(redis.RedisError):
            self.redis.client.flushall()

    def is_awake(self) -> bool:
        """Does the database answer?"""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            connection.close()
            return False
        return True


def freeze(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def thaw(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
