"""The filters of the list of registrations: what lint says today, and how the last verification ended."""

import pytest
from django.urls import reverse
from django.utils import timezone

from oauth.models import Verification
from tenants.models import Tenant
from tests.factories import make_credential, make_operator, make_registration, make_tenant

pytestmark = pytest.mark.django_db

LIST = reverse("admin:tenants_appregistration_changelist")


@pytest.fixture
def tenant(client, settings) -> Tenant:
    settings.SITE_URL = "https://tenantry.example.com"
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


def listed(client, query: str) -> set[str]:
    return {row.name for row in client.get(f"{LIST}?{query}").context["cl"].result_list}


@pytest.mark.parametrize(
    ("level", "names"),
    [("refused", {"No secret"}), ("later", {"Ends soon"}), ("clean", {"Well"}), ("nonsense", set())],
)
def test_by_the_worst_of_what_lint_says(client, tenant, level, names) -> None:
    for name, days in (("No secret", None), ("Ends soon", 5), ("Well", 200)):
        registration = make_registration(tenant, name=name, scopes=("Mail.Send",))
        if days:
            make_credential(registration, days_left=days)
    assert listed(client, f"lint={level}") == names


@pytest.mark.parametrize(
    ("outcome", "names"),
    [("ok", {"Mended"}), ("failed", {"Broken"}), ("unanswered", set()), ("never", {"New", "Under way"})],
)
def test_by_how_the_last_verification_ended(client, tenant, outcome, names) -> None:
    ended = {"Mended": ("failed", "ok"), "Broken": ("ok", "failed", ""), "New": (), "Under way": ("",)}
    for name, outcomes in ended.items():
        registration = make_registration(tenant, name=name)
        for each in outcomes:
            finished = timezone.now() if each else None
            Verification.objects.create(registration=registration, outcome=each, finished_at=finished)
    assert listed(client, f"verified={outcome}") == names
