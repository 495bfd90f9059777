"""The mailbox's owner ends the connection, by the link in the notice they were sent."""

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from oauth import mails
from oauth.limits import limited
from oauth.models import Connection, Link
from oauth.tasks import ring
from tenants.models import Event

from .pages import SeeOther, accounts, discreet, for_whoever_opened_it, page


@discreet
@require_http_methods(["GET", "HEAD", "POST"])
@limited("disconnect")
@for_whoever_opened_it(Link.Purpose.DISCONNECT)
def disconnect(request: HttpRequest, link: Link) -> HttpResponse:
    """Shreds the token and uses the link up. Only a press of the button does; a second one reads what the first did."""
    if request.method != "POST":
        return SeeOther(reverse("oauth:landing", args=[link.public_id]))
    words = "disconnected" if _end(link) else "disconnect"
    return page(request, words, link=link, **accounts(link.registration, link.connection))


def _end(link: Link) -> bool:
    """End the connection and use the link up; False where the link is over."""
    with transaction.atomic():
        connections = Connection.objects.filter(links=link)
        # The connection is locked first, as by a consent that connects it anew and revokes this link.
        locked = list(connections.select_for_update(of=("self",)))
        if not locked or not Link.objects.usable().filter(pk=link.pk).update(uses=F("uses") + 1):
            return False
        for connection in connections.disconnect():
            Event.objects.record(verb="disconnected", subject=connection, tenant=connection.tenant, reason=str(link))
            mails.confirm_disconnected(link, connection)
            ring()
    return True
