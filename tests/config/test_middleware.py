import pytest


@pytest.fixture
def https(settings) -> None:
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.parametrize("address", ["/c/unknown/", "/c/unknown", "/c/a/b/c", "/calendar/unknown/expiries.ics"])
def test_the_redirect_of_a_secret_address_to_https_is_not_kept_and_tells_no_other_page(https, client, address):
    response = client.get(address)

    assert (response.status_code, response.headers["Location"]) == (301, f"https://testserver{address}")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_other_redirects_to_https_are_as_they_are_everywhere(https, client):
    response = client.get("/admin/")

    assert response.status_code == 301
    assert "Cache-Control" not in response.headers
    assert response.headers["Referrer-Policy"] == "same-origin"
