"""One row of everything for whoever it belongs to, and canaries in what an operator must not see."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone

from monitoring.models import Alert, Channel, Delivery, DeliveryAlert, Finding, Heartbeat, Outage, Sweep
from oauth.in_entra import InEntra
from oauth.models import AdminGrant, Connection, ConsentAttempt, Link, Mail, RequestCount, Verification
from oauth.report import Step
from staff.models import User
from tenants.fields import SealedField
from tenants.models import AppRegistration, Event, Import, ImportRow, RedirectURI, Tenant, TenantAccess
from tests.factories import (
    make_connection,
    make_credential,
    make_link,
    make_registration,
    make_secret,
    make_tenant,
)

_numbers = count(1)
FOREIGN, PLATFORM = "kanarief", "kanariep"
# Columns that hold no text of a person's, or one that code reads.
NOT_TEXT = {
    "cloud",
    "scope",
    "subject_type",
    "token_digest",
    "state_digest",
    "browser_digest",
    "password",
    "watch",
    "warn_days",
    "target",
}


def fill(tenant: Tenant | None, registration: AppRegistration | None = None) -> list[models.Model]:
    """A row of every model that can belong to this tenant; for None, of every one that can belong to nobody."""
    registration = registration or make_registration(tenant, shared=tenant is None)
    credential = make_credential(registration)
    rows: list[models.Model] = [registration, credential, registration.scope_selections.get()]
    rows.append(RedirectURI.objects.create(registration=registration, uri="https://app.example.com/done"))
    rows.append(make_verification(registration))
    subjects: list[dict[str, Any]] = [{"registration": registration}, {"credential": credential}]
    if tenant:
        link, _ = make_link(registration, tenant=tenant)
        connection = make_connection(registration, tenant=tenant)
        rows += [tenant, link, connection, make_attempt(link, connection), make_mail(link)]
        rows += make_approval(link)
        subjects.append({"connection": connection})
    else:
        count = {"bucket": "open", "address_digest": "0" * 64, "number": 1}
        rows.append(RequestCount.objects.create(window_start=timezone.now(), **count))
        subjects += [{"cloud": "global"}, {"watch": Finding.NIGHT}]
        rows.append(Outage.objects.create(cloud="global", since=timezone.now(), probe_at=timezone.now(), why="Down."))
        rows.append(Heartbeat.objects.create(next_at=timezone.now()))
    rows.append(channel := make_channel(tenant))
    subjects.append({"channel": channel})
    for subject in subjects:
        rows += make_finding(tenant=tenant, **subject)
    scope = f"registration:{registration.pk}"
    user = None if tenant else User.objects.create_user("platform", "platform@example.com", is_staff=True)
    rows.append(Sweep.objects.create(kind="manual", tenant=tenant, scope=scope, planned=2, started_by=user))
    rows += [user, *make_import(user, registration)] if user else []
    rows.append(Event.objects.record(verb="changed", subject=registration, tenant=tenant, changes={"name": ["a", "b"]}))
    return rows


def make_verification(registration: AppRegistration) -> Verification:
    """A finished one."""
    steps = [Step(key="configuration", state="failed", seen="What", todo="Do", actor="operator").kept()]
    return Verification.objects.create(
        registration=registration, steps=steps, outcome="failed", finished_at=timezone.now()
    )


def make_attempt(link: Link, connection: Connection | None = None, **fields: Any) -> ConsentAttempt:
    return ConsentAttempt.objects.create(
        link=link,
        connection=connection,
        cloud="global",
        directory="organizations",
        client_id=link.registration.client_id,
        redirect_uri=link.registration.redirect_uri,
        state_digest=uuid.uuid4().hex,
        browser_digest=uuid.uuid4().hex,
        **fields,
    )


def make_mail(link: Link, **fields: Any) -> Mail:
    """A mail with the link, not sent yet."""
    texts = {"subject": "Please connect", "text": "Hello\n\n{link}"}
    return Mail.objects.create(link=link, **{"kind": "invitation", "address": "ana@example.com", **texts, **fields})


def make_approval(link: Link, **fields: Any) -> list[models.Model]:
    """An administrator's approval by this link, and the attempt it came by."""
    registration = link.registration
    defaults = {"tid": uuid.uuid4(), "client_id": registration.client_id, "scopes": ["Mail.Read"]}
    grant = AdminGrant.objects.create(tenant=link.tenant, registration=registration, **{**defaults, **fields})
    return [grant, make_attempt(link, grant=grant, way="approval", outcome="approved")]


def make_finding(**fields: Any) -> list[models.Model]:
    """An open finding, its alert, its delivery, and that the one carries the other."""
    defaults = {"kind": "secret_invalid", "severity": "critical", "actor": "operator", "what": "What", "remedy": "Do"}
    finding = Finding.objects.create(**{**defaults, **fields})
    alert = Alert.objects.create(finding=finding, epoch=1, step=1)
    target = "email:ops@example.com"
    delivery = Delivery.objects.create(target=target, address="ops@example.com", tenant=fields.get("tenant"))
    return [finding, alert, DeliveryAlert.objects.create(alert=alert, delivery=delivery, target=target), delivery]


def make_import(user: User, registration: AppRegistration | None = None, **fields: Any) -> list[models.Model]:
    """A checked import, and its one row, which would change the registration."""
    defaults = {"kind": "csv", "file_name": "apps.csv", "state": Import.State.CHECKED, "total": 1, "changed": 1}
    upload = Import.objects.create(created_by=user, **{**defaults, **fields})
    row = ImportRow(upload=upload, number=2, registration=registration, outcome="changed", changes={"name": ["a", "b"]})
    row.secret = make_secret()
    row.save(force_insert=True)
    return [upload, row]


def make_channel(tenant: Tenant | None = None, **fields: Any) -> Channel:
    """A channel by email, for one tenant or for all."""
    return Channel.objects.create(
        tenant=tenant, **{"name": "On call", "kind": "email", "addresses": ["a@example.com"], **fields}
    )


def plant(row: models.Model, word: str) -> str:
    """Put a new canary that begins with this word into every text of the row; returns it."""
    canary = f"{word}0{next(_numbers)}"
    changes = dict(_planted(row, canary))
    models.QuerySet(type(row)).filter(pk=row.pk).update(**changes)
    row.refresh_from_db()
    return canary


def _planted(row: models.Model, canary: str) -> Iterator[tuple[str, Any]]:
    for column in row._meta.concrete_fields:
        if column.name in NOT_TEXT or column.choices or column.primary_key or isinstance(column, SealedField):
            continue
        if isinstance(column, models.JSONField):
            yield column.name, _shapes(row, canary).get(column.name, [canary])
        elif isinstance(column, models.EmailField):
            yield column.name, f"{canary}@example.com"
        elif isinstance(column, models.CharField | models.TextField) and (column.max_length or 999) >= len(canary):
            yield column.name, canary


def _shapes(row: models.Model, canary: str) -> dict[str, Any]:
    """What code reads of a column of JSON, with a canary in each text."""
    step = Step(key="configuration", state="failed", seen=canary, todo=canary, notes=(canary,), trace_id=canary)
    client_id = getattr(getattr(row, "registration", None), "client_id", "")
    return {
        "changes": {canary: [canary, canary]},
        "cells": {"name": canary},
        "evidence": {"error": canary},
        "tries": [{"at": canary, "problem": canary}],
        "steps": [step.kept()],
        "in_entra": InEntra(client_id=client_id, name=canary, audience=canary, is_disabled=False).kept(),
    }


@dataclass
class World:
    """What is an operator's own, and what is not: another tenant's, and what belongs to no tenant."""

    own: list[models.Model]
    foreign: list[models.Model]
    platform: list[models.Model]

    @property
    def tenant(self) -> Tenant:
        tenant: Tenant = self.of(Tenant, self.own)[0]
        return tenant

    def of(self, model: type[models.Model], rows: list[models.Model]) -> list[Any]:
        return [row for row in rows if type(row) is model]

    def snapshot(self) -> list[Any]:
        """Everything stored about what is not the operator's."""
        return [
            sorted(models.QuerySet(model).filter(pk__in=[row.pk for row in rows]).values_list(*_names(model)), key=str)
            for model in sorted({type(row) for row in self.foreign + self.platform}, key=str)
            if (rows := self.of(model, self.foreign + self.platform))
        ]


def _names(model: type[models.Model]) -> list[str]:
    # A sealed value without its row compares by its text, which is enough.
    return [column.attname for column in model._meta.concrete_fields]


def make_world() -> World:
    """An own tenant with a connection to a shared registration, another tenant with the same, and the platform."""
    tenant, other = make_tenant("Own Company"), make_tenant("Other Company")
    platform = fill(None)
    shared: Any = platform[0]
    own = [*fill(tenant), *_of_shared(shared, tenant)]
    stranger = User.objects.create_user("stranger", "stranger@example.com", is_staff=True)
    group = Group.objects.create(name="Strangers")
    theirs, *others = _of_shared(shared, other)
    foreign = [*fill(other), theirs, *others, *make_finding(tenant=other, connection=theirs), stranger, group]
    foreign += make_import(stranger, theirs.registration)
    foreign += [TenantAccess.objects.create(tenant=other, user=stranger)]
    for rows, word in ((foreign, FOREIGN), (platform, PLATFORM)):
        for row in rows:
            plant(row, word)
    return World(own, foreign, platform)


def _of_shared(shared: AppRegistration, tenant: Tenant) -> list[models.Model]:
    """What a tenant has of a registration that it shares with others: a connection first."""
    link, _ = make_link(shared, tenant=tenant)
    connection = make_connection(shared, tenant=tenant)
    return [connection, link, make_mail(link), *make_approval(link), make_attempt(link, connection)]


def models_of_ours() -> list[type[models.Model]]:
    return [model for app in ("tenants", "oauth", "monitoring") for model in apps.get_app_config(app).get_models()]
