from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from celery.signals import before_task_publish
from django.db import connection

if TYPE_CHECKING:
    from sandbox.server import Sandbox
    from tenants.clouds import Cloud
    from tests.microsoft import Microsoft

PROCESSES = ("tests/config/", "tests/e2e/")  # in whose tests whole processes use the database


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--another-database",
        action="store_true",
        help="Only what sees the database: for a second run on another one, as all else would come out the same.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--another-database"):
        _leave_out(config, items, {item for item in items if not _sees_the_database(item)})
    if connection.vendor != "postgresql":
        _leave_out(config, items, {item for item in items if item.get_closest_marker("row_locks")})


def _leave_out(config: pytest.Config, items: list[pytest.Item], left_out: set[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def _sees_the_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures or item.get_closest_marker("django_db") or item.nodeid.startswith(PROCESSES))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The Microsoft in the box, its real doors open on loopback for the whole run."""
    from sandbox.server import Sandbox

    with Sandbox(tmp_path_factory.mktemp("sandbox")) as box:
        yield box


@pytest.fixture
def microsoft(sandbox: Sandbox) -> Microsoft:
    """The tests' hand on the sandbox: an empty world."""
    from tests.microsoft import Microsoft

    world = Microsoft(sandbox.pages_origin)
    world.reset()
    return world


@pytest.fixture(scope="session")
def plain_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Another provider, with doors and a certificate authority of its own: plain OpenID Connect, nothing of Entra's."""
    from sandbox.server import Sandbox

    with Sandbox(tmp_path_factory.mktemp("plain-sandbox"), dialect="plain") as box:
        yield box


@pytest.fixture
def plain(plain_sandbox: Sandbox) -> Microsoft:
    """The tests' hand on the plain provider: an empty world."""
    from tests.microsoft import Microsoft

    world = Microsoft(plain_sandbox.pages_origin)
    world.reset()
    return world


@pytest.fixture
def cloud(sandbox: Sandbox, settings: Any) -> Cloud:
    """The sandbox as the one extra cloud, known by configuration alone."""
    from tenants import clouds

    settings.EXTRA_CLOUDS = [sandbox.cloud()]
    return clouds.cloud("sandbox")


@pytest.fixture
def rung() -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """The bells that were rung: name and arguments of every task sent to the broker."""
    bells: list[tuple[str, tuple[Any, ...]]] = []

    def note(sender: str, body: Any, **kwargs: Any) -> None:
        bells.append((sender, tuple(body[0])))

    before_task_publish.connect(note, weak=False)
    yield bells
    before_task_publish.disconnect(note)
