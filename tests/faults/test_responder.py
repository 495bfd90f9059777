"""The answering side as a process, asked over TLS as the product asks it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError, TimeoutError

from faults.ledger import token_of
from faults.microsoft import Microsoft
from faults.processes import Processes

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def started(tmp_path_factory: Any) -> Iterator[Microsoft]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with Processes(folder / "log") as processes:
        yield Microsoft(processes, folder / "microsoft")


@pytest.fixture
def answering(started: Microsoft) -> Microsoft:
    started.forget()
    started.answers()
    return started


@pytest.fixture
def pool(started: Microsoft) -> Iterator[PoolManager]:
    with PoolManager(ca_certs=started.ca_file, retries=False, timeout=Timeout(total=5)) as made:
        yield made


def ask(pool: PoolManager, microsoft: Microsoft, **form: str) -> BaseHTTPResponse:
    fields = {"client_id": "app", "client_secret": "not-a-real-secret", **form}
    return pool.request_encode_body(
        "POST", f"https://{microsoft.host}/dir/oauth2/v2.0/token", fields=fields, encode_multipart=False
    )


def refresh(pool: PoolManager, microsoft: Microsoft, lineage: str = "live-1") -> BaseHTTPResponse:
    return ask(pool, microsoft, grant_type="refresh_token", refresh_token=token_of(lineage, 0), scope="Mail.Read")


def test_a_refresh_gives_the_next_token(answering: Microsoft, pool: PoolManager) -> None:
    assert refresh(pool, answering).json()["refresh_token"] == token_of("live-1", 1)


def test_a_sign_in_gives_no_refresh_token(answering: Microsoft, pool: PoolManager) -> None:
    assert "refresh_token" not in ask(pool, answering, grant_type="client_credentials").json()


def test_a_grant_that_is_gone_is_refused_as_microsoft_does(answering: Microsoft, pool: PoolManager) -> None:
    answer = refresh(pool, answering, "dead-1")
    assert (answer.status, answer.json()["error_codes"]) == (400, [700082])


def test_a_secret_that_is_refused_is_refused_as_microsoft_does(answering: Microsoft, pool: PoolManager) -> None:
    answer = ask(pool, answering, grant_type="client_credentials", client_secret="not-a-real-secret-refused")
    assert (answer.status, answer.json()["error_codes"]) == (401, [7000215])


@pytest.mark.parametrize(
    ("fault", "status", "body"), [("throttled", 429, "Too many"), ("down", 503, "unavailable"), ("empty", 200, "{}")]
)
def test_it_answers_as_it_is_told(answering: Microsoft, pool: PoolManager, fault: str, status: int, body: str) -> None:
    answering.answers(fault)
    answer = refresh(pool, answering)
    assert answer.status == status
    assert body in answer.data.decode()


def test_half_an_answer_is_no_answer(answering: Microsoft, pool: PoolManager) -> None:
    answering.answers("half")
    with pytest.raises(HTTPError):
        refresh(pool, answering)


def test_silence_lasts(answering: Microsoft, pool: PoolManager) -> None:
    answering.answers("silent")
    pool.connection_pool_kw["timeout"] = Timeout(connect=5, read=0.5)
    with pytest.raises(TimeoutError):
        refresh(pool, answering)


def test_who_asks_too_early_is_in_the_book(answering: Microsoft, pool: PoolManager) -> None:
    answering.answers("throttled", retry_after=60)
    refresh(pool, answering)
    assert (answering.report()["throttled"], answering.report()["early"]) == (1, 0)


def test_whoever_is_gone_is_not_being_answered(answering: Microsoft, pool: PoolManager) -> None:
    answering.answers("silent")
    pool.connection_pool_kw["timeout"] = Timeout(connect=5, read=0.3)
    with pytest.raises(TimeoutError):
        refresh(pool, answering)
    pool.clear()
    answering.answers()
    refresh(pool, answering)
    assert answering.report()["lineages"]["live-1"]["overlapping"] == 0
