import logging

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import conditional_page, require_safe

from .logo import content_type

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 "ok" while this process answers and reaches its database, else 503. Says nothing else."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.exception("the database does not answer")
        return HttpResponse("database unreachable", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


@conditional_page
@cache_control(public=True, max_age=60 * 60)
@require_safe
def logo(request: HttpRequest) -> HttpResponse:
    """The organization's logo, if there is one and the file is still what it was at the start."""
    if settings.ORGANIZATION_LOGO is None:
        raise Http404
    try:
        content = settings.ORGANIZATION_LOGO.read_bytes()
    except OSError:
        raise Http404 from None
    kind = content_type(content)
    if kind is None:
        raise Http404
    # An SVG is a document: opened by itself it must not run what is in it.
    policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return HttpResponse(content, content_type=kind, headers={"Content-Security-Policy": policy})
