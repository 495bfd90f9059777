"""What passes by itself."""

from django.utils.translation import gettext_noop as _

from .explanation import IN_A_WHILE, TELL_IF_AGAIN, Explanation

WORDS: dict[tuple[str, ...], Explanation] = {
    ("throttled",): Explanation(
        _("Microsoft is busy"),
        _("Microsoft was asked too often within a short time. Nothing was connected."),
        (IN_A_WHILE,),
        "nobody",
    ),
    ("service_unavailable",): Explanation(
        _("Microsoft is out of order at the moment"),
        _("Microsoft’s own service has a fault, and that usually passes soon. Nothing was connected."),
        (IN_A_WHILE, TELL_IF_AGAIN),
        "nobody",
    ),
    ("unreachable",): Explanation(
        _("Microsoft did not answer"),
        _("You did your part, but Microsoft did not confirm it in time. Nothing was connected."),
        (IN_A_WHILE, TELL_IF_AGAIN),
        "nobody",
    ),
    ("sign_in_interrupted",): Explanation(
        _("The sign-in was interrupted"),
        _("It stopped on the way, as when a page is loaded again or left too early. Nothing was connected."),
        (_("Try again, in one window, and do not go back or load a page again on the way."), TELL_IF_AGAIN),
        "nobody",
    ),
    ("not_spread",): Explanation(
        _("Microsoft is not ready yet"),
        _(
            "Microsoft has noted what was accepted or approved, but not all of Microsoft knows of it yet. Nothing was"
            " connected."
        ),
        (IN_A_WHILE,),
        "nobody",
    ),
}
