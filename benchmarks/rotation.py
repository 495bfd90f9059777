"""Eight processes at the same connections at once, against a sandbox where a refresh token works once.

It runs on a database of its own, for the sandbox is a cloud of its own and its doors must be known before the site is.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import site

PROCESSES = 8
SCRIPT = "from benchmarks import rotation; rotation.connect_people()"


def token_calls_per_need(folder: Path, people: int) -> float:
    """Refreshes that the sandbox was asked for, over those that were needed. Fails if a connection died of it."""
    from sandbox.server import Sandbox
    from tests.microsoft import Microsoft

    with site.own_database() as database, Sandbox(folder / "sandbox", dialect="plain") as box:
        own = site.environment(database, 16, json.dumps([box.cloud()]))
        environment = {**os.environ, **own, "BENCH_PAGES": box.pages_origin, "BENCH_PEOPLE": str(people)}
        environment["CHECKS_PER_SECOND"] = "100000"
        prepared = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        sweep = prepared.stdout.split()[-1]
        microsoft = Microsoft(box.pages_origin)
        before = len(_refreshes(microsoft))
        command = [sys.executable, "-m", "benchmarks.worker", sweep]
        workers = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(PROCESSES)]
        if any(worker.wait(timeout=600) for worker in workers):
            raise SystemExit("token_calls_per_need: a worker failed")
        calls = len(_refreshes(microsoft)) - before
        script = "from benchmarks import rotation; rotation.say_how_many_live()"
        lived = subprocess.run(
            [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    print(f"token_calls_per_need: {PROCESSES} processes, {people} connections, {calls} refreshes")
    if int(lived.stdout) != people:
        raise SystemExit(f"token_calls_per_need: only {lived.stdout.strip()} of {people} connections are alive")
    return calls / people


def _refreshes(microsoft):  # type: ignore[no-untyped-def]
    return [asked for asked in microsoft.token_requests() if asked["grant_type"] == "refresh_token"]


def connect_people() -> None:
    """In a process of its own: people who consent at the sandbox, and a sweep of all of them. Prints its number."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from monitoring.models import Sweep
    from oauth.entra import EntraClient
    from tenants.clouds import clouds
    from tenants.scopes import request_scopes
    from tests.factories import make_connection, make_credential, make_registration
    from tests.microsoft import Microsoft

    microsoft = Microsoft(os.environ["BENCH_PAGES"])
    (cloud,) = (cloud for cloud in clouds().values() if not cloud.built_in)
    directory = microsoft.add_directory("Contoso", "contoso.example")["id"]
    uri = f"http://localhost:8000/oauth/callback/{cloud.key}/"
    app = microsoft.add_app(directory=directory, redirect_uris=[uri])
    secret = microsoft.add_secret(app["client_id"])["value"]
    registration = make_registration(cloud=cloud.key, directory=directory, client_id=app["client_id"])
    make_credential(registration, value=secret)
    client = EntraClient(cloud, directory, app["client_id"], secret)
    for number in range(int(os.environ["BENCH_PEOPLE"])):
        person = microsoft.add_person(directory, f"Person {number}", f"person{number}@contoso.example")
        flow = client.begin(scopes=request_scopes(["Mail.ReadOnly"], cloud), redirect_uri=uri)
        grant = client.redeem(flow, microsoft.sign_in(flow["auth_uri"], person["oid"]).fields)
        make_connection(
            registration,
            refresh_token=grant.refresh_token,
            tid=directory,
            oid=person["oid"],
            scopes_granted=list(grant.scopes),
        )
    print(Sweep.objects.start_manual().pk)


def say_how_many_live() -> None:
    import django

    django.setup()
    from oauth.models import Connection

    print(Connection.objects.filter(token_status="active", checked_at__isnull=False).count())
