"""The sandbox's answers beside Microsoft's own, as recorded or documented: the same keys, types and status.

Each sample has its source beside it in fixtures/wire_samples.json.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.sandbox.conftest import Contoso, Reply, claims_of

SAMPLES = json.loads(Path(__file__).with_name("fixtures").joinpath("wire_samples.json").read_text("utf-8"))["samples"]
# Samples of endpoints that the sandbox does not serve yet.
NOT_SERVED_YET = {
    "adminconsent_success",
    "adminconsent_declined",
    "graph_organization",
    "graph_applications",
    "graph_add_password",
    "graph_remove_password",
    "graph_permission_grants",
    "graph_error_token_expired",
    "graph_error_lifetime_policy",
    "graph_error_type_policy",
    "graph_error_too_many_passwords",
    "graph_error_no_mailbox",
    "graph_error_throttled",
}
# What a client may decide by is the same word and not only of the same type.
WORDS = {"error", "error_subcode", "error_codes[]", "suberror", "code", "token_type", "typ", "alg", "ver"}
DAY = 86_400


@dataclass
class Seen:
    """What a browser carried back, or what was found inside a token: no status, no headers of its own."""

    body: dict[str, Any]
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


def differences(recorded: Any, got: Any, optional: frozenset[str] = frozenset(), path: str = "") -> list[str]:
    """What a reader of the one would trip over in the other."""
    name = path.rpartition(".")[2]
    if isinstance(recorded, dict) and isinstance(got, dict):
        wrong = [f"{path}.{key} is missing" for key in sorted(recorded.keys() - got.keys() - optional)]
        wrong += [f"{path}.{key} is new" for key in sorted(got.keys() - recorded.keys() - optional)]
        both = [key for key in recorded if key in got]
        return wrong + [
            each for key in both for each in differences(recorded[key], got[key], optional, f"{path}.{key}")
        ]
    if isinstance(recorded, list) and isinstance(got, list):
        like = recorded[0] if recorded else None
        return [each for item in got for each in differences(like, item, optional, f"{path}[]")]
    if recorded is None and isinstance(got, str):
        return []
    if type(got) is not type(recorded):
        return [f"{path} is {type(got).__name__} and not {type(recorded).__name__}"]
    if name in WORDS and got != recorded and not str(recorded).startswith("fake-"):
        return [f"{path} is {got!r} and not {recorded!r}"]
    return []


# -- how each answer is had


def discovery(contoso: Contoso, tenant: str) -> Reply:
    return contoso.get(f"/{tenant}/v2.0/.well-known/openid-configuration")


def back(contoso: Contoso, answer: str = "accept", **changes: str | None) -> Seen:
    return Seen(contoso.sign_in(answer, **changes).fields)


def without_user_consent(contoso: Contoso) -> Seen:
    contoso.microsoft.users_may_consent(contoso.directory, False)
    return back(contoso, "cancel")


def sent_back_by(contoso: Contoso, code: int) -> Seen:
    contoso.microsoft.set_fault(code, grant_type="authorize")
    return back(contoso)


def redeemed(contoso: Contoso) -> Reply:
    return contoso.redeem(contoso.sign_in().fields["code"], client_info="1")


def id_token(contoso: Contoso) -> str:
    token: str = contoso.granted(nonce="the nonce")["id_token"]
    return token


def refreshed(contoso: Contoso, meanwhile: Callable[[], Any] = lambda: None) -> Reply:
    token = contoso.granted()["refresh_token"]
    meanwhile()
    return contoso.refresh(token, client_info="1")


def refused_by(contoso: Contoso, what: int | str) -> Reply:
    return refreshed(contoso, lambda: contoso.microsoft.set_fault(what))


def expired_secret(contoso: Contoso) -> Reply:
    contoso.microsoft.expire_secret(contoso.client_id, contoso.key_id)
    return contoso.app_token()


def me(contoso: Contoso, scope: str) -> Reply:
    token = contoso.granted(scope=f"openid {contoso.host}/{scope}")["access_token"]
    return contoso.get("/v1.0/me", Authorization=f"Bearer {token}")


def application(contoso: Contoso, client_id: str = "") -> Reply:
    contoso.microsoft.may_read_applications(contoso.client_id, contoso.directory)
    contoso.microsoft.remove_secret(contoso.client_id, contoso.key_id)
    contoso.secret = contoso.microsoft.add_secret(contoso.client_id, name="prod 2026")["value"]
    token = contoso.app_token().body["access_token"]
    path = f"/v1.0/applications(appId='{client_id or contoso.client_id}')"
    return contoso.get(path, Authorization=f"Bearer {token}")


SERVED: dict[str, Callable[[Contoso], Reply | Seen]] = {
    "openid_configuration": lambda here: discovery(here, here.directory),
    "openid_configuration_bad_tenant": lambda here: discovery(here, "nobody.example"),
    "jwks": lambda here: here.get(f"/{here.directory}/discovery/v2.0/keys"),
    "authorize_success": lambda here: back(here, client_info="1"),
    "authorize_user_declined": lambda here: back(here, "decline"),
    "authorize_need_admin_approval": without_user_consent,
    "authorize_missing_parameter": lambda here: back(here, response_type=None),
    "authorize_prompt_none": lambda here: back(here, prompt="none"),
    "authorize_server_error": lambda here: sent_back_by(here, 90036),
    "token_success_code": redeemed,
    "token_success_refresh": refreshed,
    "token_success_client_credentials": lambda here: here.app_token(),
    "token_error_secret_expired": expired_secret,
    "token_error_secret_invalid": lambda here: here.app_token(client_secret="not-the-secret"),
    "token_error_app_not_found": lambda here: here.app_token(client_id=str(uuid.uuid4())),
    "token_error_tenant_not_found_at_token": lambda here: here.app_token(tenant="nobody.example"),
    "token_error_grant_inactive": lambda here: refreshed(here, lambda: here.microsoft.advance(91 * DAY)),
    "token_error_grant_revoked": lambda here: refreshed(here, lambda: here.microsoft.revoke_sessions(here.oid)),
    "token_error_sign_in_frequency": lambda here: refused_by(here, 70043),
    "token_error_consent_missing": lambda here: refreshed(
        here, lambda: here.microsoft.withdraw_consent(here.client_id, here.oid)
    ),
    "token_error_mfa": lambda here: refused_by(here, 50076),
    "token_error_conditional_access": lambda here: refused_by(here, 53003),
    "token_error_malformed_code_or_rt": lambda here: here.refresh("no-token-of-ours"),
    "token_error_throttled_client_credentials": lambda here: refused_by(here, "throttled"),
    "token_error_loop_user_flow": lambda here: refused_by(here, 50196),
    "id_token_header": lambda here: Seen(jwt.get_unverified_header(id_token(here))),
    "id_token_claims": lambda here: Seen(claims_of(id_token(here))),
    "graph_me": lambda here: me(here, "User.Read"),
    "graph_error_token_empty": lambda here: here.get("/v1.0/me"),
    "graph_application": application,
    "graph_error_not_found": lambda here: application(here, str(uuid.uuid4())),
    "graph_error_denied": lambda here: me(here, "Mail.Read"),
}


def test_every_sample_has_its_source_and_is_played_or_awaited():
    assert SAMPLES.keys() == SERVED.keys() | NOT_SERVED_YET
    assert not SERVED.keys() & NOT_SERVED_YET
    assert all(sample["source"] for sample in SAMPLES.values())


@pytest.mark.parametrize("name", SERVED)
def test_the_sandbox_answers_as_microsoft_does(contoso, name):
    sample, got = SAMPLES[name], SERVED[name](contoso)
    optional = frozenset(sample.get("optional", ()))
    assert got.status == sample.get("status")
    if "body" in sample:
        assert differences(sample["body"], got.body, optional) == []
    sent = {each: got.headers.get(each) for each in sample.get("headers", {})}
    assert None not in sent.values()
    assert sent == {each: value or sent[each] for each, value in sample.get("headers", {}).items()}


def test_a_callback_names_its_fields_in_microsofts_order(contoso):
    assert list(back(contoso, client_info="1").body) == list(SAMPLES["authorize_success"]["body"])


@pytest.mark.parametrize(
    ("recorded", "got", "said"),
    [
        ({"a": 1}, {}, [".a is missing"]),
        ({}, {"a": 1}, [".a is new"]),
        ({"a": 1}, {"a": True}, [".a is bool and not int"]),
        ({"a": None}, {"a": 1}, [".a is int and not NoneType"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}, [".a[].b is str and not int"]),
        ({"error": "x"}, {"error": "y"}, [".error is 'y' and not 'x'"]),
        ({"error_codes": [1]}, {"error_codes": [2]}, [".error_codes[] is 2 and not 1"]),
        ({"a": "x"}, {"a": "y"}, []),
    ],
)
def test_the_comparison_sees_what_matters(recorded, got, said):
    assert differences(recorded, got) == said
