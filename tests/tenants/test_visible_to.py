"""visible_to on every model: one's own rows, nobody else's, and rows of no tenant for those who may."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group

from tenants.models import AppRegistration, Tenant, TenantAccess
from tests.factories import make_operator, make_registration, make_superuser, make_tenant

OURS = [model for app in ("staff", "tenants", "oauth", "monitoring") for model in apps.get_app_config(app).get_models()]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
@pytest.mark.django_db
def test_every_model_says_whose_rows_it_shows(model) -> None:
    assert (
        not model._default_manager.visible_to(make_operator()).exclude(pk=None).exists()
        or model._meta.label == "staff.User"
    )


@pytest.mark.django_db
def test_an_operator_sees_tenants_given_to_them_or_to_their_group() -> None:
    own, of_group, other = make_tenant(), make_tenant(), make_tenant()
    operator = make_operator(tenants=(own,))
    group = Group.objects.create(name="East")
    operator.groups.add(group)
    TenantAccess.objects.create(tenant=of_group, group=group)
    assert set(Tenant.objects.visible_to(operator)) == {own, of_group}
    assert other not in Tenant.objects.visible_to(operator)


@pytest.mark.django_db
def test_a_tenant_given_twice_is_seen_once() -> None:
    tenant = make_tenant()
    operator = make_operator(tenants=(tenant,))
    TenantAccess.objects.create(tenant=tenant, group=operator.groups.get())
    assert Tenant.objects.visible_to(operator).count() == 1


@pytest.mark.django_db
def test_a_shared_registration_is_for_those_who_see_the_platform() -> None:
    shared, own = make_registration(shared=True), make_registration()
    narrow, wide = make_operator(tenants=(own.tenant,)), make_operator(tenants=(own.tenant,), platform=True)
    assert set(AppRegistration.objects.visible_to(narrow)) == {own}
    assert set(AppRegistration.objects.visible_to(wide)) == {own, shared}
    assert set(AppRegistration.objects.visible_to(make_superuser())) == {own, shared}


@pytest.mark.django_db
def test_who_has_left_sees_nothing() -> None:
    tenant = make_tenant()
    operator = make_operator(tenants=(tenant,))
    operator.is_active = False
    operator.save()
    assert not Tenant.objects.visible_to(operator).exists()
    root = make_superuser()
    root.is_active = False
    root.save()
    assert not Tenant.objects.visible_to(root).exists()
    assert not AppRegistration.objects.visible_to(root).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{}, {"user": True, "group": True}])
def test_access_is_for_a_user_or_a_group(fields) -> None:
    from django.core.exceptions import ValidationError

    access = TenantAccess(
        tenant=make_tenant(),
        user=make_operator() if "user" in fields else None,
        group=Group.objects.create(name="G") if "group" in fields else None,
    )
    with pytest.raises(ValidationError, match="Choose a user or a group"):
        access.full_clean()
