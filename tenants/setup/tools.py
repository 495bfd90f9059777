"""The ways to register by machine, each from the same values."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from . import az, manifest, terraform
from .values import NoSuchCloud, Values


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One of them: what it is called, what for in a few words, how its text is used, and what writes it."""

    key: str
    title: str | Promise
    purpose: str
    use: str | Promise
    filename: str
    content_type: str
    write: Callable[[Values], str]


TOOLS = (
    Tool(
        key="manifest",
        title=_("Application manifest"),
        purpose="name, account types, redirect URIs and permissions, for the page Manifest in Entra",
        use=_(
            "After registering, open “Manage → Manifest” in Entra, set the keys that stand here (inside “web” and "
            "“api” only those named), and press “Save”. Other redirect URIs and permissions that it lists go."
        ),
        filename="manifest.json",
        content_type="application/json",
        write=manifest.text,
    ),
    Tool(
        key="az",
        title=_("Script for the Azure CLI"),
        purpose="registers it or adds what it lacks, grants admin consent and adds a secret",
        use=_(
            "Runs in Azure Cloud Shell or anywhere the Azure CLI is. It registers the application, or adds to a "
            "registered one what it lacks, and grants admin consent; it takes nothing off and removes no secret."
        ),
        filename="register.sh",
        content_type="text/x-shellscript",
        write=az.text,
    ),
    Tool(
        key="terraform",
        title=_("Terraform"),
        purpose="the same, for the azuread provider",
        use=_(
            "For the azuread provider: “terraform init”, then “terraform apply”. Where it makes a secret, the "
            "state will hold it: see the comment there."
        ),
        filename="main.tf",
        content_type="text/plain",
        write=terraform.text,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a tool wrote, or why it cannot, and where it can be downloaded."""

    tool: Tool
    url: str
    text: str = ""
    why_not: str = ""


def write_all(values: Values, url_of: Callable[[str], str]) -> list[Written]:
    """Every tool's text; `url_of` tells where a tool's file is, by its key."""
    return [_written(tool, values, url_of(tool.key)) for tool in TOOLS]


def _written(tool: Tool, values: Values, url: str) -> Written:
    try:
        return Written(tool=tool, url=url, text=tool.write(values))
    except NoSuchCloud as problem:
        return Written(tool=tool, url=url, why_not=str(problem))
