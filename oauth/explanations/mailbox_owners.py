"""What the person can settle: another account, another proof, another try."""

from django.utils.translation import gettext_noop as _

from .explanation import ASK_IF_AGAIN, DO_ALL, TELL_IF_AGAIN, Explanation

WORDS: dict[tuple[str, ...], Explanation] = {
    ("user_declined",): Explanation(
        _("You did not accept"),
        _("Nothing was connected and nothing of your account was stored."),
        (
            _("If that is what you wanted, there is nothing more to do."),
            _("If not, try again and accept what Microsoft lists."),
        ),
        "mailbox_owner",
    ),
    ("consent_missing",): Explanation(
        _("Not everything was accepted"),
        _("Microsoft has not noted that you, or an administrator for you, accepted all of it. Nothing was connected."),
        (
            _("Try again and accept everything that Microsoft lists."),
            _("If Microsoft says that an administrator must approve, show this page to your IT administrator."),
        ),
        "mailbox_owner",
    ),
    ("refresh_token",): Explanation(
        _("Microsoft granted no lasting access"),
        _("The connection would have ended within the hour. Nothing was stored."),
        (_("Try again and accept everything that Microsoft lists."), ASK_IF_AGAIN),
        "mailbox_owner",
    ),
    ("mfa_required",): Explanation(
        _("Microsoft asks for a second proof that it is you"),
        _("The second proof was missing, was not given in time or is too old. Nothing was connected."),
        (
            _("Try again and confirm, on your phone or as you usually do, when Microsoft asks."),
            _("If you cannot confirm any more, ask your IT administrator for help."),
        ),
        "mailbox_owner",
    ),
    ("mfa_setup_required",): Explanation(
        _("Set up a second proof that it is you"),
        _("Your account needs a second proof besides the password, and none is set up yet. Nothing was connected."),
        (
            _("Try again and set it up when Microsoft asks, for example with an app on your phone."),
            _("If you get stuck, ask your IT administrator for help."),
        ),
        "mailbox_owner",
    ),
    ("mfa_busy",): Explanation(
        _("Too many calls or messages for now"),
        _("Microsoft has called you or sent you codes too often within a short time. Nothing was connected."),
        (_("Wait for a few minutes and try again."), _("If Microsoft offers another way to confirm, use that one.")),
        "mailbox_owner",
    ),
    ("password_expired",): Explanation(
        _("Your password has expired"),
        _("Microsoft wants you to choose a new password first. Nothing was connected."),
        (_("Change your password as you usually do, then open the link you were sent again."),),
        "mailbox_owner",
    ),
    ("bad_credentials",): Explanation(
        _("Name and password do not fit"),
        _("Microsoft could not sign you in with what you entered. Nothing was connected."),
        (
            _("Try again, or choose another way to sign in if Microsoft offers one."),
            _("If you have forgotten your password, reset it on Microsoft’s page or ask your IT administrator."),
        ),
        "mailbox_owner",
    ),
    ("account_at_risk",): Explanation(
        _("Microsoft wants to be sure that it is you"),
        _("Microsoft thinks that somebody else may be trying to use your account. Nothing was connected."),
        (
            _("Sign in from a place and a device you usually work with, and change your password if Microsoft asks."),
            _("If that does not help, ask your IT administrator."),
            _("Then open the link you were sent again."),
        ),
        "mailbox_owner",
    ),
    ("device_required",): Explanation(
        _("Use a device that your organization knows"),
        _("Your organization asks for a sign-in from a device that is registered with it. Nothing was connected."),
        (
            _("Open the link you were sent again on your work computer or work phone."),
            _("If it happens there too, show this page to your IT administrator."),
        ),
        "mailbox_owner",
    ),
    ("sign_in_needed",): Explanation(
        _("Microsoft wants you to sign in again"),
        _("The sign-in was not finished. Nothing was connected."),
        (DO_ALL, ASK_IF_AGAIN),
        "mailbox_owner",
    ),
    ("grant_expired",): Explanation(
        _("The sign-in has expired"),
        _("Too much time went by, or the sign-in was ended meanwhile. Nothing was connected."),
        (_("Try again and go through Microsoft’s pages without a long break."), ASK_IF_AGAIN),
        "mailbox_owner",
    ),
    ("grant_revoked",): Explanation(
        _("The sign-in was ended"),
        _("Microsoft ended the sign-in, as it does when a password is changed. Nothing was connected."),
        (_("Try again, and sign in with your new password if you have one."), ASK_IF_AGAIN),
        "mailbox_owner",
    ),
    ("grant_refused",): Explanation(
        _("Microsoft did not accept the sign-in"),
        _("Microsoft refused to go on and did not say clearly why. Nothing was connected."),
        (DO_ALL, TELL_IF_AGAIN),
        "mailbox_owner",
    ),
    ("code_reused", "no_flow"): Explanation(
        _("This sign-in was used already"),
        _("Microsoft’s answer works once, and it came a second time. It was not used again."),
        (_("If you have not been told that your mailbox is connected, try again."),),
        "mailbox_owner",
    ),
    ("wrong_organization", "wrong_directory"): Explanation(
        _("This account is of another organization"),
        _("The account you chose is not one of the organization this is for. Nothing of it was stored."),
        (
            _("Try again and choose the account that this organization gave you."),
            _("If Microsoft does not let you choose, sign out there first, or use a private window."),
        ),
        "mailbox_owner",
    ),
    ("guest",): Explanation(
        _("You are a guest in this organization"),
        _("A guest’s mailbox is not there but in the organization the account comes from. Nothing was connected."),
        (
            _("Try again and choose an account that belongs to the organization itself."),
            _("If you have none, ask whoever sent you the link which account is meant."),
        ),
        "mailbox_owner",
    ),
    ("wrong_account",): Explanation(
        _("This is another account than the one expected"),
        _("The link is for one certain account, and you chose another one. Nothing of it was stored."),
        (
            _("Try again and choose the account that the link is for."),
            _("If you need to connect this one, ask whoever sent you the link for one of its own."),
        ),
        "mailbox_owner",
    ),
    ("personal_account",): Explanation(
        _("A work or school account is needed"),
        _("You chose a personal account, and a work or school account is needed. Nothing of it was stored."),
        (_("Try again and choose the account that your organization gave you."),),
        "mailbox_owner",
    ),
    ("work_account",): Explanation(
        _("A personal account is needed"),
        _("You chose a work or school account, and a personal account is needed. Nothing of it was stored."),
        (_("Try again and choose your own Microsoft account, as for Outlook.com."),),
        "mailbox_owner",
    ),
    ("wrong_account_type",): Explanation(
        _("Another kind of account is needed"),
        _(
            "Microsoft tells work or school accounts from personal ones, and the kind you chose cannot be used here."
            " Nothing was connected."
        ),
        (
            _("Try again and choose an account of the other kind, most often the one your organization gave you."),
            TELL_IF_AGAIN,
        ),
        "mailbox_owner",
    ),
    ("other_tenant",): Explanation(
        _("This account is connected already"),
        _("The account you chose is connected already, for somebody else. Nothing was changed."),
        (_("Try again with another account, or ask whoever sent you the link."),),
        "mailbox_owner",
    ),
}
