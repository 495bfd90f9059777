"""What went wrong on the side of those who sent the link."""

from django.utils.translation import gettext_noop as _

from oauth.id_token import WRONG

from .explanation import GENERAL, MENDED_BY_SENDER, TELL_IF_AGAIN, TRY_AGAIN, Explanation

# An answer that does not hold what it must.
UNTRUSTED = (*WRONG, "state", "code", "malformed", "endpoint")

WORDS: dict[tuple[str, ...], Explanation] = {
    ("secret_expired", "secret_ending"): Explanation(
        _("The app’s key has expired"),
        _(
            "It is not your fault: the key with which the app signs in to Microsoft has expired, and those who sent"
            " you the link must replace it. Nothing was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("secret_invalid", "certificate_invalid", "federated_credential_invalid"): Explanation(
        _("Microsoft does not accept the app’s key"),
        _(
            "It is not your fault: Microsoft refuses the key with which the app signs in, and those who sent you the"
            " link must put it right. Nothing was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("secret_missing", "no_secret", "unreadable_secret"): Explanation(
        _("The app has no key for Microsoft"),
        _(
            "It is not your fault: the key with which the app signs in to Microsoft is missing, or cannot be read, on"
            " the side of those who sent you the link. Nothing was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("app_not_found",): Explanation(
        _("Microsoft does not find the app"),
        _(
            "It is not your fault: Microsoft does not know the app behind your link, or does not let it be used where"
            " you signed in. Nothing was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("tenant_not_found", "authority_mismatch"): Explanation(
        _("Microsoft does not find the organization"),
        _(
            "It is not your fault: the organization that your link is for is not set up as Microsoft knows it. Nothing"
            " was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("audience_mismatch", "only_personal_accounts"): Explanation(
        _("The app is set up for other accounts"),
        _(
            "It is not your fault: at Microsoft the app is set up for other kinds of accounts than your link is for."
            " Nothing was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("cloud_mismatch",): Explanation(
        _("The app and the account are in different places at Microsoft"),
        _(
            "It is not your fault: Microsoft runs separate services for some countries and governments, and the app is"
            " in another one than it must be. Nothing was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("redirect_uri_mismatch",): Explanation(
        _("Microsoft does not know the way back"),
        _(
            "It is not your fault: the address to which Microsoft would bring you back is not set up for the app."
            " Nothing was connected."
        ),
        (MENDED_BY_SENDER, _("It takes Microsoft a few minutes to notice that it was mended.")),
        "operator",
    ),
    ("invalid_scope", "no_scopes"): Explanation(
        _("Microsoft cannot give what the link asks for"),
        _(
            "It is not your fault: your link asks for nothing, or for something that Microsoft does not offer in this"
            " way. Nothing was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("resource_missing",): Explanation(
        _("The app asks for more than it is set up for"),
        _(
            "It is not your fault: what your link asks for is not on the list that Microsoft keeps for the app. Nothing"
            " was connected."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("platform_mismatch", "response_type_refused", "unverified"): Explanation(
        _("This cannot go on right now"),
        _(
            "It is not your fault: something is not set up as it must be on the side of those who sent you the link."
            " Nothing was stored."
        ),
        (MENDED_BY_SENDER,),
        "operator",
    ),
    ("request_malformed",): Explanation(
        _("Microsoft could not read the request"),
        _(
            "It is most likely not your fault: what was sent to Microsoft was not what it expects. Nothing was"
            " connected."
        ),
        (_("Try again, in one window, and do not go back or load a page again on the way."), TELL_IF_AGAIN),
        "operator",
    ),
    ("code_mismatch",): Explanation(
        _("Two sign-ins got mixed up"),
        _(
            "What came back from Microsoft belongs to another sign-in, as can happen with two open windows. Nothing was"
            " connected."
        ),
        (_("Close the other windows and try again."), TELL_IF_AGAIN),
        "operator",
    ),
    ("registration_changed",): Explanation(
        _("Something was changed meanwhile"),
        _(
            "It is not your fault: while you were at Microsoft, those who sent you the link changed what it is for."
            " Nothing was stored."
        ),
        (TRY_AGAIN, TELL_IF_AGAIN),
        "operator",
    ),
    ("unreadable_flow",): Explanation(
        _("This sign-in could not be finished"),
        _(
            "It is not your fault: what was kept of your sign-in while you were at Microsoft cannot be read any more."
            " Nothing was connected."
        ),
        (TRY_AGAIN, TELL_IF_AGAIN),
        "operator",
    ),
    ("link_unusable",): Explanation(
        _("The link has ended"),
        _("While you were at Microsoft the link ended, or somebody else used it. Nothing of your account was stored."),
        (_("Ask whoever sent you the link for a new one."),),
        "operator",
    ),
    UNTRUSTED: Explanation(
        _("The answer could not be trusted"),
        _("What Microsoft answered could not be trusted, so nothing of it was stored."),
        (TRY_AGAIN, TELL_IF_AGAIN),
        "operator",
    ),
    ("unknown_refusal",): GENERAL,
}
