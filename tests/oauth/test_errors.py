"""Which refusal means what. The invariants hold for every row and for every way of putting an answer together."""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from oauth import errors
from oauth.errors import ACTORS, CODES, ERRORS, SUBERRORS, EntraRefused, EntraUnreachable, Fault, fault_for

UNKNOWN = 999999
STATUSES = (400, 401, 403, 429, 500, 503)
ROWS = [*CODES.items(), *SUBERRORS.items(), *ERRORS.items()]
NUMBERS = [(), (UNKNOWN,), *((code,) for code in CODES), *((code, UNKNOWN) for code in CODES)]

# Every number Microsoft documents, classified in the words of that list; then what the words mean here.
KNOWN = json.loads((Path(__file__).parent / "fixtures" / "aadsts_known.json").read_text("utf-8"))["codes"]
ACTOR_OF = {
    "ops_replace_secret": "operator",
    "ops_fix_config": "operator",
    "developer_fix_code": "operator",
    "tenant_admin": "tenant_admin",
    "end_user_reconnect": "mailbox_owner",
    "nobody_retry": "nobody",
    "none_expected": "nobody",
}
SCOPE_OF = {"app": "registration", "grant": "connection", "request": "request", "service": "service"}

DIRECTORY_IS_A_SETTING = "which directory is asked comes from the registration's directory and audience"
SCOPES_ARE_A_SETTING = "what is asked for comes from the scopes ticked for the registration"
STEP_OF_SIGNING_IN = "a step on the way through Microsoft's pages; it says nothing of a grant"
# (code, what differs): why the table says otherwise than the list.
EXCEPTIONS = {
    (50034, "actor"): "whether the account was deleted, and who takes its place, only the organization can say",
    (50053, "actor"): "what outlasts the lock is an administrator's to unlock or to allow",
    (54005, "actor"): "whoever was at Microsoft opens the link again, and there is nothing to mend",
    (70002, "actor"): "beside invalid_client the class already says so; else it only stands in front of another number",
    (
        70002,
        "scope",
    ): "a secret is refused as invalid_client; as invalid_grant it must not hide what is wrong with a grant",
    (9002313, "actor"): "a garbled token may be our own doing, and then every connection says it in one night",
    (50196, "scope"): "only the request that was repeated is stopped, not Microsoft's service",
    (65004, "scope"): "who declines once has taken nothing back that was granted before",
    (50140, "scope"): STEP_OF_SIGNING_IN,
    (81010, "scope"): STEP_OF_SIGNING_IN,
    **{(code, "scope"): DIRECTORY_IS_A_SETTING for code in (50059, 50128, 90019, 90124, 9001023)},
    **{(code, "scope"): SCOPES_ARE_A_SETTING for code in (28002, 28003, 700022, 700023)},
}
# Beyond the list: numbers that are named beside a listed one, which they equal.
TWINS = {
    50147: 501481,
    501491: 501481,
    500022: 500021,
    500112: 50011,
    500213: 500212,
    650053: 70011,
    700226: 700222,
    700229: 700222,
    900432: 900382,
    900981: 900941,
    9002331: 9002332,
}


def readings() -> Iterator[tuple[dict[str, object], Fault]]:
    """Every combination of status, error, suberror and number, unknown ones included, with its reading."""
    for status, error, suberror, codes in product(
        STATUSES, [*ERRORS, "never_heard_of"], ["", *SUBERRORS, "never_heard_of"], NUMBERS
    ):
        answer = {"status": status, "error": error, "suberror": suberror, "codes": codes}
        yield answer, fault_for(status=status, error=error, suberror=suberror, codes=codes)


@pytest.mark.parametrize(
    ("code", "error", "status", "kind", "actor", "verdict"),
    [
        (7000222, "invalid_client", 401, "secret_expired", "operator", ""),
        (7000215, "invalid_client", 401, "secret_invalid", "operator", ""),
        (7000216, "invalid_client", 401, "secret_missing", "operator", ""),
        (7000218, "invalid_client", 401, "secret_missing", "operator", ""),
        (700016, "unauthorized_client", 400, "app_not_found", "operator", ""),
        (90002, "invalid_tenant", 400, "tenant_not_found", "operator", ""),
        (90002, "invalid_request", 400, "tenant_not_found", "operator", ""),
        (900023, "invalid_request", 400, "tenant_not_found", "operator", ""),
        (50059, "invalid_request", 400, "authority_mismatch", "operator", ""),
        (50194, "invalid_request", 400, "audience_mismatch", "operator", ""),
        (9002331, "invalid_request", 400, "only_personal_accounts", "operator", ""),
        (50011, "invalid_client", 400, "redirect_uri_mismatch", "operator", ""),
        (70011, "invalid_scope", 400, "invalid_scope", "operator", ""),
        (650057, "invalid_resource", 400, "resource_missing", "operator", ""),
        (500011, "invalid_resource", 400, "service_missing", "tenant_admin", ""),
        (7000112, "unauthorized_client", 400, "app_disabled", "tenant_admin", ""),
        (50105, "interaction_required", 400, "user_not_assigned", "tenant_admin", "invalid"),
        (53003, "invalid_grant", 400, "conditional_access", "tenant_admin", "invalid"),
        (53000, "interaction_required", 400, "conditional_access", "tenant_admin", "invalid"),
        (530032, "invalid_grant", 400, "conditional_access", "tenant_admin", "invalid"),
        (50057, "invalid_grant", 400, "account_disabled", "tenant_admin", "invalid"),
        (50053, "invalid_grant", 400, "account_locked", "tenant_admin", "invalid"),
        (50034, "invalid_grant", 400, "account_not_found", "tenant_admin", "dead"),
        (700082, "invalid_grant", 400, "grant_expired", "mailbox_owner", "dead"),
        (70008, "invalid_grant", 400, "grant_expired", "mailbox_owner", "dead"),
        (70043, "invalid_grant", 400, "grant_expired", "mailbox_owner", "dead"),
        (50173, "invalid_grant", 400, "grant_revoked", "mailbox_owner", "dead"),
        (50132, "invalid_grant", 400, "grant_revoked", "mailbox_owner", "dead"),
        (50133, "invalid_grant", 400, "grant_revoked", "mailbox_owner", "dead"),
        (65001, "invalid_grant", 400, "consent_missing", "mailbox_owner", "invalid"),
        (50076, "invalid_grant", 400, "mfa_required", "mailbox_owner", "invalid"),
        (50076, "interaction_required", 400, "mfa_required", "mailbox_owner", "invalid"),
        (50079, "invalid_grant", 400, "mfa_setup_required", "mailbox_owner", "invalid"),
        (50055, "invalid_grant", 400, "password_expired", "mailbox_owner", "invalid"),
        (90094, "interaction_required", 400, "admin_consent_required", "tenant_admin", "invalid"),
        (90094, "access_denied", 400, "admin_consent_required", "tenant_admin", ""),
        (65004, "access_denied", 400, "user_declined", "mailbox_owner", ""),
        (65004, "consent_required", 400, "user_declined", "mailbox_owner", ""),
        (54005, "invalid_grant", 400, "code_reused", "mailbox_owner", ""),
        (50196, "invalid_grant", 400, "throttled", "nobody", ""),
        (90055, "temporarily_unavailable", 400, "throttled", "nobody", ""),
        (90033, "temporarily_unavailable", 503, "service_unavailable", "nobody", ""),
        # Entra says this of a garbled token before it looks at anything else. A garbled token may be our own doing,
        # and then every connection says it in one night: still tried, never written off.
        (9002313, "invalid_grant", 400, "request_malformed", "operator", "invalid"),
        (9002313, "invalid_request", 400, "request_malformed", "operator", ""),
        (50020, "invalid_grant", 400, "wrong_organization", "mailbox_owner", "invalid"),
        (50072, "interaction_required", 400, "mfa_setup_required", "mailbox_owner", "invalid"),
        (51004, "invalid_grant", 400, "account_not_found", "tenant_admin", "invalid"),
        (70000, "invalid_grant", 400, "grant_refused", "mailbox_owner", "invalid"),
        (700003, "invalid_grant", 400, "device_required", "mailbox_owner", "dead"),
        (700084, "invalid_grant", 400, "grant_expired", "mailbox_owner", "dead"),
        (135011, "invalid_grant", 400, "device_required", "mailbox_owner", "invalid"),
        (700022, "invalid_scope", 400, "invalid_scope", "operator", ""),
        (700025, "invalid_client", 401, "platform_mismatch", "operator", ""),
        (700027, "invalid_client", 401, "certificate_invalid", "operator", ""),
        (70001, "unauthorized_client", 400, "app_not_found", "operator", ""),
        (90095, "access_denied", 400, "admin_consent_required", "tenant_admin", ""),
        (50058, "login_required", 400, "sign_in_interrupted", "nobody", ""),
        # In front of another number it hides nothing, and a refused secret it leaves to the class.
        (70002, "invalid_grant", 400, "grant_refused", "mailbox_owner", "invalid"),
        (70002, "invalid_client", 401, "secret_invalid", "operator", ""),
    ],
)
def test_each_known_number_reads_as_its_row(code, error, status, kind, actor, verdict):
    fault = fault_for(status=status, error=error, codes=[code])
    assert (fault.kind, fault.actor, fault.verdict) == (kind, actor, verdict)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: str(known["code"]))
def test_every_documented_number_has_a_row_that_agrees(known):
    row = CODES[known["code"]]
    expected = {"actor": ACTOR_OF[known["actor"]], "scope": SCOPE_OF[known["scope"]]}
    differing = {name for name, value in expected.items() if getattr(row, name) != value}
    assert differing == {name for code, name in EXCEPTIONS if code == known["code"]}


def test_the_table_holds_the_documented_numbers_and_their_twins_only():
    listed = {known["code"] for known in KNOWN}
    assert len(listed) == len(KNOWN) == 137
    assert set(CODES) == listed | set(TWINS)
    assert set(TWINS.values()) <= listed


@pytest.mark.parametrize(("twin", "code"), TWINS.items())
def test_a_twin_asks_the_same_of_the_same_person(twin, code):
    assert CODES[twin].actor == CODES[code].actor


@pytest.mark.parametrize(
    ("error", "status", "kind", "scope", "verdict"),
    [
        ("invalid_client", 401, "secret_invalid", "registration", ""),
        ("unauthorized_client", 400, "app_not_found", "registration", ""),
        ("invalid_tenant", 400, "tenant_not_found", "registration", ""),
        ("invalid_scope", 400, "invalid_scope", "registration", ""),
        ("invalid_resource", 400, "resource_missing", "registration", ""),
        ("invalid_request", 400, "request_malformed", "request", ""),
        ("invalid_grant", 400, "grant_refused", "connection", "invalid"),
        ("interaction_required", 400, "sign_in_needed", "connection", "invalid"),
        ("login_required", 400, "sign_in_needed", "connection", "invalid"),
        ("consent_required", 400, "consent_missing", "connection", "invalid"),
        ("user_password_expired", 400, "password_expired", "connection", "invalid"),
        ("access_denied", 400, "user_declined", "request", ""),
        ("permission_denied", 400, "user_declined", "request", ""),
        ("unsupported_response", 400, "request_malformed", "request", ""),
        ("invalid_instance", 400, "cloud_mismatch", "registration", ""),
        ("temporarily_unavailable", 400, "service_unavailable", "service", ""),
        ("server_error", 400, "service_unavailable", "service", ""),
        ("invalid_grant", 429, "throttled", "service", ""),
        ("invalid_client", 503, "service_unavailable", "service", ""),
        ("never_heard_of", 400, "unknown_refusal", "request", ""),
    ],
)
@pytest.mark.parametrize("codes", [(), (UNKNOWN,)])
def test_without_a_known_number_status_and_error_decide(error, status, kind, scope, verdict, codes):
    fault = fault_for(status=status, error=error, codes=codes)
    assert (fault.kind, fault.scope, fault.verdict) == (kind, scope, verdict)


@pytest.mark.parametrize(
    ("suberror", "kind"),
    [
        ("basic_action", "sign_in_needed"),
        ("additional_action", "sign_in_needed"),
        ("message_only", "conditional_access"),
        ("protection_policy_required", "conditional_access"),
        ("consent_required", "consent_missing"),
        ("user_password_expired", "password_expired"),
        ("bad_token", "grant_revoked"),
        ("token_expired", "grant_expired"),
        ("never_heard_of", "grant_refused"),
    ],
)
def test_a_suberror_refines_but_never_kills(suberror, kind):
    fault = fault_for(status=400, error="invalid_grant", suberror=suberror)
    assert (fault.kind, fault.verdict) == (kind, "invalid")


def test_a_known_number_says_more_than_the_suberror():
    assert (
        fault_for(status=400, error="invalid_grant", suberror="message_only", codes=[50057]).kind == "account_disabled"
    )


def test_a_bare_cancel_points_to_the_administrator():
    fault = fault_for(status=400, error="access_denied", suberror="cancel")
    assert (fault.kind, fault.actor) == ("cancelled", "tenant_admin")
    assert "administrator's approval is probably needed" in fault.remedy


@pytest.mark.parametrize("suberror", ["", "bad_token", "token_expired"])
def test_a_lost_token_is_dead_where_nothing_speaks_against_it(suberror):
    assert fault_for(status=400, error="invalid_grant", suberror=suberror, codes=[50173]).verdict == "dead"


@pytest.mark.parametrize(
    "doubt",
    [
        {"suberror": "basic_action"},
        {"suberror": "never_heard_of"},
        {"codes": [50173, UNKNOWN]},
        {"error": "interaction_required"},
        {"status": 401},
    ],
)
def test_any_doubt_beside_a_dead_row_leaves_it_invalid(doubt):
    answer = {"status": 400, "error": "invalid_grant", "codes": [50173]} | doubt
    assert fault_for(**answer).verdict == "invalid"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_or_broken_service_never_kills(status):
    fault = fault_for(status=status, error="invalid_grant", suberror="bad_token", codes=[50173])
    assert (fault.scope, fault.verdict, fault.retryable) == ("service", "", True)


def test_invalid_client_stays_an_incident_of_the_registration():
    for codes in NUMBERS:
        fault = fault_for(status=401, error="invalid_client", suberror="bad_token", codes=codes)
        assert (fault.scope, fault.verdict) == ("registration", "")


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ([50173, 50196], "throttled"),
        ([50173, 7000222], "secret_expired"),
        ([50173, 50057], "account_disabled"),
        ([50057, 50076], "account_disabled"),
        ([50076, 50057], "mfa_required"),
        ([70002, 70008], "grant_refused"),
    ],
)
def test_of_several_numbers_the_softest_counts(codes, kind):
    assert fault_for(status=400, error="invalid_grant", codes=codes).kind == kind


def test_only_a_connection_gets_a_verdict_whatever_is_said():
    bad = [answer for answer, fault in readings() if fault.verdict and fault.scope != "connection"]
    assert bad == []


def test_nothing_retryable_gives_a_verdict_or_asks_a_person_to_act():
    bad = [a for a, fault in readings() if fault.retryable and (fault.verdict or fault.actor != "nobody")]
    assert bad == []


def test_dead_takes_a_plain_invalid_grant_and_a_row_that_says_so():
    dead = [answer for answer, fault in readings() if fault.verdict == "dead"]
    assert {a["status"] for a in dead} == {400}
    assert {a["error"] for a in dead} == {"invalid_grant"}
    assert {a["codes"] for a in dead} == {(code,) for code, row in CODES.items() if row.verdict == "dead"}


def test_a_verdict_takes_an_error_that_is_about_a_grant():
    errors = {answer["error"] for answer, fault in readings() if fault.verdict}
    assert errors == {
        "invalid_grant",
        "interaction_required",
        "login_required",
        "consent_required",
        "user_password_expired",
    }


@pytest.mark.parametrize(("key", "row"), ROWS)
def test_every_row_has_whole_sentences(key, row):
    for sentence in (row.what, row.remedy):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert not set("{}<>%\n!") & set(sentence)
    assert row.what.count(". ") == 0, "what is wrong is one sentence"


@pytest.mark.parametrize(("key", "row"), ROWS)
def test_every_row_is_sound(key, row):
    assert row.kind.replace("_", "").isalpha()
    assert row.kind.islower()
    assert row.actor in ACTORS
    assert row.scope in {"registration", "connection", "request", "service"}
    assert row.verdict in ({"invalid", "dead"} if row.scope == "connection" else {""})
    assert row.retryable == (row.actor == "nobody")
    assert not row.blocked or row.verdict == "invalid"


def test_a_kind_is_one_persons_to_mend():
    actors: dict[str, set[str]] = {}
    for _, row in ROWS:
        actors.setdefault(row.kind, set()).add(row.actor)
    assert {kind: who for kind, who in actors.items() if len(who) > 1} == {}


def test_only_numbers_can_be_dead():
    assert not [row for row in (*SUBERRORS.values(), *ERRORS.values()) if row.verdict == "dead"]


def test_a_number_stands_in_the_table_once():
    table = json.loads(Path(errors.__file__).with_name("aadsts.json").read_text("utf-8"))
    assert len(table["codes"]) == len(CODES)
    assert len(table["suberrors"]) == len(SUBERRORS)
    assert len(table["errors"]) == len(ERRORS)


def test_every_actor_has_words():
    assert set(ACTORS) == {row.actor for _, row in ROWS}
    assert all(ACTORS.values())


def test_a_refusal_speaks_with_the_tables_words():
    refused = EntraRefused(CODES[7000222], error="invalid_client", codes=[7000222])
    assert str(refused) == "The client secret has expired."
    assert refused.codes == (7000222,)


def test_an_unreachable_service_may_name_its_own_pause():
    assert EntraUnreachable("Busy.", retry_after=30, kind="throttled").retry_after == 30
