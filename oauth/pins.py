"""Which account a link takes: where its people are sent to sign in, and whether who came back is who was meant."""

from django.views.decorators.debug import sensitive_variables

from tenants.models import AppRegistration

from .entra import FOR_MANY, Grant
from .errors import AnswerRejected
from .id_token import PERSONAL, UNFIT, WRONG, Identity
from .models import Link

WRONG_ACCOUNT = "wrong_account"
WRONG_DIRECTORY = "wrong_directory"
GUEST = "guest"
# Who came back is not who the link was made for; its maker hears of it.
MISMATCHES = frozenset([WRONG_ACCOUNT, WRONG_DIRECTORY])


def directory_of(link: Link) -> str:
    """The directory part of the authority this link's people are sent to: an ID, a domain, or a word for many."""
    if link.connection is not None:
        tid = str(link.connection.tid)
        return "consumers" if tid == PERSONAL else tid
    return link.expected_directory or link.registration.consent_directory


def is_for_work(link: Link) -> bool:
    """Whether an organization stands behind the accounts this link takes, so that its administrator has a say."""
    return directory_of(link) != "consumers"


def names_a_directory(directory: str) -> bool:
    return directory not in FOR_MANY


@sensitive_variables()
def account_for(link: Link, grant: Grant) -> Identity:
    """Whose grant it is, if the link takes it. Raises AnswerRejected; nothing of the grant may then be kept.

    That it is of the directory it was asked of, EntraClient has seen to.
    """
    account = grant.identity
    if account is None:
        raise AnswerRejected("missing", WRONG["missing"])
    if link.connection is not None:
        if (account.tid, account.oid) != (str(link.connection.tid), str(link.connection.oid)):
            raise AnswerRejected(WRONG_ACCOUNT, "Another account came back than the one that is to be reconnected.")
        return account
    audience, audiences = link.registration.audience, AppRegistration.Audience
    if account.tid == PERSONAL and audience in (audiences.MY_ORG, audiences.MULTIPLE_ORGS):
        raise AnswerRejected("personal_account", UNFIT["personal_account"])
    if account.is_guest:
        raise AnswerRejected(GUEST, "The account is a guest there; its mailbox is at home.")
    _demand_address(link, account)
    return account


def _demand_address(link: Link, account: Identity) -> None:
    """The account signs in as expected. Its email counts only where we chose the directory.

    A directory's administrators can write any address into their people's email, somebody else's too.
    """
    if not link.expected_address:
        return
    called = {account.username}
    if names_a_directory(directory_of(link)):
        called.add(account.email)
    if link.expected_address.lower() not in called:
        raise AnswerRejected(WRONG_ACCOUNT, "Another account came back than the one that was expected.")
