import time
import uuid

import pytest

from tests.microsoft import Refused
from tests.sandbox.conftest import REDIRECT, claims_of


def graph(contoso, path, token=None, *scopes):
    scope = " ".join(["openid", *contoso.scopes(*(scopes or ("User.Read",)))])
    token = token if token is not None else contoso.granted(scope=scope)["access_token"]
    return contoso.get(f"/v1.0/{path}", Authorization=f"Bearer {token}")


def app_token(contoso, **fields):
    return contoso.app_token(**fields).body["access_token"]


def said(reply):
    return reply.status, reply.body["error"]["code"]


# -- a person


def test_me_is_whose_token_it_is(contoso):
    me = graph(contoso, "me")
    assert (me.status, me.body["id"], me.body["mail"]) == (200, contoso.oid, "adele@contoso.example")
    assert me.body["userPrincipalName"] == "adele@contoso.example"


def test_only_what_is_selected_comes_back(contoso):
    assert graph(contoso, "me?$select=id,mail").body.keys() == {"@odata.context", "id", "mail"}


def test_a_token_that_is_none_is_refused_in_graphs_shape(contoso):
    mine = str(uuid.uuid4())
    reply = contoso.get("/v1.0/me", Authorization="Bearer nonsense", **{"client-request-id": mine})
    assert said(reply) == (401, "InvalidAuthenticationToken")
    assert reply.body["error"].keys() == {"code", "message", "innerError"}
    assert reply.body["error"]["innerError"].keys() == {"date", "request-id", "client-request-id"}
    assert reply.body["error"]["innerError"]["client-request-id"] == mine


def test_an_app_by_itself_is_nobody(contoso):
    assert said(graph(contoso, "me", app_token(contoso))) == (400, "BadRequest")


@pytest.mark.parametrize("path", ["me/mailboxSettings", "me/mailFolders/inbox"])
def test_a_mailbox_is_there_or_it_is_not(contoso, path):
    scopes = ("MailboxSettings.Read", "Mail.Read")
    assert graph(contoso, path, None, *scopes).status == 200
    contoso.microsoft.set_mailbox(contoso.oid, False)
    assert said(graph(contoso, path, None, *scopes)) == (404, "MailboxNotEnabledForRESTAPI")


@pytest.mark.parametrize(
    ("path", "scope", "code"),
    [
        ("me", "Mail.Read", "Authorization_RequestDenied"),
        ("me/mailboxSettings", "Mail.Read", "ErrorAccessDenied"),
        ("me/mailFolders/inbox", "User.Read", "ErrorAccessDenied"),
    ],
)
def test_without_the_permission_it_is_denied(contoso, path, scope, code):
    assert said(graph(contoso, path, None, scope)) == (403, code)


def test_the_inbox_tells_its_id_alone(contoso):
    body = graph(contoso, "me/mailFolders/inbox?$select=id", None, "Mail.ReadWrite").body
    assert body.keys() == {"@odata.context", "id"}


def test_who_has_no_mailbox_has_no_mail_and_no_email_claim(contoso):
    contoso.microsoft.set_mailbox(contoso.oid, False)
    tokens = contoso.granted(scope=f"openid email profile {contoso.host}/User.Read")
    assert "email" not in claims_of(tokens["id_token"])
    assert graph(contoso, "me", tokens["access_token"]).body["mail"] is None


def test_mail_may_go_elsewhere_than_to_the_sign_in_name(contoso):
    contoso.microsoft.set_mail(contoso.oid, "Adele.Vance@mail.example")
    tokens = contoso.granted(scope=f"openid email profile {contoso.host}/User.Read")
    claims = claims_of(tokens["id_token"])
    me = graph(contoso, "me", tokens["access_token"]).body
    assert claims["email"] == me["mail"] == "Adele.Vance@mail.example"
    assert claims["preferred_username"] == me["userPrincipalName"] == "adele@contoso.example"


# -- a directory


def grants(contoso, client_id=""):
    principal = graph(contoso, f"servicePrincipals(appId='{client_id or contoso.client_id}')", app_token(contoso))
    path = f"oauth2PermissionGrants?$filter=clientId%20eq%20'{principal.body['id']}'"
    return graph(contoso, path, app_token(contoso)).body["value"]


def test_only_an_app_that_may_reads_the_grants_of_a_directory(contoso):
    paths = (f"servicePrincipals(appId='{contoso.client_id}')", "oauth2PermissionGrants")
    for path in paths:
        assert said(graph(contoso, path, app_token(contoso))) == (403, "Authorization_RequestDenied")
    contoso.microsoft.may_read_grants(contoso.client_id, contoso.directory)
    for path in paths:
        assert graph(contoso, path, app_token(contoso)).status == 200
        assert said(graph(contoso, path)) == (403, "Authorization_RequestDenied")
    contoso.microsoft.may_read_grants(contoso.client_id, contoso.directory, False)
    assert said(graph(contoso, paths[0], app_token(contoso))) == (403, "Authorization_RequestDenied")


def test_grants_are_for_everybody_or_for_one_person(contoso):
    microsoft = contoso.microsoft
    microsoft.may_read_grants(contoso.client_id, contoso.directory)
    contoso.sign_in()
    microsoft.grant_for_everybody(contoso.client_id, contoso.directory, ["Mail.Send"])
    everybody, own = grants(contoso)
    assert (everybody["consentType"], everybody["principalId"]) == ("AllPrincipals", None)
    assert everybody["scope"].startswith(" ")
    assert "Mail.Send" in everybody["scope"].split()
    assert (own["consentType"], own["principalId"]) == ("Principal", contoso.oid)
    assert "Mail.Read" in own["scope"].split()
    assert everybody["clientId"] == own["clientId"]
    assert everybody["resourceId"] == own["resourceId"]
    assert len(own["id"]) == 43


def test_grants_of_other_apps_and_other_directories_are_not_among_them(contoso):
    microsoft = contoso.microsoft
    contoso.client_id = microsoft.add_app(contoso.directory, "AzureADMultipleOrgs", [REDIRECT])["client_id"]
    contoso.secret = microsoft.add_secret(contoso.client_id)["value"]
    microsoft.may_read_grants(contoso.client_id, contoso.directory)
    other = microsoft.add_app(contoso.directory)["client_id"]
    elsewhere = microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    microsoft.grant_for_everybody(other, contoso.directory, ["Mail.Send"])
    microsoft.grant_for_everybody(contoso.client_id, elsewhere, ["Mail.Send"])
    assert grants(contoso) == []
    assert len(grants(contoso, other)) == 1
    assert len(graph(contoso, "oauth2PermissionGrants", app_token(contoso)).body["value"]) == 1


def test_an_app_a_directory_does_not_know_is_not_found_there(contoso):
    contoso.microsoft.may_read_grants(contoso.client_id, contoso.directory)
    reply = graph(contoso, f"servicePrincipals(appId='{uuid.uuid4()}')", app_token(contoso))
    assert said(reply) == (404, "Request_ResourceNotFound")


def test_a_filter_the_sandbox_does_not_know_is_refused(contoso):
    contoso.microsoft.may_read_grants(contoso.client_id, contoso.directory)
    reply = graph(contoso, "oauth2PermissionGrants?$filter=scope%20eq%20'Mail.Read'", app_token(contoso))
    assert said(reply) == (400, "Request_UnsupportedQuery")


# -- what goes wrong


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("down", 503, "serviceNotAvailable"),
        ("throttled", 429, "TooManyRequests"),
        ("Authorization_RequestDenied", 403, "Authorization_RequestDenied"),
        ("MailboxNotEnabledForRESTAPI", 404, "MailboxNotEnabledForRESTAPI"),
    ],
)
def test_graph_can_be_told_to_fail(contoso, fault, status, code):
    token = contoso.granted(scope=f"openid {contoso.host}/User.Read")["access_token"]
    contoso.microsoft.set_fault(fault, grant_type="graph", oid=contoso.oid, times=1)
    reply = graph(contoso, "me", token)
    assert said(reply) == (status, code)
    assert ("Retry-After" in reply.headers) == (status == 429)
    assert graph(contoso, "me", token).status == 200


def test_graph_can_be_slow_or_answer_with_a_page(contoso):
    token = contoso.granted(scope=f"openid {contoso.host}/User.Read")["access_token"]
    contoso.microsoft.set_fault("slow", grant_type="graph", seconds=0.3)
    began = time.monotonic()
    assert graph(contoso, "me", token).status == 200
    assert time.monotonic() - began > 0.25
    contoso.microsoft.clear_faults()
    contoso.microsoft.set_fault("html", grant_type="graph")
    assert graph(contoso, "me", token).text.startswith("<!doctype html>")


def test_a_fault_strikes_graph_only_when_it_names_it(contoso):
    token = contoso.granted(scope=f"openid {contoso.host}/User.Read")["access_token"]
    contoso.microsoft.set_fault("down")
    assert graph(contoso, "me", token).status == 200
    contoso.microsoft.clear_faults()
    contoso.microsoft.set_fault("MailboxNotEnabledForRESTAPI")
    assert contoso.app_token().status == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"what": 50173, "grant_type": "graph"},
        {"what": "MailboxNotEnabledForRESTAPI", "grant_type": "refresh_token"},
        {"what": "answer", "grant_type": "graph", "missing": True},
    ],
)
def test_graph_and_the_token_endpoint_fail_in_their_own_ways(contoso, fault):
    with pytest.raises(Refused):
        contoso.microsoft.set_fault(**fault)
