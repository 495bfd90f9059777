import json
import logging
import secrets

import pytest

from config.logs import REDACTED, Lines, NoSecrets

SECRET = secrets.token_urlsafe(24)
ENTRA_SHAPED = "abc8Q~" + secrets.token_urlsafe(24)


def line(message: str, *args: object, **extra: object) -> str:
    record = logging.getLogger("test").makeRecord("test", logging.INFO, "f", 1, message, args, None, extra=extra)
    NoSecrets().filter(record)
    return Lines().format(record)


@pytest.mark.parametrize(
    "text",
    [
        f"POST body client_id=1&client_secret={SECRET}&grant_type=x",
        f'{{"refresh_token": "{SECRET}"}}',
        f"{{'code_verifier': '{SECRET}'}}",
        f"Authorization: Bearer {SECRET}",
        f"state mismatch: state={SECRET}",
        f"GET /c/{SECRET}/ HTTP/1.1",
        f"GET /calendar/{SECRET}/expiries.ics HTTP/1.1",
        f"id eyJhbGciOiJub25lIn0.{SECRET}.{SECRET}",
        f"the value 1.A{SECRET}{SECRET} came back",
        f"stored gAAAA{SECRET}{SECRET}",
    ],
    ids=lambda text: text.partition(SECRET)[0],
)
def test_a_secret_in_a_message_is_redacted(text: str) -> None:
    assert SECRET not in line(text)
    assert REDACTED in line(text)


def test_a_secret_of_entras_shape_is_redacted_without_a_name() -> None:
    assert ENTRA_SHAPED not in line("it said %s", ENTRA_SHAPED)


def test_a_secret_among_arguments_and_extra_fields_is_redacted() -> None:
    out = line("answer %s", {"access_token": SECRET}, refresh_token=SECRET, body={"code": SECRET, "error": "x"})
    assert SECRET not in out


def test_a_secret_in_a_traceback_is_redacted() -> None:
    try:
        raise ValueError(f"client_secret={SECRET}")
    except ValueError as exc:
        record = logging.getLogger("t").makeRecord(
            "t", logging.ERROR, "f", 1, "failed", (), (type(exc), exc, exc.__traceback__)
        )
    NoSecrets().filter(record)
    out = Lines().format(record)
    assert SECRET not in out
    assert "ValueError" in out


def test_what_is_not_secret_stays() -> None:
    out = json.loads(line("sweep finished, AADSTS7000222, status=401", sweep=17, error_code="invalid_client"))
    assert out["message"] == "sweep finished, AADSTS7000222, status=401"
    assert out["sweep"] == 17
    assert out["error_code"] == "invalid_client"
    assert out["level"] == "INFO"


def test_a_record_is_one_line_of_json() -> None:
    out = line("first\nsecond\r\nthird")
    assert "\n" not in out
    assert json.loads(out)["message"] == "first\nsecond\r\nthird"
