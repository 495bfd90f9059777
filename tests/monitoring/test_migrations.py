"""Migrations that move data, back and forth over rows that were there before."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE = ("monitoring", "0001_initial")
AFTER = ("monitoring", "0004_deliveries_carry_alerts_required")


def migrate(target):
    executor = MigrationExecutor(connection)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] != target[0]]  # they stay where they are
    executor.migrate([target])
    return MigrationExecutor(connection).loader.project_state([target, *others]).apps


@pytest.fixture
def latest_afterwards(transactional_db):
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_deliveries_that_were_there_carry_their_alert_and_are_what_they_were_again(latest_afterwards):
    apps = migrate(BEFORE)
    tenant = apps.get_model("tenants", "Tenant").objects.create(name="Contoso", slug="contoso")
    registration = apps.get_model("tenants", "AppRegistration").objects.create(tenant=tenant, name="App", client_id="x")
    finding = apps.get_model("monitoring", "Finding").objects.create(
        tenant=tenant, registration=registration, kind="secret_ending", severity="warning", actor="operator", step=2
    )
    alerts = [
        apps.get_model("monitoring", "Alert").objects.create(finding=finding, epoch=1, step=step) for step in (1, 2)
    ]
    for alert in alerts:
        apps.get_model("monitoring", "Delivery").objects.create(alert=alert, address="Ops@Example.com")

    apps = migrate(AFTER)
    carried = apps.get_model("monitoring", "DeliveryAlert").objects.order_by("alert_id")
    assert [row.alert_id for row in carried] == [alert.pk for alert in alerts]
    assert {row.target for row in carried} == {"email:ops@example.com"}
    deliveries = apps.get_model("monitoring", "Delivery").objects.all()
    assert {(row.target, row.tenant_id) for row in deliveries} == {("email:ops@example.com", tenant.pk)}
    steps = apps.get_model("monitoring", "Alert").objects.order_by("pk").values_list("step", flat=True)
    assert list(steps) == [970, 1000]

    apps = migrate(BEFORE)
    deliveries = apps.get_model("monitoring", "Delivery").objects.order_by("alert_id")
    assert [(row.alert_id, row.address) for row in deliveries] == [(alert.pk, "Ops@Example.com") for alert in alerts]
    steps = apps.get_model("monitoring", "Alert").objects.order_by("pk").values_list("step", flat=True)
    assert list(steps) == [1, 2]
