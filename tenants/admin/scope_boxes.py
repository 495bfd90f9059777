"""The scopes as boxes to tick, each with its permission beside it, and what Microsoft will be asked for in the end."""

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.template.loader import render_to_string

from tenants import scopes


@dataclass(frozen=True)
class Asked:
    """What ticked scopes come to, in words. The page's script says the same while boxes are ticked."""

    permissions: tuple[str, ...] = ()
    redundant: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def asked_for(names: list[str]) -> Asked:
    known = [name for name in names if name in scopes.CATALOGUE]
    if not known:
        return Asked()
    try:
        permissions = scopes.permissions_for(known)
    except scopes.MixedFamilies as mixed:
        return Asked(problem=str(mixed))
    return Asked(permissions, tuple(sorted(scopes.redundant(known).items())))


class ScopeBoxes(forms.CheckboxSelectMultiple):
    class Media:
        js = ["operator/scopes.js"]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        ticked = [str(item) for item in value or []]
        prefix = (attrs or {}).get("id", f"id_{name}")
        families = [
            {
                "key": family,
                "name": words,
                "groups": [
                    {"name": group_words, "scopes": boxes}
                    for group, group_words in scopes.GROUPS.items()
                    if (boxes := _boxes(family, group, ticked, prefix))
                ],
            }
            for family, words in scopes.FAMILIES.items()
        ]
        context = {
            "name": name,
            "families": families,
            "asked": asked_for(ticked),
            "always_json": json.dumps(scopes.ALWAYS),
            "contains_json": json.dumps(scopes.CONTAINS),
            "oidc": scopes.OIDC,
            "mixed_words": asked_for(list(scopes.CATALOGUE)).problem,  # what they all together would be told
        }
        return render_to_string("admin/tenants/appregistration/scopes.html", context)


class ScopesField(forms.MultipleChoiceField):
    """Scopes of the catalogue, by any name they have; cleans to the names of today, each once."""

    widget = ScopeBoxes
    default_error_messages = {"invalid_choice": "“%(value)s” is not a scope of the catalogue."}

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[(name, name) for name in scopes.CATALOGUE], **options)

    def to_python(self, value: Any) -> list[str]:
        return list(dict.fromkeys(map(_named, super().to_python(value))))


def _named(name: str) -> str:
    try:
        return scopes.scope_named(name).name
    except scopes.UnknownScope:
        return name  # which `validate` refuses


def _boxes(family: str, group: str, ticked: list[str], prefix: str) -> list[dict[str, Any]]:
    return [
        {"scope": scope, "checked": scope.name in ticked, "id": f"{prefix}_{scope.name.replace('.', '_')}"}
        for scope in scopes.SCOPES
        if (scope.family, scope.group) == (family, group)
    ]
