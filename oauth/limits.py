"""How many requests a minute one address may make of the public pages, counted in the database for all processes."""

from collections.abc import Callable, Mapping
from functools import wraps
from ipaddress import ip_network
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac

from tenants.branding import branding
from tenants.client_address import client_address

from .models import RequestCount

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

# A whole company may sit behind one address, and open a link that was sent to everyone in the same minute.
LIMITS: Mapping[str, int] = {
    "open": 120,  # mail scanners open every link of a mail, and guessing a token needs far more
    "start": 30,  # each asks Microsoft's discovery and leaves a row
    "callback": 120,  # what comes back from Microsoft is never more than what was started, but may come again
    "told": 20,  # people paste a message a few times
    "hand_on": 10,  # each makes a link that is good for weeks
    "disconnect": 20,  # once a mailbox
    "secret": 20,  # each is tried at Microsoft, and a person needs a few tries
    "calendar": 60,  # calendar services ask for all their customers from a few addresses
}


def exceeded(bucket: str, request: HttpRequest) -> int | None:
    """Count this request. None if it is within the limit, else the seconds until its address may come again."""
    now = timezone.now()
    window_start = now.replace(second=0, microsecond=0)
    digest = _digest(client_address(request))
    if RequestCount.objects.take(bucket, digest, window_start, limit=LIMITS[bucket]):
        return None
    return 60 - now.second


def limited(bucket: str) -> Callable[[View[P]], View[P]]:
    """Lets an address pass to the view LIMITS[bucket] times a minute. What is more gets 429 and a page that says so."""
    if bucket not in LIMITS:
        raise LookupError(f"LIMITS says nothing of {bucket}.")

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            seconds = exceeded(bucket, request)
            return view(request, *args, **kwargs) if seconds is None else _too_many(request, seconds)

        return wrapped

    return decorate


def _too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    response = render(request, "consent/too_many_requests.html", branding(), status=429)
    response.headers["Retry-After"] = str(seconds)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the address may hold the token of a link
    return response


def _digest(address: str) -> str:
    """Of IPv6 its /64: that is what one subscriber gets, to take as many addresses of as they like."""
    subject = str(ip_network(f"{address}/64", strict=False)) if ":" in address else address
    return salted_hmac("oauth.limits", subject, algorithm="sha256").hexdigest()
