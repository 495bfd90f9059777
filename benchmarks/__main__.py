"""`make bench`: takes every figure of the night's check and prints it as `name: value`.

Each is a ratio of two things measured side by side in this run. It fails if one cannot be taken or misses its bound.
`--quick` takes them at a fifth of the size, for development.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import urllib3

from benchmarks import baselines, site
from benchmarks.baselines import TokenRequest
from benchmarks.rotation import token_calls_per_need

IN_FLIGHT = 128
ANSWER_SECONDS = 0.05
BOUNDS = {
    "sweep_vs_requests": (">=", 0.9),
    "sweep_vs_urllib3": (">=", 0.55),
    "sweep_vs_naive": (">=", 30),
    "sweep_growth": ("<=", 1.15),
    "sweep_memory_growth": ("<=", 1.2),
    "sweep_memory_mb": ("<=", 300),
    "sweep_db_round_trips": ("<=", 0.2),
    "token_calls_per_need": ("==", 1.0),
}


@dataclass(frozen=True)
class Responder:
    """The answering side, as seen from here."""

    host: str
    ca_file: str

    def statistics(self) -> dict[str, float]:
        with urllib3.PoolManager(ca_certs=self.ca_file, timeout=10) as pool:
            got: dict[str, float] = json.loads(pool.request("GET", f"https://{self.host}/statistics").data)
        return got


@contextmanager
def responder(folder: Path) -> Any:
    command = [sys.executable, "-m", "benchmarks.responder", str(folder), str(ANSWER_SECONDS)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101
        yield Responder(f"localhost:{int(process.stdout.readline())}", str(folder / "ca.pem"))
    finally:
        process.communicate()


@dataclass
class Rate:
    """How many requests in how much time, over several rounds; and what CPU either side took."""

    requests: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    answering_cpu: float = 0.0

    def add(self, requests: int, seconds: float, cpu: float, answering_cpu: float) -> None:
        self.requests += requests
        self.seconds += seconds
        self.cpu += cpu
        self.answering_cpu += answering_cpu

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def __str__(self) -> str:
        mine, theirs = (1000 * used / self.requests for used in (self.cpu, self.answering_cpu))
        return f"{self.per_second:.0f} a second, {mine:.2f} ms CPU a request (answering side {theirs:.2f} ms)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the size, for development")
    scale = 5 if parser.parse_args().quick else 1
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, site.own_database() as database:
        os.environ |= site.environment(database, IN_FLIGHT)
        django.setup()
        with responder(Path(folder)) as answering:
            figures = Bench(answering, scale).take()
        figures["token_calls_per_need"] = token_calls_per_need(Path(folder), 40 if scale > 1 else 200)
    return report(figures)


def report(figures: dict[str, float]) -> int:
    missed = []
    for name, (sign, bound) in BOUNDS.items():
        value = figures[name]
        print(f"{name}: {value:.3g}" if value < 100 else f"{name}: {value:.0f}")
        holds = {">=": value >= bound, "<=": value <= bound, "==": round(value, 2) == bound}[sign]
        if not holds:
            missed.append(f"{name} is to be {sign} {bound}")
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


@dataclass
class Bench:
    answering: Responder
    scale: int
    rates: dict[str, Rate] = field(default_factory=dict)

    def take(self) -> dict[str, float]:
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        small, large, loop = (size // self.scale for size in (5_000, 50_000, 12_000))
        site.fill(small)
        connection.close()
        few = [self.sweep("sweep of few") for _ in range(2)]
        site.fill(large - small)
        connection.close()
        self.loop("requests", baselines.over_requests, loop)
        self.loop("urllib3", baselines.over_urllib3, loop)
        many = self.sweep("sweep")
        self.loop("urllib3", baselines.over_urllib3, loop)
        self.loop("requests", baselines.over_requests, loop)
        self.naive(300 // self.scale)
        for name, rate in self.rates.items():
            print(f"{name}: {rate.requests} requests, {rate}")
        rows = many["rows"]
        return {
            "sweep_vs_requests": self.rates["sweep"].per_second / self.rates["requests"].per_second,
            "sweep_vs_urllib3": self.rates["sweep"].per_second / self.rates["urllib3"].per_second,
            "sweep_vs_naive": self.rates["sweep"].per_second / self.rates["naive"].per_second,
            "sweep_growth": many["seconds"] / rows / min(one["seconds"] / one["rows"] for one in few),
            "sweep_memory_growth": many["peak_mb"] / max(one["peak_mb"] for one in few),
            "sweep_memory_mb": many["peak_mb"],
            "sweep_db_round_trips": many["round_trips"] / rows,
        }

    def sweep(self, name: str) -> dict[str, float]:
        """One worker process at one sweep of everything; every row must come out as checked."""
        from django.db import connection

        from monitoring.models import Sweep

        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # as autovacuum would have, before the night
        started = Sweep.objects.start_manual()
        connection.close()
        before = self.answering.statistics()
        command = [sys.executable, "-m", "benchmarks.worker", str(started.pk)]
        command += [self.answering.host, self.answering.ca_file]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        after = self.answering.statistics()
        took: dict[str, float] = json.loads(done.stdout)
        started.refresh_from_db()
        asked = sum(after[kind] - before[kind] for kind in ("app", "refresh"))
        if not started.planned == started.done == took["rows"] == asked:
            raise SystemExit(f"{name}: {started.planned} planned, {started.done} checked, {asked:.0f} asked")
        rate = self.rates.setdefault(name, Rate())
        rate.add(int(asked), took["seconds"], took["cpu_seconds"], after["cpu_seconds"] - before["cpu_seconds"])
        return took

    def loop(self, name: str, way: Callable[[str, str, int], Callable[[TokenRequest], int]], number: int) -> None:
        asks = requests_for(number)
        send = way(self.answering.host, self.answering.ca_file, IN_FLIGHT)
        self._measure(name, number, lambda: baselines.in_threads(IN_FLIGHT, send, asks))

    def naive(self, number: int) -> None:
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            os.environ.pop(variable, None)  # they would win over the CA that is named
        asks = [ask for ask in requests_for(number) if ask.refresh_token]
        way = baselines.naive(self.answering.host, self.answering.ca_file, asks)
        self._measure("naive", len(asks), lambda: sum(way))

    def _measure(self, name: str, number: int, run: Callable[[], int]) -> None:
        before, used, begun = self.answering.statistics(), _cpu(), time.perf_counter()
        answered = run()
        seconds, cpu = time.perf_counter() - begun, _cpu() - used
        after = self.answering.statistics()
        if answered != number:
            raise SystemExit(f"{name}: {answered} of {number} requests were answered")
        self.rates.setdefault(name, Rate()).add(number, seconds, cpu, after["cpu_seconds"] - before["cpu_seconds"])


def requests_for(number: int) -> list[TokenRequest]:
    """The same requests that a sweep of what is in the database makes, of both kinds as many as there."""
    from oauth.models import Connection

    rows: Iterable[Any] = Connection.objects.order_by("?").select_related("registration")[:number]
    asks = []
    for place, row in enumerate(rows):
        token = row.refresh_token.reveal("bench") if place % (site.CONNECTIONS_EACH + 1) else ""
        asks.append(TokenRequest(str(row.tid), row.client_id, site.SECRET, token))
    return asks


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
