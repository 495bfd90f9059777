from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sandbox.server import Sandbox
    from tenants.clouds import Cloud
    from tests.microsoft import Microsoft


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


@pytest.fixture
def cloud(sandbox: Sandbox, settings: Any) -> Cloud:
    """The sandbox as the one extra cloud, known by configuration alone."""
    from tenants import clouds

    settings.EXTRA_CLOUDS = [sandbox.cloud()]
    return clouds.cloud("sandbox")
