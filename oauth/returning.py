"""The way back to the product that sent somebody here: to a return URL of the registration, and to no other."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from tenants.models import RedirectURI

from .models import ConsentAttempt, Link

Outcome = ConsentAttempt.Outcome

# What the product is told of the outcome; everything else is "failed".
STATUS: dict[str, str] = {
    Outcome.CONNECTED: "connected",
    Outcome.CONNECTED_WITH_LESS: "connected_with_less",
    Outcome.APPROVED: "approved",
    Outcome.DECLINED: "declined",
    Outcome.CANCELLED: "cancelled",
}


def is_authorized(link: Link) -> bool:
    """Whether the link's return URL is one of its registration's, to the letter, now."""
    known = RedirectURI.objects.filter(
        registration=link.registration_id, use=RedirectURI.Use.RETURN, uri=link.return_url
    )
    return bool(link.return_url) and known.exists()


def address_for(attempt: ConsentAttempt) -> str:
    """Where the browser goes once this attempt has ended: the return URL with `status`, and with `connection` where
    there is one, by its public ID. Empty where the link names none, or one that is not authorized any more.
    """
    if not attempt.outcome or not is_authorized(attempt.link):
        return ""
    told = {"status": STATUS.get(attempt.outcome, "failed")}
    if attempt.connection_id:
        told["connection"] = str(attempt.connection_id)
    parts = urlsplit(attempt.link.return_url)
    query = "&".join(filter(None, [parts.query, urlencode(told)]))
    return urlunsplit(parts._replace(query=query))
