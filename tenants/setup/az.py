"""A script for the Azure CLI that registers the application, or adds to a registered one what it lacks.

Microsoft, "az ad app" and "az cloud". `credential reset` without `--append` would remove every secret there is.
"""

import json
from shlex import quote

from django.utils.translation import gettext as _

from .manifest import required_access
from .values import GRAPH_APP, Audience, NewSecret, Values

# Microsoft, "Azure CLI: manage clouds"; the DoD shares US Government's sign-in and has a Graph of its own.
CLOUDS = {
    "global": "AzureCloud",
    "usgov_l4": "AzureUSGovernment",
    "usgov_l5": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}
# One name for two: what was set for the other stays in force, so each sets its own.
_SHARED = "AzureUSGovernment"


def text(values: Values) -> str:
    """A script for bash. Raises NoSuchCloud."""
    unknown = _("The Azure CLI has no name of its own for %(cloud)s. Follow the steps, or use the manifest.")
    cloud, name = values.cloud_in(CLOUDS, unknown)
    last = ["# The last line shows the secret's Value once: keep it nowhere else."] if values.new_secret else []
    lines = [
        "#!/usr/bin/env bash",
        f"# Registers {values.name} in Entra, as Tenantry needs it. Needs the Azure CLI, 2.75 or newer.",
        "# For an administrator of the directory.",
        *last,
        "set -efuo pipefail",
        "",
        "# Stays in force for the Azure CLI until another is set.",
        f"az cloud set --name {quote(name)}",
    ]
    if name == _SHARED:
        graph = quote(f"https://{cloud.graph_host}/")
        lines.append(f"az cloud update --name {quote(name)} --endpoint-microsoft-graph-resource-id {graph}")
    login = f"az login --tenant {quote(values.directory)} " if values.directory else "az login "
    lines += [
        f"{login}--allow-no-subscriptions --output none",
        "",
        *(_update(values) if values.client_id else _create(values)),
        *([] if values.audience == Audience.PERSONAL else _consent(values, cloud.key)),
        "",
        'echo "Application (client) ID: $app_id"',
        'echo "Directory (tenant) ID:   $(az account show --query tenantId --output tsv)"',
        *(_secret(values.new_secret) if values.new_secret else []),
    ]
    return "\n".join(lines) + "\n"


def _create(values: Values) -> list[str]:
    named = quote("displayName eq '{}'".format(values.name.replace("'", "''")))
    return [
        "# `az ad app create` would change one that is called the same.",
        f"there=$(az ad app list --filter {named} --query '[].appId' --output tsv)",
        'if [ -n "$there" ]; then',
        '  echo "One of this name is registered already: $there" >&2',
        '  echo "Enter its client ID in Tenantry and take the script from there, or choose another name." >&2',
        "  exit 1",
        "fi",
        "",
        f"permissions={quote(json.dumps(required_access(values)))}",
        f"app_id=$(az ad app create {_settings(values)} --web-redirect-uris {' '.join(map(quote, values.uris))} "
        '--required-resource-accesses "$permissions" --query appId --output tsv)',
    ]


def _update(values: Values) -> list[str]:
    return [
        f"app_id={quote(values.client_id)}",
        "",
        "# Redirect URIs and permissions are added where they are missing; whatever else is there stays.",
        'uris=$(az ad app show --id "$app_id" --query "web.redirectUris" --output tsv)',
        f"for uri in {' '.join(map(quote, values.uris))}; do",
        """  grep -qxF -- "$uri" <<< "$uris" || uris="$uris"$'\\n'"$uri\"""",
        "done",
        f'az ad app update --id "$app_id" {_settings(values)} --web-redirect-uris $uris',
        "",
        'listed=$(az ad app show --id "$app_id" --query "requiredResourceAccess[].resourceAccess[].id" --output tsv)',
        'missing=""',
        f"for permission in {' '.join(permission.id for permission in values.permissions)}; do",
        '  grep -qxiF -- "$permission" <<< "$listed" || missing="$missing $permission=Scope"',
        "done",
        'if [ -n "$missing" ]; then',
        f'  az ad app permission add --id "$app_id" --api {GRAPH_APP} --api-permissions $missing',
        "fi",
    ]


def _settings(values: Values) -> str:
    version = " --requested-access-token-version 2" if values.only_version_2 else ""
    return f"{quote(f'--display-name={values.name}')} --sign-in-audience {quote(values.audience)}{version}"


def _consent(values: Values, key: str) -> list[str]:
    # `permission admin-consent` is for the worldwide cloud alone; a grant for all principals comes to the same.
    scope = quote(" ".join(permission.name for permission in values.permissions))
    granted = f'az ad app permission grant --id "$app_id" --api {GRAPH_APP} --scope {scope} --output none'
    command = 'az ad app permission admin-consent --id "$app_id"' if key == "global" else granted
    return [
        "",
        "# Its presence in this directory, to which administrators and people consent.",
        "present() {",
        '  az ad sp show --id "$app_id" --output none 2>/dev/null || az ad sp create --id "$app_id" --output none',
        "}",
        "",
        "# Admin consent; what was just made takes a moment to be known everywhere.",
        "for try in 1 2 3 4 5 6; do",
        f"  present && {command} && break",
        '  if [ "$try" = 6 ]; then echo "Grant admin consent in the portal: it did not work here." >&2; break; fi',
        "  sleep 10",
        "done",
    ]


def _secret(secret: NewSecret) -> list[str]:
    return [
        f'echo "Secret ends on:          {secret.ends_on:%Y-%m-%d}"',
        'echo "Secret Value, shown this once:"',
        f'az ad app credential reset --id "$app_id" --append --display-name {quote(secret.name)} '
        f"--end-date {secret.ends_on:%Y-%m-%d} --query password --output tsv",
    ]
