"""What one browser holds of ours: a cookie for each link it opened and for each attempt it started."""

import re
import time
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from .models import ConsentAttempt, Link
from .models.attempt import GOOD_FOR
from .models.link import digest

MAX_ATTEMPTS = 5
MAX_LINKS = 10


def _name(kind: str, key: object = "") -> str:
    # With the prefix a browser takes the cookie from this host alone, over https alone; on plain http it refuses it.
    return f"{'__Host-' if settings.SITE_IS_HTTPS else ''}{kind}-{key}"


def _age() -> str:
    """What a cookie's value begins with, so that values sort by age."""
    return f"{int(time.time()):012d}"


def _held(request: HttpRequest, kind: str, key: str) -> list[str]:
    """Names of this kind's cookies. What is not shaped like a name of ours may not even be deletable."""
    shape = re.compile(re.escape(_name(kind)) + key)
    return [name for name in request.COOKIES if shape.fullmatch(name)]


def remember_link(request: HttpRequest, response: HttpResponse, link: Link) -> None:
    """From now on this browser may use the link, until it ends or its token changes."""
    name = _name("link", link.public_id.hex)
    others = [other for other in _held(request, "link", "[0-9a-f]{32}") if other != name]
    others.sort(key=request.COOKIES.__getitem__)
    for other in others[: max(0, len(others) - MAX_LINKS + 1)]:
        response.delete_cookie(other, samesite="Lax")
    response.set_signed_cookie(
        name,
        f"{_age()}.{link.pk}",
        salt=_salt(link),
        max_age=link.expires_at - timezone.now(),
        secure=settings.SITE_IS_HTTPS,
        httponly=True,
        samesite="Lax",
    )


def opened(request: HttpRequest, link: Link) -> bool:
    """Whether this browser came by the link's own address, and not by one that was copied."""
    try:
        value = request.get_signed_cookie(_name("link", link.public_id.hex), salt=_salt(link))
    except (BadSignature, KeyError):
        return False
    return str(value).partition(".")[2] == str(link.pk)


def _salt(link: Link) -> str:
    return f"oauth.link.{link.token_digest}"


def remember_attempt(request: HttpRequest, response: HttpResponse, attempt: ConsentAttempt, secret: str) -> None:
    """Give this browser the secret of its attempt; it keeps those of the newest few."""
    held = sorted(_held(request, "attempt", "[0-9a-f]{32}"), key=request.COOKIES.__getitem__)
    for name in held[: max(0, len(held) - MAX_ATTEMPTS + 1)]:
        response.delete_cookie(name, samesite="None")
    response.set_cookie(
        _name("attempt", attempt.pk.hex),
        f"{_age()}.{secret}",
        max_age=GOOD_FOR,
        # Microsoft's answer is a POST from another site, which carries neither Lax nor insecure cookies. Chromium and
        # Firefox take a Secure cookie from http://localhost, too.
        secure=True,
        httponly=True,
        samesite="None",
    )


def secret_of(request: HttpRequest, attempt_id: UUID) -> str:
    """The secret this browser holds of the attempt, empty if none."""
    return request.COOKIES.get(_name("attempt", attempt_id.hex), "").partition(".")[2]


def attempts_held(request: HttpRequest) -> list[UUID]:
    """The attempts this browser says it started; `started` knows whether it did."""
    return [UUID(name.rpartition("-")[2]) for name in _held(request, "attempt", "[0-9a-f]{32}")[:MAX_ATTEMPTS]]


def started(request: HttpRequest, attempt: ConsentAttempt) -> bool:
    """Whether it was this browser that started the attempt."""
    return constant_time_compare(digest(secret_of(request, attempt.pk)), attempt.browser_digest)
