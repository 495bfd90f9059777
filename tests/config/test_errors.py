import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpResponse
from django.template import loader
from django.test import Client, RequestFactory
from django.urls import path
from django.views.decorators.csrf import csrf_protect

from config import errors, urls

FAILURES = {"bad": BadRequest, "denied": PermissionDenied, "missing": Http404, "broken": RuntimeError}
PAGES = {"400.html", "403.html", "403_csrf.html", "404.html", "500.html"}


def fail(request, kind):
    raise {"bad": BadRequest, "denied": PermissionDenied, "missing": Http404, "broken": RuntimeError}[kind](
        "canary-1618"
    )


@csrf_protect
def protected(request):
    return HttpResponse()


urlpatterns = [*urls.urlpatterns, path("fail/<str:kind>/", fail), path("protected/", protected)]
handler400, handler403, handler404, handler500 = (
    errors.bad_request,
    errors.permission_denied,
    errors.page_not_found,
    errors.server_error,
)


@pytest.fixture
def site(settings) -> Client:
    """The site with a few views that fail. No test here may use the database, and so no page does."""
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


@pytest.mark.parametrize(("kind", "status"), [("bad", 400), ("denied", 403), ("missing", 404), ("broken", 500)])
def test_every_failure_has_a_page_that_tells_nothing_of_it(site, kind, status):
    response = site.get(f"/fail/{kind}/")

    assert response.status_code == status
    assert b"What you can do" in response.content
    assert b"canary-1618" not in response.content
    assert kind.encode() not in response.content.lower()


def test_a_form_without_its_token_has_a_page(site):
    response = site.post("/protected/")

    assert response.status_code == 403
    assert b"This form could not be accepted" in response.content


def test_a_foreign_host_has_a_page(site):
    response = site.get("/", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert b"What you can do" in response.content


@pytest.mark.parametrize("kind", ["bad", "denied", "missing", "broken"])
def test_an_error_page_is_not_kept_and_not_told_of(site, kind):
    headers = site.get(f"/fail/{kind}/").headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_an_error_page_needs_no_context(name):
    page = loader.get_template(name).render()

    assert page.count("<h1>") == 1
    assert "/static/consent/consent.css" in page


def test_an_error_page_does_not_depend_on_hashed_addresses(settings):
    # Without a manifest this storage raises for every address it is asked for.
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

    assert errors.server_error(RequestFactory().get("/")).status_code == 500


def test_the_site_uses_these_pages():
    assert urls.handler400 == "config.errors.bad_request"
    assert urls.handler403 == "config.errors.permission_denied"
    assert urls.handler404 == "config.errors.page_not_found"
    assert urls.handler500 == "config.errors.server_error"
