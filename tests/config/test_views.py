import pytest
from django.db import DatabaseError, connection


@pytest.mark.django_db
def test_healthz_answers_ok(client) -> None:
    response = client.get("/healthz/")
    assert response.status_code == 200
    assert response.content == b"ok"
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_healthz_says_so_when_the_database_is_gone(client, caplog) -> None:
    def gone(execute, sql, params, many, context):
        raise DatabaseError("gone")

    with connection.execute_wrapper(gone):
        response = client.get("/healthz/")
    assert response.status_code == 503
    assert "the database does not answer" in caplog.text


def test_healthz_takes_no_post(client) -> None:
    assert client.post("/healthz/").status_code == 405


def test_the_root_leads_to_the_admin(client) -> None:
    assert client.get("/")["Location"] == "/admin/"
