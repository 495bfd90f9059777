"""The walk: an operator visits every address of the admin, by links and by guessing, and never meets a stranger's row.

Addresses come from the admin's registry and URLs, so a new model, view or button is walked by itself.
"""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, reverse

from staff.models import User
from tests.factories import make_operator, make_superuser
from tests.world import FOREIGN, PLATFORM, World, make_world, models_of_ours

pytestmark = pytest.mark.django_db


REDIRECTS = (301, 302, 303, 307, 308)
# In a page whose entities are resolved. What it finds may be harmless; what it does not find is nowhere.
MAY_BE_INLINE = re.compile(r"""<style|<script(?![^>]*\ssrc=)|[\s/"'](style|on[a-z]+)\s*=|javascript:""", re.IGNORECASE)


@pytest.fixture
def world() -> World:
    return make_world()


class Inline(HTMLParser):
    """What a strict Content-Security-Policy forbids in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        self.found += [f"{tag} {name}={value}" for name, value in attrs if (value or "").startswith("javascript:")]


def inline_in(page: str) -> list[str]:
    """What of a page is inline. Most hold nothing that could be, which is seen without taking them to pieces."""
    if not MAY_BE_INLINE.search(unescape(page)):
        return []
    inline = Inline()
    inline.feed(page)
    return inline.found


class Walker:
    """A signed-in browser that notes where it met what it must not, a broken page, or an inline script or style."""

    def __init__(self, user: User, forbidden: list[str]) -> None:
        self.client = Client(raise_request_exception=False)
        self.client.force_login(user)
        self.forbidden = [
            f"{word}0".encode() for word in forbidden
        ]  # canaries have a number, search terms here have none
        self.trouble: list[str] = []
        self.visited: set[str] = set()

    def get(self, address: str) -> str:
        """The page, and where it leads to if it redirects; nothing where the walker has been."""
        if address in self.visited:
            return ""
        self.visited.add(address)
        response = self.client.get(address)
        if response.status_code in REDIRECTS:
            self._look("GET", address, response)
            return self.get(urljoin(address, response.headers["Location"]))
        return self._look("GET", address, response)

    def post(self, address: str, data: dict[str, Any]) -> str:
        return self._look("POST", address, self.client.post(address, data, follow=True))

    def _look(self, method: str, address: str, response: Any) -> str:
        body = response.content
        met = [word.decode() for word in self.forbidden if word in body]
        if met or response.status_code >= 500:
            self.trouble.append(f"{method} {address}: {response.status_code} {met}")
        text: str = body.decode()
        if response.headers.get("Content-Type", "").startswith("text/html"):
            self.trouble += [f"{method} {address}: {what}" for what in inline_in(text)]
        return text

    def follow_filters(self, address: str, body: str) -> None:
        """Every link of a list to itself: filters, ordering, dates, pages."""
        for link in re.findall(r'href="(\?[^"]*)"', body):
            self.get(urljoin(address, unescape(link)))


def own_urls(model_admin: Any) -> list[URLPattern]:
    return model_admin.get_urls()  # type: ignore[no-any-return]


def root_of(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def addresses(model: Any, model_admin: Any, keys: list[Any]) -> Iterator[str]:
    """Every address of a model's admin, with each of these keys where it takes one."""
    actions = [*model_admin.page_actions, "bogus"]
    for pattern in own_urls(model_admin):
        for key in keys if "<" in str(pattern.pattern) else [""]:
            for action in actions if "<slug:name>" in str(pattern.pattern) else [""]:
                route = re.sub(r"<slug:name>", action, str(pattern.pattern))
                yield root_of(model) + re.sub(r"<[^>]*>", str(key), route)


def keys_of(world: World, model: Any) -> list[Any]:
    return [row.pk for row in world.of(model, world.own + world.foreign + world.platform)]


def registered() -> list[Any]:
    return sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label)


def walk(walker: Walker, world: World) -> None:
    for app in {model._meta.app_label for model, _ in registered()}:
        walker.get(reverse("admin:app_list", args=[app]))
    for name in ("index", "password_change", "password_change_done", "jsi18n", "calendar"):
        walker.get(reverse(f"admin:{name}"))
    for model, model_admin in registered():
        walk_lists(walker, model, world)
        for address in addresses(model, model_admin, keys_of(world, model)):
            walker.get(address)
    walk_autocompletes(walker)


def walk_lists(walker: Walker, model: Any, world: World) -> None:
    root = root_of(model)
    walker.follow_filters(root, walker.get(root))
    for word in (FOREIGN, PLATFORM):
        walker.get(f"{root}?q={word}")
    for column, row in related(model, world.foreign + world.platform):
        key = column.target_field.name
        walker.get(f"{root}?{column.name}__{key}__exact={row.pk}")
        walker.get(f"{root}?about={row.pk}")
        walker.get(f"{root}add/?{column.name}={row.pk}")


def related(model: Any, rows: list[Any]) -> list[tuple[Any, Any]]:
    """The model's foreign keys, with each of these rows that they could point to."""
    columns = [column for column in model._meta.concrete_fields if column.is_relation]
    return [(column, row) for column in columns for row in rows if type(row) is column.related_model]


def walk_autocompletes(walker: Walker) -> None:
    for model in {*models_of_ours(), *(model for model, _ in registered())}:
        for column in model._meta.get_fields():
            if column.is_relation:
                named = {"app_label": model._meta.app_label, "model_name": model._meta.model_name}
                for term in ("", FOREIGN, PLATFORM):
                    query = urlencode({**named, "field_name": column.name, "term": term})
                    walker.get(f"{reverse('admin:autocomplete')}?{query}")


@pytest.mark.parametrize("platform", [False, True], ids=["one tenant", "one tenant and the platform"])
def test_an_operator_never_meets_what_is_not_theirs(world: World, platform: bool) -> None:
    operator = make_operator(tenants=(world.tenant,), platform=platform)
    walker = Walker(operator, [FOREIGN] if platform else [FOREIGN, PLATFORM])
    walk(walker, world)
    assert walker.trouble == []
    assert len(walker.visited) > 500


def test_no_form_and_no_button_reaches_what_is_not_ones_own(world: World) -> None:
    operator = make_operator(tenants=(world.tenant,))
    walker = Walker(operator, [FOREIGN, PLATFORM])
    before = world.snapshot()
    strangers = world.foreign + world.platform
    for model, model_admin in registered():
        keys = [row.pk for row in world.of(model, strangers)]
        for address in addresses(model, model_admin, keys):
            walker.post(address, {"confirmed": "yes", "post": "yes"})
        for column, row in related(model, strangers):
            texts = {"name": "x", "scopes": "Mail.ReadOnly", "max_uses": 1, "days": 14}
            walker.post(f"{root_of(model)}add/", {**texts, column.name: row.pk})
        for action in [*map(str, model_admin.actions), "delete_selected", "bogus"]:
            chosen = {"action": action, "_selected_action": keys, "confirmed": "yes", "post": "yes", "select_across": 0}
            walker.post(root_of(model), chosen)
    assert walker.trouble == []
    assert world.snapshot() == before


def test_choosing_all_rows_means_all_of_ones_own(world: World) -> None:
    operator = make_operator(tenants=(world.tenant,))
    walker = Walker(operator, [FOREIGN, PLATFORM])
    before = world.snapshot()
    for model, model_admin in registered():
        for action in map(str, model_admin.actions):
            chosen = {"action": action, "_selected_action": ["1"], "confirmed": "yes", "select_across": 1, "index": 0}
            walker.post(root_of(model), chosen)
    assert walker.trouble == []
    assert world.snapshot() == before


def test_what_the_walk_looks_for_is_there(world: World) -> None:
    """The same pages show a superuser the canaries: the walk would find a leak."""
    walker = Walker(make_superuser(), [FOREIGN, PLATFORM])
    for model, _ in registered():
        for row in world.of(model, world.foreign + world.platform):
            walker.get(f"{root_of(model)}{row.pk}/change/")
    assert {line.split()[1].rstrip(":") for line in walker.trouble} == walker.visited


def test_every_registered_model_has_rows_in_the_world(world: World) -> None:
    """Else the walk would pass by an empty page."""
    kinds = {type(row) for row in world.foreign + world.platform}
    assert {model for model, _ in registered()} - kinds == set()
