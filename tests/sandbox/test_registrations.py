"""What may be set of an app registration, and what Entra's rules refuse."""

import json
import uuid

import pytest

from sandbox.directory import World
from sandbox.permission_ids import APPLICATION, DELEGATED, GRAPH
from sandbox.permissions import BASIC, PERMISSIONS
from sandbox.store import Store
from tests.microsoft import Refused

MY_ORG, MANY = "AzureADMyOrg", "AzureADMultipleOrgs"
ANY, PERSONAL = "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
MAIL_READ = {"id": DELEGATED["Mail.Read"], "type": "Scope"}


def new_app(contoso, audience=MY_ORG, **more):
    return contoso.microsoft.add_app(contoso.directory, audience, **more)["client_id"]


def graph(*access):
    return {"resourceAppId": GRAPH, "resourceAccess": [*access]}


def apis(*counts):
    """So many permissions, of one API after another that the sandbox knows nothing of."""
    return [
        {
            "resourceAppId": str(uuid.uuid4()),
            "resourceAccess": [{"id": str(uuid.uuid4()), "type": "Scope"} for _ in range(count)],
        }
        for count in counts
    ]


# -- the permissions' GUIDs


def test_every_permission_has_a_guid_of_its_own():
    assert DELEGATED.keys() == {*BASIC, *PERMISSIONS}
    guids = [*DELEGATED.values(), *APPLICATION.values()]
    assert len(set(guids)) == len(guids)
    assert [str(uuid.UUID(each)) for each in guids] == guids


@pytest.mark.parametrize(
    ("name", "guid"),
    [
        ("User.Read", "e1fe6dd8-ba31-4d61-89e7-88639da4683d"),
        ("Mail.Read", "570282fd-fa5c-430d-a7fd-fc8dc98a9dca"),
        ("Mail.Send", "e383f46e-2787-4529-855e-0e479a3ffac0"),
        ("MailboxSettings.Read", "87f447af-9fa4-4c32-9dfa-4a57a73d18ce"),
        ("offline_access", "7427e0e9-2fba-42fe-b0c0-848c9e6a8182"),
        ("openid", "37f7f235-527c-4136-accd-4a02d197296e"),
    ],
)
def test_the_guids_are_microsofts(name, guid):
    assert DELEGATED[name] == guid


# -- redirect URIs


@pytest.mark.parametrize(
    ("audience", "uri"),
    [
        (MY_ORG, "https://app.example/callback?of=contoso"),
        (MANY, "https://app.example/callback?of=contoso"),
        (ANY, "http://localhost:8000/oauth/callback/"),
        (PERSONAL, "http://localhost"),
        (MY_ORG, "http://127.0.0.1:8000/oauth/callback/"),
        (MY_ORG, "https://app.example/" + "a" * 236),
    ],
)
def test_a_redirect_uri_within_the_rules_is_kept_as_it_is(contoso, audience, uri):
    client_id = new_app(contoso, audience, redirect_uris=[uri])
    assert contoso.microsoft.manifest(client_id)["web"]["redirectUris"] == [uri]


@pytest.mark.parametrize(
    ("audience", "uri", "rule"),
    [
        (MY_ORG, "http://app.example/", "http is for localhost only"),
        (MY_ORG, "http://localhost.app.example/", "http is for localhost only"),
        (MY_ORG, "http://[::1]:8000/", "an IPv6 address is not taken"),
        (MY_ORG, "app.example/callback", "give a full http or https address"),
        (MY_ORG, "https:///callback", "give a full http or https address"),
        (MY_ORG, "https://app.example/call back", "give a full http or https address"),
        (MY_ORG, "https://app.example/\u200b", "give a full http or https address"),
        (MY_ORG, "https://app.example/" + "a" * 237, "it has 257 characters, and at most 256 are taken"),
        (MY_ORG, "https://app.example/#here", "a fragment (#) is not taken"),
        (MY_ORG, "https://app.example#here", "a fragment (#) is not taken"),
        *((MY_ORG, f"https://app.example/a{each}b", "none of ! $ ' ( ) , ; is taken") for each in "!$'(),;"),
        (MY_ORG, "https://*.app.example/", "a wildcard (*) is taken through the manifest only"),
        (ANY, "https://app.example/?of=contoso", "a query string (?) is not taken for an app that takes personal"),
        (PERSONAL, "https://app.example/?", "a query string (?) is not taken for an app that takes personal"),
    ],
)
def test_a_redirect_uri_that_breaks_a_rule_is_refused_by_it(contoso, audience, uri, rule):
    client_id = new_app(contoso, audience, redirect_uris=["https://app.example/"])
    for attempt in (
        lambda: contoso.microsoft.set_redirect_uris(client_id, ["https://app.example/other", uri]),
        lambda: new_app(contoso, audience, redirect_uris=[uri]),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert rule in str(refused.value)
    assert contoso.microsoft.manifest(client_id)["web"]["redirectUris"] == ["https://app.example/"]


@pytest.mark.parametrize(("audience", "most"), [(MY_ORG, 256), (MANY, 256), (ANY, 100), (PERSONAL, 100)])
def test_there_are_so_many_redirect_uris_and_no_more(contoso, audience, most):
    client_id = new_app(contoso, audience)
    uris = [f"https://app.example/{number}" for number in range(most + 1)]
    assert len(contoso.microsoft.set_redirect_uris(client_id, uris[:most])["redirect_uris"]) == most
    with pytest.raises(Refused, match=f"There are {most + 1} redirect URIs: .* has at most {most}"):
        contoso.microsoft.set_redirect_uris(client_id, uris)


def test_wildcards_come_through_the_manifest_and_then_may_stay(contoso):
    microsoft, uris = contoso.microsoft, ["https://*.app.example/callback", "https://app.example/*"]
    client_id = new_app(contoso, MANY)
    microsoft.set_manifest(client_id, {"web": {"redirectUris": uris}})
    kept = microsoft.set_redirect_uris(client_id, [*uris, "https://app.example/"])["redirect_uris"]
    assert kept == [*uris, "https://app.example/"]
    with pytest.raises(Refused, match="through the manifest only"):
        microsoft.set_redirect_uris(client_id, [*uris, "https://other.example/*"])


def test_personal_accounts_take_no_wildcard_through_the_manifest_either(contoso):
    with pytest.raises(Refused, match="a wildcard .* is not taken for an app that takes personal accounts"):
        contoso.microsoft.set_manifest(new_app(contoso, ANY), {"web": {"redirectUris": ["https://*.app.example/"]}})


# -- names and secrets


@pytest.mark.parametrize(("audience", "most"), [(MY_ORG, 120), (MANY, 120), (ANY, 90), (PERSONAL, 90)])
def test_a_name_is_so_long_and_no_longer(contoso, audience, most):
    client_id = new_app(contoso, audience, name="a" * most)
    for attempt in (
        lambda: contoso.microsoft.set_app(client_id, name="a" * (most + 1)),
        lambda: contoso.microsoft.set_manifest(client_id, {"displayName": "a" * (most + 1)}),
        lambda: new_app(contoso, audience, name="a" * (most + 1)),
    ):
        with pytest.raises(Refused, match=f"has 1 to {most} characters, and this one {most + 1}"):
            attempt()
    assert contoso.microsoft.manifest(client_id)["displayName"] == "a" * most


@pytest.mark.parametrize("audience", [ANY, PERSONAL])
def test_the_third_secret_of_an_app_for_personal_accounts_is_refused(contoso, audience):
    client_id = new_app(contoso, audience)
    first = contoso.microsoft.add_secret(client_id)
    contoso.microsoft.add_secret(client_id)
    contoso.microsoft.expire_secret(client_id, first["key_id"])
    with pytest.raises(Refused, match=r"has at most 2 \(TooManyAppPasswords\)"):
        contoso.microsoft.add_secret(client_id)
    contoso.microsoft.remove_secret(client_id, first["key_id"])
    assert contoso.microsoft.add_secret(client_id)["value"]


def test_an_app_for_work_accounts_has_as_many_secrets_as_it_likes(contoso):
    for _ in range(4):
        contoso.microsoft.add_secret(contoso.client_id)
    assert len(contoso.microsoft.manifest(contoso.client_id)["passwordCredentials"]) == 5


# -- another audience


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda ms, app: ms.set_redirect_uris(app, ["https://app.example/?a=b"]), "a query string"),
        (lambda ms, app: ms.set_manifest(app, {"web": {"redirectUris": ["https://*.app.example/"]}}), "a wildcard"),
        (lambda ms, app: [ms.add_secret(app) for _ in range(3)], "TooManyAppPasswords"),
        (lambda ms, app: ms.set_app(app, name="a" * 91), "has 1 to 90 characters"),
        (lambda ms, app: ms.required_access(app, list(DELEGATED)[:31]), "at most 30 of one API"),
    ],
)
def test_an_audience_is_refused_where_what_is_there_breaks_its_rules(contoso, change, rule):
    microsoft, client_id = contoso.microsoft, new_app(contoso)
    change(microsoft, client_id)
    before = microsoft.manifest(client_id)
    for attempt in (
        lambda: microsoft.set_app(client_id, audience=ANY),
        lambda: microsoft.set_manifest(client_id, {"signInAudience": PERSONAL}),
    ):
        with pytest.raises(Refused, match=rule):
            attempt()
    assert microsoft.manifest(client_id) == before
    assert microsoft.set_app(client_id, audience=MANY)["audience"] == MANY


def test_name_and_audience_change_alone_or_together(contoso):
    microsoft, client_id = contoso.microsoft, contoso.client_id
    assert microsoft.set_app(client_id, name="  Contoso   Post ")["audience"] == MY_ORG
    assert microsoft.set_app(client_id, audience=MANY)["name"] == "Contoso Post"
    changed = microsoft.set_app(client_id, name="Contoso Mail", audience=ANY)
    assert (changed["name"], changed["audience"]) == ("Contoso Mail", ANY)


# -- permissions


def test_permissions_are_listed_by_name(contoso):
    changed = contoso.microsoft.required_access(contoso.client_id, ["Mail.Read", "offline_access", "Mail.Read"])
    assert sorted(changed["permissions"]) == ["Mail.Read", "offline_access"]
    assert contoso.microsoft.manifest(contoso.client_id)["requiredResourceAccess"] == [
        graph(MAIL_READ, {"id": DELEGATED["offline_access"], "type": "Scope"})
    ]
    assert contoso.microsoft.required_access(contoso.client_id, [])["required"] == []


def test_what_is_no_delegated_permission_of_graph_stays_as_it_was(contoso):
    role = {"id": APPLICATION["Application.ReadWrite.OwnedBy"], "type": "Role"}
    exchange = {"resourceAppId": EXCHANGE, "resourceAccess": [{"id": str(uuid.uuid4()), "type": "Scope"}]}
    contoso.microsoft.set_manifest(contoso.client_id, {"requiredResourceAccess": [exchange, graph(role)]})
    required = contoso.microsoft.required_access(contoso.client_id, ["Mail.Read"])["required"]
    assert required == [exchange, graph(MAIL_READ, role)]


def test_a_permission_that_is_none_is_refused_by_name(contoso):
    with pytest.raises(Refused, match="“Mail.Raed” is not a delegated permission of Microsoft Graph"):
        contoso.microsoft.required_access(contoso.client_id, ["Mail.Read", "Mail.Raed"])
    assert contoso.microsoft.world()["apps"][0]["permissions"] == ["User.Read"]


@pytest.mark.parametrize(
    ("audience", "counts", "more", "rule"),
    [
        (MY_ORG, (400,), (401,), "There are 401 required permissions: .* at most 400"),
        (MANY, (200, 200), (200, 201), "There are 401 required permissions: .* at most 400"),
        (MY_ORG, (1,) * 50, (1,) * 51, "are of 51 APIs: an app lists at most 50"),
        (ANY, (30,), (31,), "There are 31 required permissions of the API .* at most 30 of one API"),
        (PERSONAL, (25,) * 8, (25,) * 8 + (1,), "There are 201 required permissions: .* at most 200"),
    ],
)
def test_so_many_permissions_are_listed_and_no_more(contoso, audience, counts, more, rule):
    client_id, listed = new_app(contoso, audience), apis(*counts)
    contoso.microsoft.set_manifest(client_id, {"requiredResourceAccess": listed})
    with pytest.raises(Refused, match=rule):
        contoso.microsoft.set_manifest(client_id, {"requiredResourceAccess": apis(*more)})
    assert contoso.microsoft.manifest(client_id)["requiredResourceAccess"] == listed


# -- the manifest


@pytest.mark.parametrize("as_text", [False, True])
def test_a_manifest_is_taken_over_whole(contoso, as_text):
    manifest = {
        "id": str(uuid.uuid4()),
        "appId": contoso.client_id.upper(),
        "displayName": "Contoso Post",
        "signInAudience": MANY,
        "tags": ["ours"],
        "passwordCredentials": [],
        "web": {"redirectUris": ["https://app.example/callback"], "homePageUrl": "https://app.example"},
        "requiredResourceAccess": [graph(MAIL_READ)],
    }
    changed = contoso.microsoft.set_manifest(contoso.client_id, json.dumps(manifest) if as_text else manifest)
    assert (changed["name"], changed["audience"]) == ("Contoso Post", MANY)
    assert (changed["redirect_uris"], changed["permissions"]) == (["https://app.example/callback"], ["Mail.Read"])
    assert [each["key_id"] for each in changed["secrets"]] == [contoso.key_id]


def test_saving_what_the_editor_shows_changes_nothing(contoso):
    before = contoso.microsoft.manifest(contoso.client_id)
    contoso.microsoft.set_manifest(contoso.client_id, before)
    assert contoso.microsoft.manifest(contoso.client_id) == before


def test_what_a_manifest_does_not_name_stays(contoso):
    before = contoso.microsoft.manifest(contoso.client_id)
    contoso.microsoft.set_manifest(contoso.client_id, {"web": {}, "displayName": "Contoso Post"})
    assert contoso.microsoft.manifest(contoso.client_id) == {**before, "displayName": "Contoso Post"}


def test_a_manifest_goes_to_another_app_without_its_ids(contoso):
    other = new_app(contoso, name="Desk")
    shown = contoso.microsoft.manifest(contoso.client_id)
    with pytest.raises(Refused, match=f"another app's: its appId is “{contoso.client_id}”"):
        contoso.microsoft.set_manifest(other, shown)
    del shown["appId"]
    contoso.microsoft.set_manifest(other, shown)
    assert contoso.microsoft.manifest(other)["displayName"] == "Contoso Mail"


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("", "not readable JSON, line 1"),
        ('{"displayName":\n', "not readable JSON, line 2"),
        ('{"displayName": "\\ud800"}', "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        ("[]", "must be a JSON object"),
        (7, "must be a JSON object"),
        (None, "must be a JSON object"),
        ({}, "not in the Microsoft Graph format"),
        ({"name": "Contoso", "replyUrlsWithType": []}, "not in the Microsoft Graph format"),
        ({"appId": 7, "displayName": "Contoso"}, "another app's"),
        ({"displayName": None}, "“displayName” of the manifest must be a text"),
        ({"displayName": " "}, "has 1 to 120 characters, and this one 0"),
        ({"displayName": "Contoso\x00Mail"}, "only characters that can be shown"),
        ({"signInAudience": "Everyone"}, "“Everyone” is not a sign-in audience"),
        ({"signInAudience": 1}, "“signInAudience” of the manifest must be a text"),
        ({"web": []}, "“web” of the manifest must be an object"),
        ({"web": {"redirectUris": "https://app.example/"}}, "“web.redirectUris” of the manifest must be a list"),
        ({"web": {"redirectUris": [None]}}, "“web.redirectUris” of the manifest must be a list"),
        ({"web": {"redirectUris": [""]}}, "give a full http or https address"),
        ({"web": {"redirectUris": [" https://app.example/"]}}, "give a full http or https address"),
        ({"web": {"redirectUris": ["http://app.example/"]}}, "http is for localhost only"),
        ({"requiredResourceAccess": {}}, "“requiredResourceAccess” of the manifest must be a list of objects"),
        ({"requiredResourceAccess": [7]}, "“requiredResourceAccess” of the manifest must be a list of objects"),
        ({"requiredResourceAccess": [{"resourceAppId": GRAPH}]}, "“resourceAccess” of the manifest must be a list"),
        ({"requiredResourceAccess": [{"resourceAppId": "Graph", "resourceAccess": []}]}, "“resourceAppId” in"),
        ({"requiredResourceAccess": [graph({"id": "Mail.Read", "type": "Scope"})]}, "“id” in requiredResourceAccess"),
        ({"requiredResourceAccess": [graph({**MAIL_READ, "type": "Delegated"})]}, "“type” in requiredResourceAccess"),
        ({"requiredResourceAccess": [graph({**MAIL_READ, "type": []})]}, "“type” in requiredResourceAccess"),
        ({"requiredResourceAccess": [graph({**MAIL_READ, "type": "Role"})]}, "which has no such permission here"),
        (
            {"requiredResourceAccess": [graph({"id": "f0000000-0000-4000-8000-000000000000", "type": "Scope"})]},
            "“f0000000-0000-4000-8000-000000000000” of type Scope for Microsoft Graph, which has no such",
        ),
    ],
)
def test_a_manifest_that_will_not_do_is_refused_and_changes_nothing(contoso, manifest, said):
    before = contoso.microsoft.manifest(contoso.client_id)
    if isinstance(manifest, dict):
        manifest = {"signInAudience": MANY, **manifest} if manifest.keys() & before.keys() else manifest
    with pytest.raises(Refused) as refused:
        contoso.microsoft.set_manifest(contoso.client_id, manifest)
    assert said in str(refused.value)
    assert contoso.microsoft.manifest(contoso.client_id) == before


def test_a_manifest_is_of_an_app_that_is_there(contoso):
    with pytest.raises(Refused, match="There is no app with the client ID"):
        contoso.microsoft.manifest(str(uuid.uuid4()))
    with pytest.raises(Refused, match="There is no app with the client ID"):
        contoso.microsoft.set_manifest(str(uuid.uuid4()), {"displayName": "Contoso"})


# -- what was kept before


def test_an_app_of_an_older_store_is_read_and_can_be_changed(tmp_path):
    store, client_id = Store(tmp_path / "sandbox.sqlite3"), str(uuid.uuid4())
    body = {"client_id": client_id, "name": "Old", "directory": "d", "audience": MY_ORG, "redirect_uris": []}
    store.write(put=[("App", client_id, body)])
    world = World(store)
    assert world.app(client_id).required == [graph({"id": DELEGATED["User.Read"], "type": "Scope"})]
    assert (world.app(client_id).may_read_applications_in, world.app(client_id).owns_itself) == ([], False)
    world.set_owns_itself(client_id, True)
    assert World(store).app(client_id).owns_itself
    store.close()
