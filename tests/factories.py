"""Plain functions with working defaults, so that a test states only what matters to it."""

import secrets
import uuid
from datetime import timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from oauth.models import Connection, Link
from staff.models import User
from tenants.models import AppRegistration, Credential, ScopeSelection, Tenant, TenantAccess

_numbers = count(1)


def make_secret() -> str:
    """A value of the length of a client secret, new each time and plainly not real."""
    return f"not-a-real-secret-{secrets.token_urlsafe(16)}"


def make_tenant(name: str = "", **fields: Any) -> Tenant:
    number = next(_numbers)
    name = name or f"Tenant {number}"
    return Tenant.objects.create(name=name, **{"slug": f"tenant-{number}", **fields})


def make_registration(
    tenant: Tenant | None = None, *, shared: bool = False, scopes: tuple[str, ...] = ("Mail.ReadOnly",), **fields: Any
) -> AppRegistration:
    """A single-tenant registration with scopes ticked; `shared` makes one of no tenant."""
    if tenant is None and not shared:
        tenant = make_tenant()
    defaults = {"name": f"App {next(_numbers)}", "directory": str(uuid.uuid4()), "client_id": str(uuid.uuid4())}
    if shared:
        defaults |= {"audience": AppRegistration.Audience.MULTIPLE_ORGS}
    registration = AppRegistration.objects.create(tenant=tenant, **{**defaults, **fields})
    ScopeSelection.objects.bulk_create(ScopeSelection(registration=registration, scope=scope) for scope in scopes)
    return registration


def make_credential(
    registration: AppRegistration | None = None, *, value: str = "", days_left: float = 200
) -> Credential:
    """The registration's current client secret."""
    return Credential.objects.replace(
        registration or make_registration(), value or make_secret(), timezone.now() + timedelta(days=days_left)
    )


def make_link(registration: AppRegistration | None = None, **fields: Any) -> tuple[Link, str]:
    """A usable consent link and its token."""
    registration = registration or make_registration()
    tenant = fields.pop("tenant", None) or registration.tenant or make_tenant()
    return Link.objects.mint(tenant=tenant, registration=registration, created_by=None, **fields)


def make_connection(
    registration: AppRegistration | None = None, *, refresh_token: str = "", **fields: Any
) -> Connection:
    """An active connection with a made-up refresh token."""
    registration = registration or make_registration()
    connection = Connection(
        **{
            "tenant": registration.tenant or make_tenant(),
            "registration": registration,
            "tid": uuid.uuid4(),
            "oid": uuid.uuid4(),
            "address": f"person{next(_numbers)}@example.com",
            "client_id": registration.client_id,
            "scopes_asked": ["Mail.Read"],
            "scopes_granted": ["Mail.Read"],
            **fields,
        }
    )
    if "turn" not in fields:
        connection.turn = Connection.objects.next_turn(connection.tenant_id)
    connection.refresh_token = refresh_token or f"not-a-real-token-{secrets.token_urlsafe(32)}"
    connection.save(force_insert=True)
    return connection


def make_superuser() -> User:
    return User.objects.create_superuser(f"root{next(_numbers)}", "root@example.com", secrets.token_urlsafe(16))


def make_operator(*, tenants: tuple[Tenant, ...] = (), platform: bool = False) -> User:
    """A staff user with every permission on our models but those on staff, who sees only these tenants."""
    number = next(_numbers)
    user = User.objects.create_user(
        f"operator{number}", f"operator{number}@example.com", secrets.token_urlsafe(16), is_staff=True
    )
    group, _ = Group.objects.get_or_create(name="Operators")
    group.permissions.set(Permission.objects.filter(content_type__app_label__in=["tenants", "oauth", "monitoring"]))
    user.groups.add(group)
    if platform:
        user.user_permissions.add(Permission.objects.get(codename="view_platform"))
    for tenant in tenants:
        TenantAccess.objects.create(tenant=tenant, user=user)
    return user
