"""What may be an address that people are sent to: a return URL, or a redirect URI of a product."""

import re
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

LONGEST = 300
ON_THIS_MACHINE = frozenset(["localhost", "127.0.0.1"])
_ALLOWED = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=%]+")  # of RFC 3986, without # and *


def problem_with(uri: str) -> str:
    """What is wrong with this as such an address, as half a sentence; empty where nothing is."""
    problem = _problem_with_characters(uri)
    if problem:
        return problem
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "it is not a URL"
    if parts.scheme not in ("https", "http") or not host:
        return "it must begin with https:// and a host"
    if "@" in parts.netloc:
        return "it must hold no user name or password"
    if parts.scheme == "http" and host not in ON_THIS_MACHINE:
        return "it must begin with https://; http is for localhost and 127.0.0.1 only"
    return ""


def _problem_with_characters(uri: str) -> str:
    if len(uri) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    if re.search(r"\s", uri):
        return "it must hold no spaces"
    if "*" in uri:
        return "it must hold no wildcard (*): every address is compared to the letter"
    if "#" in uri:
        return "it must hold no fragment (#)"
    return "" if _ALLOWED.fullmatch(uri) else "it holds a character that a URL must write as %XX"


class URIsField(forms.CharField):
    """Addresses, one a line, each kept to the letter. An error names its line."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"})

    def prepare_value(self, value: object) -> object:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: object) -> list[str]:  # type: ignore[override]
        return list(dict.fromkeys(uri for _, uri in _lines(value)))

    def clean(self, value: object) -> list[str]:
        problems = [(number, uri, problem_with(uri)) for number, uri in _lines(value)]
        wrong = [f"Line {number}, “{_short(uri)}”: {problem}." for number, uri, problem in problems if problem]
        if wrong:
            raise ValidationError(wrong)
        return super().clean(value)  # type: ignore[no-any-return]

    def has_changed(self, initial: object, data: object) -> bool:
        return (initial or []) != self.to_python(data)


def _lines(value: object) -> list[tuple[int, str]]:
    numbered = enumerate(str(value or "").splitlines(), start=1)
    return [(number, line.strip()) for number, line in numbered if line.strip()]


def _short(uri: str) -> str:
    return uri if len(uri) <= 80 else f"{uri[:80]}…"
