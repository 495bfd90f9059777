"""What the administrator of the person’s organization must allow or mend."""

from django.utils.translation import gettext_noop as _

from .explanation import ASK_IF_AGAIN, IN_A_WHILE, ONCE_ALLOWED, OTHER_ACCOUNT, SHOW_IT, Explanation

WORDS: dict[tuple[str, ...], Explanation] = {
    ("admin_consent_required",): Explanation(
        _("Your organization must approve the app first"),
        _(
            "In your organization an administrator must approve this app before you can connect your mailbox. Nothing"
            " was connected."
        ),
        (
            _("Ask your IT administrator to approve the app, and show them this page."),
            _("If Microsoft offers you a form to ask for approval, you can fill it in instead."),
            _("Open the link you were sent again once they have approved."),
        ),
        "tenant_admin",
    ),
    ("cancelled",): Explanation(
        _("You came back without an answer"),
        _(
            "Nothing was connected and nothing of your account was stored. Most often Microsoft had said that an"
            " administrator must approve the app first."
        ),
        (
            _("If it said so, ask your IT administrator to approve the app, and open the link again once they have."),
            _("If you only went back, try again."),
        ),
        "tenant_admin",
    ),
    ("app_disabled",): Explanation(
        _("The app is switched off"),
        _("The app is switched off where you signed in. Nothing was connected."),
        (
            SHOW_IT,
            _("For the administrator: switch the app on under Enterprise applications in Entra."),
            _("Once it is switched on, open the link you were sent again."),
        ),
        "tenant_admin",
    ),
    ("service_missing",): Explanation(
        _("Your organization does not have the service"),
        _("The service that your link is for is not set up in your organization. Nothing was connected."),
        (
            SHOW_IT,
            _("For the administrator: check that Exchange Online is set up and licensed."),
            _("Once it is set up, open the link you were sent again."),
        ),
        "tenant_admin",
    ),
    ("user_not_assigned",): Explanation(
        _("You are not on the list for this app"),
        _(
            "Your organization lets only chosen people use this app, and your account is not one of them. Nothing was"
            " connected."
        ),
        (
            SHOW_IT,
            _("For the administrator: add the account to the app’s users under Enterprise applications in Entra."),
            _("Once you are on the list, open the link you were sent again."),
        ),
        "tenant_admin",
    ),
    ("conditional_access",): Explanation(
        _("A rule of your organization stopped the sign-in"),
        _("Your organization’s rules for signing in do not allow it in this way. Nothing was connected."),
        (
            SHOW_IT,
            _("For the administrator: Entra’s sign-in logs name the policy that stopped it; exempt this app from it."),
            ONCE_ALLOWED,
        ),
        "tenant_admin",
    ),
    ("policy_blocked",): Explanation(
        _("Your organization or your network does not allow this"),
        _(
            "A rule about signing in across organizations stopped you, in your network, in your organization or in the"
            " one this is for. Nothing was connected."
        ),
        (
            _("If you are in an office network, try again from another one, if your organization permits it."),
            SHOW_IT,
            _("For the administrator: look at the restrictions for other organizations in Entra and in your network."),
            ONCE_ALLOWED,
        ),
        "tenant_admin",
    ),
    ("on_premises_sign_in",): Explanation(
        _("Your organization could not check the password"),
        _(
            "Passwords are checked by your organization’s own servers, and they did not answer as they must. Nothing"
            " was connected."
        ),
        (IN_A_WHILE, ASK_IF_AGAIN),
        "tenant_admin",
    ),
    ("account_disabled",): Explanation(
        _("The account is switched off"),
        _("Your organization has switched off the account you chose. Nothing was connected."),
        (OTHER_ACCOUNT, _("If it should be in use, show this page to your IT administrator.")),
        "tenant_admin",
    ),
    ("account_locked",): Explanation(
        _("The account is locked for now"),
        _(
            "Microsoft locks an account for a while after wrong passwords, or when it distrusts the place that the"
            " sign-in comes from. Nothing was connected."
        ),
        (_("Wait for a while and try again."), _("If it stays locked, show this page to your IT administrator.")),
        "tenant_admin",
    ),
    ("account_not_found",): Explanation(
        _("Microsoft does not find the account"),
        _("The account is not in the organization where you signed in. Nothing was connected."),
        (OTHER_ACCOUNT, _("If it should be there, show this page to your IT administrator.")),
        "tenant_admin",
    ),
    ("no_mailbox",): Explanation(
        _("The account has no mailbox"),
        _("You signed in, but the account has no mailbox that can be reached this way. Nothing was connected."),
        (
            _("If another account of yours has the mailbox, try again and choose that one."),
            _("If this account should have one, show this page to your IT administrator."),
            _("For the administrator: check that the account has a license and a mailbox in Exchange Online."),
        ),
        "tenant_admin",
    ),
}
