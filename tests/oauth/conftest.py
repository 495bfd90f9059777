import pytest
from django.utils import timezone

from oauth.models import Link
from tenants.models import AppRegistration
from tests.factories import make_link, make_registration
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


@pytest.fixture
def threaded_world(transactional_db, site_url, microsoft, cloud) -> World:
    """The same for threads, each with a database connection of its own."""
    return make_world(microsoft, cloud)


@pytest.fixture
def open_world(db, site_url, microsoft, cloud) -> World:
    """A registration that many directories share, so that only the link says who may come."""
    return make_world(microsoft, cloud, audience="AzureADMultipleOrgs", shared=True, directory="")


@pytest.fixture
def draft(world) -> AppRegistration:
    """A registration of the world's tenant that Entra knows and Tenantry does not, yet."""
    AppRegistration.objects.filter(pk=world.registration.pk).update(archived_at=timezone.now())
    return make_registration(world.link.tenant, cloud="sandbox", client_id="", directory="")


@pytest.fixture
def link(client, draft) -> Link:
    """By which its secret may be dropped, opened by the client."""
    made, token = make_link(draft, purpose=Link.Purpose.SECRET)
    assert client.get(f"/c/{token}/").status_code == 303
    return made
