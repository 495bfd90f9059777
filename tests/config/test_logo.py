import base64

import pytest
from django.test import Client, RequestFactory

from config import errors
from config.checks import settings_problems
from config.logo import content_type

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8"/></svg>'
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L"
PICTURES = [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (SVG, "image/svg+xml")]


@pytest.fixture
def logo(settings, tmp_path):
    """Puts these bytes where the setting says the logo is."""
    settings.ORGANIZATION_LOGO = tmp_path / "logo.png"

    def put(content: bytes = SVG) -> None:
        settings.ORGANIZATION_LOGO.write_bytes(content)

    return put


def ids() -> set[str]:
    return {problem.id for problem in settings_problems()} & {"config.E020", "config.E021", "config.E022"}


@pytest.mark.parametrize(
    "svg",
    [
        SVG,
        b"\xef\xbb\xbf" + SVG,
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn -->\n' + SVG,
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">' + SVG,
        b'<s:svg xmlns:s="http://www.w3.org/2000/svg"/>',
        ('<?xml version="1.0" encoding="UTF-16"?>' + SVG.decode()).encode("utf-16"),
    ],
)
def test_an_svg_is_known_however_it_begins(svg):
    assert content_type(svg) == "image/svg+xml"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF\x1a\x00\x00\x00WAVEfmt ",
        b"GIF89a\x01\x00\x01\x00",
        b"<html><body><svg/></body></html>",
        b'<html xmlns="http://www.w3.org/1999/xhtml"><!-- <svg> --></html>',
        b"<svg/>",
        SVG[:-6],
        b'<?xml version="1.0" encoding="nonsense"?>' + SVG,
        b'<?xml version="1.0" encoding="utf-7"?>' + SVG,
        b"\x1f\x8b\x08\x00",
    ],
)
def test_anything_else_is_no_logo(logo, content):
    logo(content)

    assert content_type(content) is None
    assert ids() == {"config.E022"}
    assert Client().get("/logo").status_code == 404


@pytest.mark.parametrize(("content", "kind"), PICTURES, ids=[kind for _, kind in PICTURES])
def test_a_logo_is_served_as_what_its_bytes_are(logo, content, kind):
    logo(content)
    response = Client().get("/logo")

    assert ids() == set()
    assert response.content == content
    assert response.headers["Content-Type"] == kind
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_an_svg_opened_by_itself_runs_nothing(logo):
    logo()

    assert (
        Client().get("/logo").headers["Content-Security-Policy"]
        == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    )


def test_a_logo_is_kept_for_an_hour_and_asked_for_again_by_its_tag(logo):
    logo()
    response = Client().get("/logo")
    again = Client().get("/logo", headers={"If-None-Match": response.headers["ETag"]})
    logo(PNG)
    changed = Client().get("/logo", headers={"If-None-Match": response.headers["ETag"]})

    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert response.cookies == {}
    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200


def test_without_a_logo_there_is_none(settings):
    assert settings.ORGANIZATION_LOGO is None
    assert Client().get("/logo").status_code == 404
    assert b"<img" not in Client().get("/nowhere").content


def test_a_logo_that_is_gone_again_is_not_found(logo):
    assert Client().get("/logo").status_code == 404


def test_e020_a_logo_that_is_not_there(logo, settings):
    assert ids() == {"config.E020"}
    settings.ORGANIZATION_LOGO = settings.ORGANIZATION_LOGO.parent
    assert ids() == {"config.E020"}


def test_e021_a_logo_that_is_too_large(logo):
    logo(PNG.ljust(200_000, b"\0"))
    assert ids() == set()
    logo(PNG.ljust(200_001, b"\0"))
    assert ids() == {"config.E021"}


@pytest.mark.parametrize("path", ["/nowhere", "/c/unknown/"])
@pytest.mark.django_db
def test_public_pages_show_who_asks(logo, path):
    page = Client().get(path).content.decode()

    assert '<img class="logo" src="/logo" alt="">Example Mail</p>' in page
    assert 'href="mailto:help@example.com"' in page


def test_an_error_page_shows_a_logo_even_when_its_file_is_gone(logo):
    assert b'src="/logo"' in errors.server_error(RequestFactory().get("/")).content
