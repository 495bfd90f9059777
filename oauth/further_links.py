"""Links that grow out of a link: for the administrator who has to approve, and for what was not granted."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from . import pins
from .models import ConsentAttempt, Link

MOST_A_DAY = 10  # for one link; whoever holds it may hand it on, and not fill the database
DAY = timedelta(days=1)
REST_GOOD_FOR = DAY


class EnoughHandedOut(Exception):
    """So many links were made of this link within a day that there shall be no more for now."""


def approval_link(link: Link, *, from_copy: bool = False) -> tuple[Link, str]:
    """A link by which an administrator approves what this link asks for; it ends when this one does.

    `from_copy`: for somebody who has only the clean address. Those are counted apart, so that whoever copied an address
    keeps nobody who holds the link from asking.
    """
    if link.purpose == Link.Purpose.APPROVAL:
        link = link.parent or link
    return _grow(link, purpose=Link.Purpose.APPROVAL, expires_at=link.expires_at, from_copy=from_copy)


def link_for_the_rest(attempt: ConsentAttempt) -> tuple[Link, str]:
    """A link by which the person of this connected attempt can grant what was left out."""
    return _grow(
        attempt.link,
        purpose=Link.Purpose.RECONNECT,
        connection=attempt.connection,
        return_url=attempt.link.return_url,
        expires_at=timezone.now() + REST_GOOD_FOR,
    )


def _grow(link: Link, *, purpose: str, from_copy: bool = False, **fields: object) -> tuple[Link, str]:
    directory = pins.directory_of(link)
    with transaction.atomic():
        Link.objects.select_for_update().get(pk=link.pk)  # or two at once would both count the same
        # Those that are used count, too: an answer that uses an approval up can be made up.
        made = link.children.filter(purpose=purpose, from_copy=from_copy, created_at__gt=timezone.now() - DAY)
        if made.count() >= MOST_A_DAY + (0 if from_copy else link.max_uses):
            raise EnoughHandedOut
        return Link.objects.mint(
            tenant=link.tenant,
            registration=link.registration,
            created_by=link.created_by,
            parent=link,
            purpose=purpose,
            from_copy=from_copy,
            expected_directory=directory if pins.names_a_directory(directory) else "",
            **fields,
        )
