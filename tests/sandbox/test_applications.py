"""An app registration read through Graph: who may, and what it looks like."""

import re
import uuid

import pytest

from tests.microsoft import Refused
from tests.sandbox.conftest import REDIRECT

SELECT = "id,appId,displayName,signInAudience,isDisabled,passwordCredentials,keyCredentials,requiredResourceAccess,web"
DENIED = (403, "Authorization_RequestDenied")
NOT_FOUND = (404, "Request_ResourceNotFound")


def ask(contoso, client_id="", select="", token="", tenant="", of="applications"):
    token = token or contoso.app_token(tenant=tenant).body["access_token"]
    query = f"?$select={select}" if select else ""
    path = f"/v1.0/{of}(appId='{client_id or contoso.client_id}'){query}"
    return contoso.get(path, Authorization=f"Bearer {token}")


def said(reply):
    return reply.status, reply.body["error"]["code"]


def many(contoso):
    """The app becomes one for many directories; the ID of another that knows it."""
    contoso.microsoft.set_app(contoso.client_id, audience="AzureADMultipleOrgs")
    elsewhere = contoso.microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    contoso.microsoft.grant_for_everybody(contoso.client_id, elsewhere, ["Mail.Read"])
    return str(elsewhere)


# -- who may


def test_an_app_without_a_right_reads_not_even_itself(contoso):
    assert said(ask(contoso)) == DENIED
    assert said(ask(contoso, str(uuid.uuid4()))) == DENIED


def test_an_app_that_may_reads_every_app_of_the_directory(contoso):
    other = contoso.microsoft.add_app(contoso.directory, name="Desk")["client_id"]
    contoso.microsoft.may_read_applications(contoso.client_id, contoso.directory)
    assert ask(contoso).body["displayName"] == "Contoso Mail"
    assert ask(contoso, other.upper()).body["appId"] == other
    contoso.microsoft.may_read_applications(contoso.client_id, contoso.directory, False)
    assert said(ask(contoso)) == DENIED


def test_an_app_that_owns_itself_reads_itself_alone(contoso):
    other = contoso.microsoft.add_app(contoso.directory, name="Desk")["client_id"]
    contoso.microsoft.owns_itself(contoso.client_id)
    assert ask(contoso).body["appId"] == contoso.client_id
    assert said(ask(contoso, other)) == DENIED
    assert said(ask(contoso, str(uuid.uuid4()))) == NOT_FOUND
    contoso.microsoft.owns_itself(contoso.client_id, False)
    assert said(ask(contoso)) == DENIED


def test_what_microsoft_says_of_an_app_is_null_until_it_says_something(contoso):
    contoso.microsoft.owns_itself(contoso.client_id)
    assert ask(contoso).body["disabledByMicrosoftStatus"] is None
    for status in ("DisabledDueToViolationOfServicesAgreement", "NotDisabled"):
        contoso.microsoft.microsoft_status(contoso.client_id, status)
        assert ask(contoso).body["disabledByMicrosoftStatus"] == status
    with pytest.raises(Refused, match="is no disabledByMicrosoftStatus"):
        contoso.microsoft.microsoft_status(contoso.client_id, "Gone")


def test_the_right_to_read_grants_is_another(contoso):
    contoso.microsoft.may_read_grants(contoso.client_id, contoso.directory)
    assert said(ask(contoso)) == DENIED
    contoso.microsoft.may_read_grants(contoso.client_id, contoso.directory, False)
    contoso.microsoft.may_read_applications(contoso.client_id, contoso.directory)
    assert said(ask(contoso, of="servicePrincipals")) == DENIED


def test_a_persons_token_reads_no_registration(contoso):
    contoso.microsoft.may_read_applications(contoso.client_id, contoso.directory)
    contoso.microsoft.owns_itself(contoso.client_id)
    contoso.microsoft.set_admin(contoso.oid, True)
    token = contoso.granted(scope=f"openid {contoso.host}/Application.Read.All")["access_token"]
    assert said(ask(contoso, token=token)) == DENIED


def test_only_the_home_directory_has_the_registration(contoso):
    elsewhere = many(contoso)
    contoso.microsoft.owns_itself(contoso.client_id)
    assert said(ask(contoso, tenant=elsewhere)) == DENIED
    contoso.microsoft.may_read_applications(contoso.client_id, elsewhere)
    assert said(ask(contoso, tenant=elsewhere)) == NOT_FOUND
    assert ask(contoso).status == 200


def test_an_unknown_app_is_not_found_by_name(contoso):
    contoso.microsoft.may_read_applications(contoso.client_id, contoso.directory)
    wanted = str(uuid.uuid4())
    reply = ask(contoso, wanted)
    assert said(reply) == NOT_FOUND
    assert reply.body["error"]["message"].startswith(f"Resource '{wanted}' does not exist or one of its queried")


def test_a_fault_of_graph_strikes_here_too(contoso):
    contoso.microsoft.owns_itself(contoso.client_id)
    contoso.microsoft.set_fault("throttled", grant_type="graph", client_id=contoso.client_id)
    assert said(ask(contoso)) == (429, "TooManyRequests")


# -- what it looks like


def test_a_registration_looks_as_graph_shows_it(contoso):
    contoso.microsoft.owns_itself(contoso.client_id)
    body = ask(contoso, select=SELECT).body
    (password,) = body["passwordCredentials"]
    assert body == {
        "@odata.context": f"{contoso.host}/v1.0/$metadata#applications({SELECT})/$entity",
        "id": body["id"],
        "appId": contoso.client_id,
        "displayName": "Contoso Mail",
        "signInAudience": "AzureADMyOrg",
        "isDisabled": None,
        "passwordCredentials": [
            {
                "customKeyIdentifier": None,
                "displayName": None,
                "endDateTime": password["endDateTime"],
                "hint": contoso.secret[:3],
                "keyId": contoso.key_id,
                "secretText": None,
                "startDateTime": password["startDateTime"],
            }
        ],
        "keyCredentials": [],
        "requiredResourceAccess": [
            {
                "resourceAppId": "00000003-0000-0000-c000-000000000000",
                "resourceAccess": [{"id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope"}],
            }
        ],
        "web": {
            "redirectUris": [REDIRECT],
            "homePageUrl": None,
            "logoutUrl": None,
            "implicitGrantSettings": {"enableIdTokenIssuance": False, "enableAccessTokenIssuance": False},
            "redirectUriSettings": [],
        },
    }


def test_the_object_id_stays_and_is_no_other_id_of_the_app(contoso):
    contoso.microsoft.owns_itself(contoso.client_id)
    contoso.microsoft.may_read_grants(contoso.client_id, contoso.directory)
    first = ask(contoso).body["id"]
    contoso.microsoft.set_app(contoso.client_id, name="Contoso Post")
    principal = ask(contoso, of="servicePrincipals").body["id"]
    assert ask(contoso).body["id"] == first
    assert len({first, principal, contoso.client_id, str(uuid.UUID(first))}) == 3


@pytest.mark.parametrize(
    ("ends_at", "shown"),
    [
        ("2990-03-31", "2990-03-31T00:00:00Z"),
        ("2027-03-31T23:59:59.5+02:00", "2027-03-31T21:59:59.5Z"),
    ],
)
def test_times_are_utc_with_as_many_digits_as_they_need(contoso, ends_at, shown):
    contoso.microsoft.owns_itself(contoso.client_id)
    made = contoso.microsoft.add_secret(contoso.client_id, ends_at, "prod 2026")
    first, second = ask(contoso).body["passwordCredentials"]
    assert (second["keyId"], second["displayName"], second["endDateTime"]) == (made["key_id"], "prod 2026", shown)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z", first["startDateTime"])


def test_no_answer_carries_a_secret(contoso):
    contoso.microsoft.owns_itself(contoso.client_id)
    assert contoso.secret not in ask(contoso).text


def test_a_removed_secret_is_gone_and_an_expired_one_is_still_listed(contoso):
    contoso.microsoft.owns_itself(contoso.client_id)
    spare = contoso.microsoft.add_secret(contoso.client_id)
    contoso.microsoft.expire_secret(contoso.client_id, contoso.key_id)
    contoso.secret = spare["value"]
    listed = [each["keyId"] for each in ask(contoso).body["passwordCredentials"]]
    assert listed == [contoso.key_id, spare["key_id"]]
    contoso.microsoft.remove_secret(contoso.client_id, contoso.key_id)
    assert [each["keyId"] for each in ask(contoso).body["passwordCredentials"]] == [spare["key_id"]]


def test_an_app_disabled_everywhere_says_so_to_who_may_still_look(contoso):
    contoso.microsoft.owns_itself(contoso.client_id)
    token = contoso.app_token().body["access_token"]
    contoso.microsoft.disable_app(contoso.client_id)
    assert ask(contoso, token=token).body["isDisabled"] is True
    contoso.microsoft.disable_app(contoso.client_id, disabled=False)
    assert ask(contoso).body["isDisabled"] is None


def test_a_service_principal_is_disabled_in_its_own_directory_alone(contoso):
    elsewhere = many(contoso)
    for directory in (contoso.directory, elsewhere):
        contoso.microsoft.may_read_grants(contoso.client_id, directory)
    tokens = [contoso.app_token(tenant=each).body["access_token"] for each in (contoso.directory, elsewhere)]
    contoso.microsoft.disable_app(contoso.client_id, elsewhere)
    enabled = [ask(contoso, token=each, of="servicePrincipals").body["accountEnabled"] for each in tokens]
    assert enabled == [True, False]
