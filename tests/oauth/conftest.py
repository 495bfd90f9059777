import pytest

from tests.oauth.consenting import World, make_world


@pytest.fixture
def site_url(settings) -> str:
    """Entra registers plain http for localhost only, and so does the sandbox."""
    settings.SITE_URL = "http://localhost:8000"
    return "http://localhost:8000"


@pytest.fixture
def world(db, site_url, microsoft, cloud) -> World:
    """A tenant that is ready to consent."""
    return make_world(microsoft, cloud)
