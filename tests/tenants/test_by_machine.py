"""The manifest, the script and the Terraform: each read again by what it is for, or by its rules."""

import json
import os
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tenants import clouds, scopes
from tenants.models import RedirectURI
from tenants.setup import az, manifest, terraform
from tenants.setup.values import GRAPH_APP, NoSuchCloud, Values, values_of
from tests.factories import make_registration

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 26)
APP_ID = "11111111-2222-4333-8444-555555555555"
SCOPES = ("Mail.ReadWrite", "Mail.Send", "Calendar.ReadOnly")
NAME = """O'Neil "Mail" ${HOME} $(id) `id` %{x}"""
# An az that writes down what it was asked, and answers as the real one does.
AZ = f"""#!/usr/bin/env bash
printf '%s\\x1f' "$@" >> "$AZ_LOG"
echo >> "$AZ_LOG"
case "$*" in
  "ad app create"*) echo {APP_ID} ;;
  "ad app list"*) printf '%s' "${{AZ_OF_THIS_NAME-}}" ;;
  "ad app show"*redirectUris*) printf '%s' "${{AZ_URIS-}}" ;;
  "ad app show"*resourceAccess*) printf '%s' "${{AZ_LISTED-}}" ;;
  "account show"*) echo the-directory ;;
  "ad sp show"*) exit 3 ;;
  *"credential reset"*) echo not-a-real-secret ;;
esac
"""


@pytest.fixture
def values(settings) -> Values:
    settings.SITE_URL = "https://tenantry.example.com"
    registration = make_registration(name=NAME, scopes=SCOPES, client_id="", directory="contoso.example")
    RedirectURI.objects.create(registration=registration, use="product", uri="https://mail.example.com/?page=home&x=1")
    return values_of(registration, TODAY)


def ids(names: tuple[str, ...]) -> set[str]:
    return {scopes.PERMISSION_IDS[name] for name in names}


ASKED = ids(("Mail.ReadWrite", "Mail.Send", "Calendars.Read", "MailboxSettings.Read", "User.Read", *scopes.OIDC))


def run(script: str, folder: Path, *, code: int = 0, **there: str) -> tuple[list[list[str]], str]:
    """What the script asks of az, and what it says, where this is there already."""
    (folder / "az").write_text(AZ)
    (folder / "az").chmod(0o755)
    log = folder / "log"
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "AZ_LOG": str(log), "HOME": "/nowhere"}
    env |= {f"AZ_{name.upper()}": value for name, value in there.items()}
    done = subprocess.run(["bash", "-s"], input=script, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    return [line.split("\x1f")[:-1] for line in log.read_text().split("\n")[:-1]], done.stdout


def options(call: list[str]) -> dict[str, list[str]]:
    """Of one call, each option with its values."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in call:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            found[name] = [value] if value else []
        elif name:
            found[name].append(word)
    return found


def one(calls: list[list[str]], *words: str) -> dict[str, list[str]]:
    (call,) = [call for call in calls if tuple(call[: len(words)]) == words]
    return options(call)


# The manifest


def test_the_manifest_says_what_the_registration_is_to_be(values) -> None:
    made = json.loads(manifest.text(values))
    assert made["displayName"] == NAME
    assert made["signInAudience"] == "AzureADMyOrg"
    assert made["web"]["redirectUris"] == [
        "https://tenantry.example.com/oauth/callback/global/",
        "https://mail.example.com/?page=home&x=1",
    ]
    (access,) = made["requiredResourceAccess"]
    assert access["resourceAppId"] == GRAPH_APP
    assert {row["id"] for row in access["resourceAccess"]} == ASKED
    assert {row["type"] for row in access["resourceAccess"]} == {"Scope"}


def test_entra_takes_the_manifest_as_it_is(microsoft, values) -> None:
    app = microsoft.add_app(microsoft.add_directory()["id"], name="Anything")
    microsoft.set_manifest(app["client_id"], manifest.text(values))
    now = microsoft.manifest(app["client_id"])
    wanted = manifest.manifest(values)
    assert {key: now[key] for key in ("displayName", "signInAudience", "requiredResourceAccess")} == {
        key: wanted[key] for key in ("displayName", "signInAudience", "requiredResourceAccess")
    }
    assert now["web"]["redirectUris"] == wanted["web"]["redirectUris"]


@pytest.mark.parametrize("audience", ["AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"])
def test_with_personal_accounts_access_tokens_are_of_version_2(values, audience) -> None:
    assert manifest.manifest(replace(values, audience=audience))["api"] == {"requestedAccessTokenVersion": 2}
    assert "api" not in manifest.manifest(values)


# The script


def test_the_script_registers_what_the_manifest_says(values, tmp_path) -> None:
    calls, said = run(az.text(values), tmp_path)
    made = one(calls, "ad", "app", "create")
    assert made["--display-name"] == [NAME]
    assert made["--sign-in-audience"] == ["AzureADMyOrg"]
    assert made["--web-redirect-uris"] == list(values.uris)
    assert json.loads(made["--required-resource-accesses"][0]) == manifest.required_access(values)
    assert one(calls, "login")["--tenant"] == ["contoso.example"]
    assert one(calls, "ad", "sp", "create")["--id"] == [APP_ID]
    assert one(calls, "ad", "app", "permission", "admin-consent")["--id"] == [APP_ID]
    assert said.splitlines()[-1] == "not-a-real-secret"


def test_a_new_secret_is_added_and_none_is_removed(values, tmp_path) -> None:
    calls, _ = run(az.text(values), tmp_path)
    resets = [call for call in calls if call[:4] == ["ad", "app", "credential", "reset"]]
    assert resets
    assert all("--append" in call for call in resets)
    made = options(resets[0])
    assert made["--end-date"] == ["2027-11-26"]
    assert made["--display-name"] == ["Tenantry 2026-11"]


def test_one_that_is_called_the_same_is_not_touched(values, tmp_path) -> None:
    calls, _ = run(az.text(values), tmp_path, code=1, of_this_name=APP_ID)
    assert one(calls, "ad", "app", "list")["--filter"] == [f"displayName eq '{NAME.replace(chr(39), chr(39) * 2)}'"]
    assert {tuple(call[:3]) for call in calls if call[0] == "ad"} == {("ad", "app", "list")}


def test_what_is_registered_already_gets_what_it_lacks_and_keeps_the_rest(values, tmp_path) -> None:
    theirs = "https://other.example.com/?a=*&b=[x]"
    listed = [values.permissions[0].id.upper(), "00000000-1111-4222-8333-444444444444"]
    calls, _ = run(
        az.text(replace(values, client_id=APP_ID)),
        tmp_path,
        uris=f"{theirs}\n{values.uris[1]}\n",
        listed="\n".join(listed),
    )
    changed = one(calls, "ad", "app", "update")
    assert changed["--id"] == [APP_ID]
    assert changed["--web-redirect-uris"] == [theirs, values.uris[1], values.uris[0]]
    added = one(calls, "ad", "app", "permission", "add")
    assert added["--api"] == [GRAPH_APP]
    assert added["--api-permissions"] == [f"{permission.id}=Scope" for permission in values.permissions[1:]]
    assert not [call for call in calls if call[:3] == ["ad", "app", "create"]]


def test_what_lacks_nothing_but_a_secret_gets_nothing_else(values, tmp_path) -> None:
    listed = "\n".join(permission.id for permission in values.permissions)
    script = az.text(replace(values, client_id=APP_ID))
    calls, _ = run(script, tmp_path, uris="\n".join(values.uris), listed=listed)
    assert one(calls, "ad", "app", "update")["--web-redirect-uris"] == list(values.uris)
    assert not [call for call in calls if call[:4] == ["ad", "app", "permission", "add"]]


def test_what_lists_nothing_yet_gets_all(values, tmp_path) -> None:
    calls, _ = run(az.text(replace(values, client_id=APP_ID)), tmp_path)
    assert one(calls, "ad", "app", "update")["--web-redirect-uris"] == list(values.uris)
    assert len(one(calls, "ad", "app", "permission", "add")["--api-permissions"]) == len(values.permissions)


@pytest.mark.parametrize("write", [az.text, terraform.text])
def test_who_has_no_way_to_hand_a_secret_over_makes_none(values, write) -> None:
    made = write(replace(values, new_secret=None))
    for words in ("credential reset", "azuread_application_password", "secret"):
        assert words not in made.lower()


@pytest.mark.parametrize(
    ("key", "name", "environment"),
    [
        ("global", "AzureCloud", "global"),
        ("usgov_l4", "AzureUSGovernment", "usgovernmentl4"),
        ("usgov_l5", "AzureUSGovernment", "usgovernmentl5"),
        ("china", "AzureChinaCloud", "china"),
    ],
)
def test_each_cloud_is_called_as_the_tools_call_it(values, tmp_path, key, name, environment) -> None:
    there = replace(values, cloud=clouds.cloud(key))
    calls, _ = run(az.text(there), tmp_path)
    assert calls[0] == ["cloud", "set", "--name", name]
    assert hcl2.loads(terraform.text(there))["provider"][0]['"azuread"']["environment"] == f'"{environment}"'


def test_outside_the_worldwide_cloud_consent_is_a_grant_for_all(values, tmp_path) -> None:
    calls, _ = run(az.text(replace(values, cloud=clouds.cloud("china"))), tmp_path)
    granted = one(calls, "ad", "app", "permission", "grant")
    assert granted["--api"] == [GRAPH_APP]
    assert set(granted["--scope"][0].split()) == {permission.name for permission in values.permissions}
    assert not [call for call in calls if "admin-consent" in call]


@pytest.mark.parametrize(
    ("audience", "version"), [("AzureADandPersonalMicrosoftAccount", ["2"]), ("AzureADMyOrg", None)]
)
def test_with_personal_accounts_the_script_asks_for_tokens_of_version_2(values, tmp_path, audience, version) -> None:
    calls, _ = run(az.text(replace(values, audience=audience)), tmp_path)
    assert one(calls, "ad", "app", "create").get("--requested-access-token-version") == version


@pytest.mark.parametrize(("key", "graph"), [("usgov_l4", "graph"), ("usgov_l5", "dod-graph")])
def test_clouds_of_one_name_each_set_their_own_graph(values, tmp_path, key, graph) -> None:
    calls, _ = run(az.text(replace(values, cloud=clouds.cloud(key))), tmp_path)
    assert one(calls, "cloud", "update")["--endpoint-microsoft-graph-resource-id"] == [f"https://{graph}.microsoft.us/"]


@pytest.mark.parametrize("text", [az.text, terraform.text])
def test_a_cloud_that_the_tool_does_not_know_is_refused_with_a_way_out(values, cloud, text) -> None:
    with pytest.raises(NoSuchCloud, match="use the manifest"):
        text(replace(values, cloud=cloud))


@pytest.mark.parametrize("text", [az.text, terraform.text])
def test_personal_accounts_alone_need_no_admin_consent(values, text) -> None:
    made = text(replace(values, audience="PersonalMicrosoftAccount"))
    assert "admin-consent" not in made
    assert "permission_grant" not in made


# Terraform


def read(text: str) -> dict[str, Any]:
    """The resources by their type, one of each."""
    blocks = hcl2.loads(text)["resource"]
    return {kind.strip('"'): next(iter(named.values())) for block in blocks for kind, named in block.items()}


def test_terraform_makes_what_the_manifest_says(values) -> None:
    made = read(terraform.text(values))
    application = made["azuread_application"]
    assert application["sign_in_audience"] == '"AzureADMyOrg"'
    assert [uri.strip('"') for uri in application["web"][0]["redirect_uris"]] == list(values.uris)
    (access,) = application["required_resource_access"]
    assert {row["id"].strip('"') for row in access["resource_access"]} == ASKED
    assert {row["type"] for row in access["resource_access"]} == {'"Scope"'}
    assert made["azuread_application_password"]["end_date"] == '"2027-11-26T00:00:00Z"'
    granted = made["azuread_service_principal_delegated_permission_grant"]["claim_values"]
    assert {name.strip('"') for name in granted} >= {"Mail.ReadWrite", "offline_access"}


def test_terraform_gets_no_address_without_a_path(values) -> None:
    made = read(terraform.text(replace(values, uris=("https://mail.example.com", "https://mail.example.com/x"))))
    uris = [uri.strip('"') for uri in made["azuread_application"]["web"][0]["redirect_uris"]]
    assert uris == ["https://mail.example.com/", "https://mail.example.com/x"]


def test_terraform_takes_over_the_presence_that_the_portal_made(values) -> None:
    assert read(terraform.text(values))["azuread_service_principal"]["use_existing"] is True


def test_terraform_takes_a_name_to_the_letter(values) -> None:
    made = terraform.text(values)
    assert hcl2.loads(made)
    assert 'O\'Neil \\"Mail\\" $${HOME} $(id) `id` %%{x}' in made


def test_terraform_replaces_no_secret_by_itself(values) -> None:
    """A file that is downloaded again has another day, and the secret another name."""
    (life,) = read(terraform.text(values))["azuread_application_password"]["lifecycle"]
    assert life["prevent_destroy"] is True
    assert set(map(str, life["ignore_changes"])) == {"display_name", "end_date"}
