import base64

import jwt
import pytest
from cryptography import x509

from tests.microsoft import Refused

ENTRA_KEYS = {
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "jwks_uri",
    "response_modes_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "response_types_supported",
    "scopes_supported",
    "issuer",
    "authorization_endpoint",
    "claims_supported",
    "tenant_region_scope",
    "msgraph_host",
}


def discovery(contoso, tenant):
    return contoso.get(f"/{tenant}/v2.0/.well-known/openid-configuration")


def test_it_names_what_entra_names(contoso):
    reply = discovery(contoso, contoso.directory)
    assert reply.body.keys() >= ENTRA_KEYS
    assert reply.headers["Cache-Control"] == "max-age=86400, private"


@pytest.mark.parametrize("tenant", ["contoso.example", "CONTOSO.example"])
def test_a_domain_comes_back_as_the_directory_id(contoso, tenant):
    body = discovery(contoso, tenant).body
    assert body["issuer"] == f"{contoso.host}/{contoso.directory}/v2.0"
    assert body["token_endpoint"] == f"{contoso.host}/{contoso.directory}/oauth2/v2.0/token"


def test_browsers_are_sent_to_the_pages_and_tokens_stay_on_https(contoso):
    body = discovery(contoso, contoso.directory).body
    assert body["authorization_endpoint"].startswith(f"{contoso.box.pages_origin}/{contoso.directory}/")
    assert body["jwks_uri"].startswith("https://localhost:")


@pytest.mark.parametrize("tenant", ["common", "organizations"])
def test_the_shared_authorities_have_a_template_for_an_issuer(contoso, tenant):
    body = discovery(contoso, tenant).body
    assert body["issuer"] == f"{contoso.host}/{{tenantid}}/v2.0"
    assert body["token_endpoint"].endswith(f"/{tenant}/oauth2/v2.0/token")


@pytest.mark.parametrize(
    ("tenant", "number"),
    [("nobody.example", 90002), ("f0000000-0000-4000-8000-000000000000", 90002), ("no dots", 900023)],
)
def test_an_unknown_directory_is_an_invalid_tenant(contoso, tenant, number):
    reply = discovery(contoso, tenant)
    assert reply.refusal == (400, "invalid_tenant", number)
    assert tenant in reply.body["error_description"]


def test_the_keys_verify_an_id_token_and_their_certificate_is_the_same_key(contoso):
    keys = contoso.get(f"/{contoso.directory}/discovery/v2.0/keys").body["keys"]
    token = contoso.granted()["id_token"]
    header = jwt.get_unverified_header(token)
    key = next(each for each in keys if each["kid"] == header["kid"])
    public = jwt.PyJWK(key).key
    claims = jwt.decode(token, public, algorithms=["RS256"], audience=contoso.client_id)
    certificate = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
    assert claims["oid"] == contoso.oid
    assert certificate.public_key() == public
    assert key["issuer"] == f"{contoso.host}/{{tenantid}}/v2.0"


@pytest.mark.parametrize("region", ["GCC", "DODCON", "DOD"])
def test_a_directory_of_the_us_government_names_its_region(contoso, region):
    directory = contoso.microsoft.add_directory("Agency", "agency.example", region=region)
    assert discovery(contoso, directory["id"]).body["tenant_region_sub_scope"] == region


def test_another_directory_names_no_region_and_there_are_no_others(contoso):
    assert "tenant_region_sub_scope" not in discovery(contoso, contoso.directory).body
    with pytest.raises(Refused):
        contoso.microsoft.add_directory("Agency", "agency.example", region="MARS")
