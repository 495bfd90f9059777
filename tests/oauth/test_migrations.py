"""Migrations that move data, back and forth over rows that were there before."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

BEFORE, AFTER = ("oauth", "0002_request_count"), ("oauth", "0005_link_public_id_required")


def migrate(target):
    executor = MigrationExecutor(connection)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] in ("staff", "tenants")]  # these stay
    executor.migrate([target])
    return MigrationExecutor(connection).loader.project_state([target, *others]).apps


@pytest.fixture
def latest_afterwards(transactional_db):
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_links_that_were_there_get_public_ids_of_their_own(latest_afterwards):
    apps = migrate(BEFORE)
    tenant = apps.get_model("tenants", "Tenant").objects.create(name="Contoso", slug="contoso")
    registration = apps.get_model("tenants", "AppRegistration").objects.create(tenant=tenant, name="App", client_id="x")
    for number in range(3):
        apps.get_model("oauth", "Link").objects.create(
            tenant=tenant, registration=registration, token_digest=f"{number:064}", expires_at=timezone.now()
        )

    links = migrate(AFTER).get_model("oauth", "Link").objects

    assert len(set(links.values_list("public_id", flat=True)) - {None}) == 3
    assert migrate(BEFORE).get_model("oauth", "Link").objects.count() == 3
