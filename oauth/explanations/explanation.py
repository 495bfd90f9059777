"""What an explanation is made of, and the sentences that many share."""

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from oauth.errors import Actor


@dataclass(frozen=True)
class Explanation:
    """A page's words: its heading, what happened, what the person can do about it, and who must act in the end."""

    title: str
    what: str
    todo: tuple[str, ...]
    actor: Actor

    @property
    def is_for_others(self) -> bool:
        """Whether somebody else must act first, so that another try is not what helps."""
        return self.actor in ("operator", "tenant_admin")


MENDED_BY_SENDER = _(
    "Tell whoever sent you the link that it cannot go on, and open the link again once they have mended it."
)
TELL_IF_AGAIN = _("If it happens again, tell whoever sent you the link.")
ASK_IF_AGAIN = _("If it happens again, show this page to your IT administrator.")
SHOW_IT = _("Show this page to your IT administrator.")
ONCE_ALLOWED = _("Once they have allowed it, open the link you were sent again.")
TRY_AGAIN = _("Try again.")
IN_A_WHILE = _("Try again in a few minutes.")
OTHER_ACCOUNT = _("Try again and choose another account at Microsoft.")
DO_ALL = _("Try again and do everything that Microsoft asks for.")

GENERAL = Explanation(
    _("Microsoft did not let this through"),
    _("Something kept the sign-in from being finished. Nothing was connected."),
    (TRY_AGAIN, TELL_IF_AGAIN),
    "operator",
)
