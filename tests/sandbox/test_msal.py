"""An unmodified MSAL must find nothing strange about the sandbox."""

import pytest

from tests.sandbox.conftest import REDIRECT, Contoso

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended")


def granted(contoso: Contoso, app, **more):
    flow = app.initiate_auth_code_flow(contoso.scopes("Mail.Read", "User.Read"), redirect_uri=REDIRECT, **more)
    answer = contoso.microsoft.sign_in(flow["auth_uri"], contoso.oid)
    assert answer.url == REDIRECT
    return app.acquire_token_by_auth_code_flow(flow, answer.fields)


@pytest.mark.parametrize("mode", ["form_post", "query"])
def test_the_code_flow_gives_tokens_and_checked_claims(contoso, mode):
    result = granted(contoso, contoso.msal(), response_mode=mode)
    assert result["refresh_token"]
    assert result["id_token_claims"]["oid"] == contoso.oid
    assert result["id_token_claims"]["tid"] == contoso.directory


def test_the_code_flow_works_at_organizations_for_a_multi_tenant_app(contoso):
    app = contoso.microsoft.add_app(contoso.directory, "AzureADMultipleOrgs", [REDIRECT])
    contoso.client_id = app["client_id"]
    contoso.secret = contoso.microsoft.add_secret(contoso.client_id)["value"]
    result = granted(contoso, contoso.msal("organizations"), response_mode="form_post")
    assert result["id_token_claims"]["iss"] == f"{contoso.host}/{contoso.directory}/v2.0"


def test_the_authority_may_name_the_directory_by_its_domain(contoso):
    assert "access_token" in granted(contoso, contoso.msal("contoso.example"), response_mode="form_post")


def test_a_refresh_gives_a_new_refresh_token_and_the_old_one_still_works(contoso):
    app = contoso.msal()
    first = granted(contoso, app, response_mode="form_post")["refresh_token"]
    second = app.acquire_token_by_refresh_token(first, contoso.scopes())["refresh_token"]
    again = app.acquire_token_by_refresh_token(first, contoso.scopes())
    assert second != first
    assert "access_token" in again


def test_client_credentials_give_an_app_token(contoso):
    result = contoso.msal().acquire_token_for_client(contoso.scopes(".default"))
    assert result["expires_in"] == 3599


def test_a_refusal_reaches_the_caller_with_its_number(contoso):
    result = contoso.msal(secret="not-the-secret").acquire_token_for_client(contoso.scopes(".default"))
    assert (result["error"], result["error_codes"]) == ("invalid_client", [7000215])


def test_a_directory_that_is_not_there_stops_msal_at_discovery(contoso):
    with pytest.raises(ValueError, match="Unable to get authority configuration"):
        contoso.msal("nobody.example")


def test_a_person_who_declines_is_told_to_the_app(contoso):
    app = contoso.msal()
    flow = app.initiate_auth_code_flow(contoso.scopes(), redirect_uri=REDIRECT, response_mode="form_post")
    answer = contoso.microsoft.sign_in(flow["auth_uri"], contoso.oid, "decline")
    result = app.acquire_token_by_auth_code_flow(flow, answer.fields)
    assert result["error"] == "access_denied"
    assert result["error_description"].startswith("AADSTS65004")
