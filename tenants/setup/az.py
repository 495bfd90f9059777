"""A script for the Azure CLI that registers the application, or brings an existing one in line.

Microsoft, "az ad app" and "az cloud". `credential reset` without `--append` would remove every secret there is.
"""

import json
from shlex import quote

from django.utils.translation import gettext as _

from .manifest import required_access
from .values import GRAPH_APP, WITH_PERSONAL, Audience, Values

# Microsoft, "Azure CLI: manage clouds"; the DoD shares US Government's sign-in and has a Graph of its own.
CLOUDS = {
    "global": "AzureCloud",
    "usgov_l4": "AzureUSGovernment",
    "usgov_l5": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}
_OWN_GRAPH = ("usgov_l5",)


class NoSuchCloud(LookupError):
    """The tool has no name for this cloud; the message says what to do instead."""


def text(values: Values) -> str:
    """A script for bash. Raises NoSuchCloud."""
    key = values.cloud.key if values.cloud else ""
    if values.cloud is None or key not in CLOUDS:
        name = values.cloud.name if values.cloud else _("this cloud")
        words = _("The Azure CLI has no name of its own for %(cloud)s. Follow the steps, or use the manifest.")
        raise NoSuchCloud(words % {"cloud": name})
    name = quote(CLOUDS[key])
    lines = [
        "#!/usr/bin/env bash",
        f"# Registers {_comment(values.name)} in Entra, as Tenantry needs it. Needs the Azure CLI, 2.75 or newer.",
        "# For an administrator of the directory. The last line shows the secret's Value once: keep it nowhere else.",
        "set -euo pipefail",
        "",
        "# Stays in force for the Azure CLI until another is set.",
        f"az cloud set --name {name}",
    ]
    if key in _OWN_GRAPH:
        graph = quote(f"https://{values.cloud.graph_host}/")
        lines.append(f"az cloud update --name {name} --endpoint-microsoft-graph-resource-id {graph}")
    login = f"az login --tenant {quote(values.directory)} " if values.directory else "az login "
    lines += [
        f"{login}--allow-no-subscriptions --output none",
        "",
        f"permissions={quote(json.dumps(required_access(values)))}",
        *(_update(values) if values.client_id else _create(values)),
        *([] if values.audience == Audience.PERSONAL else _consent(values, key)),
        "",
        'echo "Application (client) ID: $app_id"',
        'echo "Directory (tenant) ID:   $(az account show --query tenantId --output tsv)"',
        f'echo "Secret ends on:          {values.secret_ends_on:%Y-%m-%d}"',
        'echo "Secret Value, shown this once:"',
        f'az ad app credential reset --id "$app_id" --append --display-name {quote(values.secret_name)} '
        f"--end-date {values.secret_ends_on:%Y-%m-%d} --query password --output tsv",
    ]
    return "\n".join(lines) + "\n"


def _consent(values: Values, key: str) -> list[str]:
    # `permission admin-consent` is for the worldwide cloud alone; a grant for all principals comes to the same.
    scope = quote(" ".join(permission.name for permission in values.permissions))
    granted = f'az ad app permission grant --id "$app_id" --api {GRAPH_APP} --scope {scope} --output none'
    command = 'az ad app permission admin-consent --id "$app_id"' if key == "global" else granted
    return [
        "",
        "# Its presence in this directory, to which administrators and people consent.",
        'az ad sp show --id "$app_id" --output none 2>/dev/null || az ad sp create --id "$app_id" --output none',
        "",
        "# Admin consent; what was just made takes a moment to be known everywhere.",
        "for try in 1 2 3 4 5 6; do",
        f"  {command} && break",
        '  if [ "$try" = 6 ]; then echo "Grant admin consent in the portal: it did not work here." >&2; break; fi',
        "  sleep 10",
        "done",
    ]


def _create(values: Values) -> list[str]:
    return [
        "# Where this directory has one of this name already, the Azure CLI brings that one in line.",
        f"app_id=$(az ad app create {_settings(values)} --query appId --output tsv)",
    ]


def _update(values: Values) -> list[str]:
    return [
        "# What it lists besides is taken off: its redirect URIs and permissions become these.",
        f"app_id={quote(values.client_id)}",
        f'az ad app update --id "$app_id" {_settings(values)}',
    ]


def _settings(values: Values) -> str:
    uris = " ".join(map(quote, values.uris))
    version = " --requested-access-token-version 2" if values.audience in WITH_PERSONAL else ""
    return (
        f"{quote(f'--display-name={values.name}')} --sign-in-audience {quote(values.audience)} "
        f'--web-redirect-uris {uris} --required-resource-accesses "$permissions"{version}'
    )


def _comment(words: str) -> str:
    return " ".join(words.split())
