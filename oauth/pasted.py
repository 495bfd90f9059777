"""What somebody pasted from a page of Microsoft's: which number of Microsoft's it holds, and what that means for them.

The text is anybody's. Nothing of it comes back but a number and two IDs, and every pattern here takes time in step
with its length.
"""

import re
import unicodedata
from dataclasses import dataclass

from django.utils.translation import gettext

from .errors import CODES, fault_for
from .explanations import Explanation, explanation_of

LONGEST = 10_000

# A long ID may be broken over two lines where it was copied from.
_ID = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]\n?){8}(?:-\n?(?:[0-9a-f]\n?){4}){3}-\n?(?:[0-9a-f]\n?){11}[0-9a-f](?![0-9a-z])"
)
# "Correlation Id: ...", "request_id": "...". What a page calls the request's ID, a description calls the trace's.
_NAMED_ID = re.compile(rf"(?<![a-z_-])(correlation|request|trace)[ _-]?id[\"\s:=]{{1,5}}({_ID.pattern})")
# With colons in the time, no part of a moment is long enough to be a number.
_MOMENT = re.compile(r"(?<![0-9])20[0-9]{2}([-/.]?)[0-9]{2}\1[0-9]{2} ?[0-2][0-9][0-5][0-9][0-5][0-9](?![0-9])")
_ADDRESS = re.compile(r"[a-z]{2,10}://[^\s]+")
# "Error Code: 50011", ".../error?code=50011"
_NAMED = re.compile(r"(?:aadsts[\s:#=_-]{0,5}|error[\s?]code[\s:#=]{1,5})([1-9][0-9]{3,8})(?![0-9])")
_BARE = re.compile(r"(?<![0-9a-z_@+/-])(?<![0-9][:.,])([1-9][0-9]{4,6})(?![0-9a-z_@/-])(?![:.,][0-9])")

_NEEDS_APPROVAL = (
    "admin approval",
    "administrator approval",
    "approval required",
    "approval is required",
    "approval needed",
    "request approval",
    "might be risky",
    "may be risky",
    "only an admin can grant",
    "only an administrator can grant",
    "admin consent",
)


@dataclass(frozen=True)
class Told:
    """The answer to what was pasted: its words, and the kind and number they are about, where there is one.

    A number without a kind is one that Tenantry does not know.
    """

    explanation: Explanation
    kind: str = ""
    code: int | None = None


def told(text: str) -> Told:
    """What to tell somebody who pasted this: of several known numbers about the softest, as `fault_for` has it."""
    codes = codes_in(text)
    known = [code for code in codes if code in CODES]
    if known:
        kind = fault_for(status=400, error="", codes=known).kind
        return Told(explanation_of(kind), kind, next(code for code in known if CODES[code].kind == kind))
    plain = " ".join(_plain(text).split())
    if any(phrase in plain for phrase in _NEEDS_APPROVAL):
        kind = "admin_consent_required"
        return Told(explanation_of(kind), kind)
    if codes:
        return Told(_number_not_known(), code=codes[0])
    return Told(_no_number())


def codes_in(text: str) -> tuple[int, ...]:
    """The AADSTS numbers in a text, each once: those of the table, then others; those called by name before bare ones.

    Digits of IDs, moments and addresses are none.
    """
    plain = _MOMENT.sub(" ", _ID.sub(" ", _plain(text)))
    numbers = [*_NAMED.findall(plain), *_BARE.findall(_ADDRESS.sub(" ", plain))]
    return tuple(sorted(dict.fromkeys(map(int, numbers)), key=lambda code: code not in CODES))


def ids_in(text: str) -> dict[str, str]:
    """`correlation_id` and `request_id` as a text of Microsoft's names them, where each is a GUID."""
    found: dict[str, str] = {}
    for name, value in _NAMED_ID.findall(_plain(text)):
        key = "correlation_id" if name == "correlation" else "request_id"
        found.setdefault(key, value.replace("\n", ""))
    return found


def _plain(text: str) -> str:
    """In lower case, with one kind of digits and of line breaks, and without what cannot be seen."""
    return "".join(map(_simple, text[:LONGEST].lower())).replace("\r\n", "\n").replace("\r", "\n")


def _simple(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) == "Cf":
        return ""
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def _number_not_known() -> Explanation:
    return Explanation(
        gettext("We do not know this number"),
        gettext("Microsoft has more numbers than we have words for, and this is one of the others."),
        (
            gettext("Try again: some faults of Microsoft’s pass by themselves."),
            gettext(
                "If it happens again, send the whole message to whoever sent you the link, or to your IT department."
            ),
        ),
        "operator",
    )


def _no_number() -> Explanation:
    return Explanation(
        gettext("We find no number of Microsoft’s in this"),
        gettext("When Microsoft stops a sign-in, its page names a number that tells why."),
        (
            gettext("Look for the number that starts with AADSTS, and paste it here, or all that the page says."),
            gettext("Some pages of Microsoft’s show it only under “Troubleshooting details” or “More details”."),
            gettext("If there is none, tell whoever sent you the link what the page says."),
        ),
        "mailbox_owner",
    )
