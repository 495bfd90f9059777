"""Every page of the admin: no inline script, as quick with many rows as with few, not to be broken by nonsense."""

import re
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client

from config.admin import ORDER
from tests.factories import make_operator, make_superuser, make_tenant
from tests.test_visibility import Walker, addresses, inline_in, keys_of, registered, root_of
from tests.world import fill, make_world

pytestmark = pytest.mark.django_db

BOGUS_LOOKUPS = ["=" + "9" * 30, "__regex=(((", "__range=1", "__year=99999999", "__year=0", "__in=,", "__nothing=1"]
BOGUS_KEYS = ["0", "999999", "99999999999999999999999", "abc", "00000000-0000-0000-0000-000000000000", "_00"]
BOGUS_QUERIES = [
    "p=-1", "p=99999999999999999999", "p=x", "o=99.-99.x", "q=%00", "e=1", "all=", "foo=bar", "_facets=True",
    "tenant__id__exact=abc", "tenant__id__exact=99999999999999999999", "tenant__isnull=True", "about=x", "about=%00",
    "verb=%00",    "status=x", "cloud=x", "kind__exact=x", "pk__in=x", "id__exact=%00", "tenant__name__startswith=k",
    "refresh_token__isnull=False", "token_digest__startswith=a", "registration__credentials__value__isnull=False",
    "opened_at__year=99999999999999999999", "at__year=9999&at__month=12&at__day=31", "created_at__day=x",
    "opened_at__year=2026&opened_at__month=99", "_popup=1&_to_field=id", "_to_field=token_digest", "_to_field=name",
]  # fmt: skip


NAMES = [model.__name__ for model, _ in registered()]


@pytest.mark.parametrize(
    "page",
    [
        "<style>a{}</style>",
        "<script>x()</script>",
        '<p style="a">',
        '<a onclick="x()">',
        '<a href="javascript:x()">',
        '<a href="&#106;avascript:x()">',
        '<p class="a"STYLE="b">',
    ],
)
def test_what_is_inline_is_found(page) -> None:
    assert len(inline_in(page)) == 1


@pytest.mark.parametrize(("model", "model_admin"), registered(), ids=NAMES)
def test_no_page_holds_a_script_or_a_style(model, model_admin) -> None:
    """Pages for superusers and answers to forms; the walk looks at the others."""
    make_world()
    walker = Walker(make_superuser(), [])
    walker.follow_filters(root_of(model), walker.get(root_of(model)))
    keys = list(model._default_manager.values_list("pk", flat=True))
    for address in addresses(model, model_admin, keys):
        walker.get(address)
    for action in map(str, model_admin.actions):
        walker.post(root_of(model), {"action": action, "_selected_action": keys})
    walker.post(f"{root_of(model)}add/", {})
    walker.client.logout()
    walker.get("/admin/login/")
    assert walker.trouble == []


@pytest.mark.parametrize(("model", "model_admin"), registered(), ids=NAMES)
def test_no_nonsense_in_an_address_breaks_a_page(model, model_admin) -> None:
    world = make_world()
    walker = Walker(make_superuser(), [])
    for query in BOGUS_QUERIES:
        walker.get(f"{root_of(model)}?{query}")
    for column in model._meta.concrete_fields:
        for lookup in BOGUS_LOOKUPS:
            walker.get(f"{root_of(model)}?{column.name}{lookup}")
    for key in BOGUS_KEYS:
        walker.get(f"{root_of(model)}add/?" + urlencode({column.name: key for column in model._meta.concrete_fields}))
        chosen = {column.name: key for column in model._meta.concrete_fields}
        walker.post(f"{root_of(model)}add/", chosen)
        for action in map(str, model_admin.actions):
            walker.post(root_of(model), {"action": action, "_selected_action": key, "confirmed": "yes"})
            walker.post(root_of(model), {"action": action, "_selected_action": key, "index": key, "select_across": key})
    for address in addresses(model, model_admin, [*keys_of(world, model)[:2], *BOGUS_KEYS]):
        walker.get(address)
        walker.post(address, {"confirmed": "yes"})
    assert walker.trouble == []


@pytest.mark.parametrize(("model", "model_admin"), registered(), ids=NAMES)
def test_a_list_costs_as_many_queries_with_many_rows_as_with_few(
    model, model_admin, client, django_assert_max_num_queries
) -> None:
    tenants = [make_tenant() for _ in range(30)]
    for tenant in tenants:
        fill(tenant)
    operator = make_operator(tenants=tuple(tenants))
    operator.is_superuser = True
    operator.save()
    client.force_login(operator)
    with django_assert_max_num_queries(16):
        assert client.get(root_of(model)).status_code == 200


@pytest.mark.parametrize(("model", "model_admin"), registered(), ids=NAMES)
def test_who_may_only_look_gets_no_buttons(model, model_admin) -> None:
    world = make_world()
    operator = make_operator(tenants=(world.tenant,), platform=True)
    operator.groups.get(name="Operators").permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(operator)
    for row in world.of(model, world.own):
        page = client.get(f"{root_of(model)}{row.pk}/change/").content.decode()
        assert re.findall(r'<form method="post" action="([^"]*)"', page) == []
        assert 'name="_save"' not in page
        for action in model_admin.page_actions:
            assert client.post(f"{root_of(model)}{row.pk}/do/{action}/").status_code == 403
    page = client.get(root_of(model)).content.decode()
    assert 'name="action"' not in page
    assert "Check everything now" not in page


def test_everything_registered_stands_in_an_order(client) -> None:
    assert {model._meta.label_lower for model in admin.site._registry} == set(ORDER)
