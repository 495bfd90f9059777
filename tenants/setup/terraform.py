"""Terraform for the azuread provider, version 3: the application, its service principal, the consent and a secret.

HashiCorp, azuread: "application", "service_principal_delegated_permission_grant" and "application_password".
"""

import json
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from .values import GRAPH_APP, Audience, NewSecret, Values

ENVIRONMENTS = {"global": "global", "usgov_l4": "usgovernmentl4", "usgov_l5": "usgovernmentl5", "china": "china"}


def text(values: Values) -> str:
    """A file main.tf. Raises NoSuchCloud."""
    unknown = _("The azuread provider does not know %(cloud)s. Follow the steps, or use the manifest.")
    _cloud, environment = values.cloud_in(ENVIRONMENTS, unknown)
    tenant = [f"  tenant_id   = {_text(values.directory)}"] if values.directory else []
    parts = [
        *_bring_in(values),
        "terraform {",
        "  required_providers {",
        "    azuread = {",
        '      source  = "hashicorp/azuread"',
        '      version = "~> 3.0"',
        "    }",
        "  }",
        "}",
        "",
        'provider "azuread" {',
        f"  environment = {_text(environment)}",
        *tenant,
        "}",
        "",
        'resource "azuread_application" "registration" {',
        f"  display_name     = {_text(values.name)}",
        f"  sign_in_audience = {_text(values.audience)}",
        *_token_version(values),
        "",
        "  web {",
        f"    redirect_uris = [{', '.join(_text(_with_path(uri)) for uri in values.uris)}]",
        "  }",
        "",
        "  required_resource_access {",
        f"    resource_app_id = {_text(GRAPH_APP)}",
        *(line for permission in values.permissions for line in _access(permission.name, permission.id)),
        "  }",
        "}",
        "",
        *([] if values.audience == Audience.PERSONAL else _consent(values)),
        'output "client_id" {',
        "  value = azuread_application.registration.client_id",
        "}",
        *(_secret(values.new_secret) if values.new_secret else []),
    ]
    return "\n".join(parts) + "\n"


def _secret(secret: NewSecret) -> list[str]:
    return [
        "",
        "# Terraform's state will hold the secret's Value: keep the state sealed, or leave this resource and its",
        "# output out and make the secret in the portal. `terraform output -raw secret_value` shows it.",
        'resource "azuread_application_password" "secret" {',
        "  application_id = azuread_application.registration.id",
        f"  display_name   = {_text(secret.name)}",
        f'  end_date       = "{secret.ends_on:%Y-%m-%d}T00:00:00Z"',
        "",
        "  # Another day or name would have it replaced, and what uses it cut off. To renew it, add a second resource",
        "  # beside this one, and take this one out once no product uses it.",
        "  lifecycle {",
        "    ignore_changes  = [display_name, end_date]",
        "    prevent_destroy = true",
        "  }",
        "}",
        "",
        'output "secret_value" {',
        "  value     = azuread_application_password.secret.value",
        "  sensitive = true",
        "}",
    ]


def _consent(values: Values) -> list[str]:
    names = ", ".join(_text(permission.name) for permission in values.permissions)
    return [
        'resource "azuread_service_principal" "registration" {',
        "  client_id    = azuread_application.registration.client_id",
        "  use_existing = true",
        "}",
        "",
        'data "azuread_service_principal" "graph" {',
        f"  client_id = {_text(GRAPH_APP)}",
        "}",
        "",
        "# Admin consent for everybody in the directory.",
        'resource "azuread_service_principal_delegated_permission_grant" "consent" {',
        "  service_principal_object_id          = azuread_service_principal.registration.object_id",
        "  resource_service_principal_object_id = data.azuread_service_principal.graph.object_id",
        f"  claim_values                         = [{names}]",
        "}",
        "",
    ]


def _bring_in(values: Values) -> list[str]:
    if not values.client_id:
        return []
    return [
        f"# The application {values.client_id} exists already: bring it in before the first apply, by its Object ID,",
        "#   terraform import azuread_application.registration /applications/<Object ID>",
        "# Whatever else it has then becomes what stands here: other redirect URIs and permissions are taken off, so",
        "# add here what is to stay. A consent that was granted for it already has to be imported, too, by the ID that",
        f"#   az ad app permission list-grants --id {values.client_id} --query '[].id' --output tsv",
        "# shows, as azuread_service_principal_delegated_permission_grant.consent.",
    ]


def _token_version(values: Values) -> list[str]:
    if not values.only_version_2:
        return []
    return ["", "  api {", "    requested_access_token_version = 2", "  }"]


def _access(name: str, identifier: str) -> list[str]:
    return [
        "",
        f"    # {name}",
        "    resource_access {",
        f"      id   = {_text(identifier)}",
        '      type = "Scope"',
        "    }",
    ]


def _with_path(uri: str) -> str:
    """The provider takes no address without a path, and Entra adds the slash to one by itself."""
    return uri if urlsplit(uri).path else f"{uri}/"


def _text(words: str) -> str:
    """A quoted string of HCL, in which a template must not begin."""
    return json.dumps(words, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
