"""What is spoken with Microsoft, and what is never spoken."""

import uuid
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from oauth.entra import EntraClient
from tenants.clouds import cloud
from tests.test_architecture import ROOT, python_files

STARTS = 1000
OTHER_FLOWS = [
    "acquire_token_by_username_password",
    "acquire_token_by_device_flow",
    "acquire_token_interactive",
    "acquire_token_on_behalf_of",
    "PublicClientApplication",
    "oidc_authority",
    'grant_type": "password',
    "response_type=token",
    "response_type=id_token",
    "id_token token",
]
UNCHECKED = [
    "verify=False",
    "CERT_NONE",
    "CERT_OPTIONAL",
    "assert_hostname",
    "_create_unverified_context",
    "disable_warnings",
]


def ours() -> list[Path]:
    return [path for room in ("config", "staff", "tenants", "oauth", "monitoring") for path in python_files(room)]


def test_of_a_thousand_starts_no_two_are_alike() -> None:
    client = EntraClient(cloud("global"), str(uuid.uuid4()), str(uuid.uuid4()), "not-a-real-secret")
    flows = [client.begin(scopes=["User.Read"], redirect_uri="https://a.example/") for _ in range(STARTS)]
    sent = [parse_qs(urlsplit(flow["auth_uri"]).query) for flow in flows]

    for name in ("state", "nonce", "code_challenge"):
        assert len({query[name][0] for query in sent}) == STARTS, name
    assert len({flow["code_verifier"] for flow in flows}) == STARTS
    assert min(len(query["state"][0]) for query in sent) >= 22  # 128 bits, six to a character
    assert min(len(flow["code_verifier"]) for flow in flows) >= 43
    assert {query["code_challenge_method"][0] for query in sent} == {"S256"}
    assert {query["response_type"][0] for query in sent} == {"code"}
    assert {query["response_mode"][0] for query in sent} == {"form_post"}


@pytest.mark.parametrize("word", OTHER_FLOWS)
def test_no_other_flow_is_spoken(word: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in ours() if word in path.read_text()] == []


@pytest.mark.parametrize("word", UNCHECKED)
def test_certificates_are_always_checked(word: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in ours() if word in path.read_text()] == []
