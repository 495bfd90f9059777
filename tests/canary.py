"""Looking for planted secrets where they must not be: raw and in every encoding they could hide in."""

import base64
import html
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus


def _inner_base64(secret: bytes) -> set[bytes]:
    """The secret as it looks inside a longer base64 text, at each of the three alignments, without its ragged ends."""
    found = set()
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * offset + secret).rstrip(b"=")
            found.add(text[4 if offset else 0 : -2])
    return found


def disguises(secret: str) -> set[bytes]:
    """Every way to write this secret that a search must find."""
    raw = secret.encode()
    return {
        raw,
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        quote(quote(secret, safe=""), safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        html.escape(secret).encode(),
        raw.hex().encode(),
        *_inner_base64(raw),
    }


def find(secrets: Mapping[str, str], sinks: Iterable[tuple[str, bytes]]) -> list[str]:
    """ "secret in sink" for every planted secret met, by the names of both; never the secret itself."""
    wanted = {name: disguises(secret) for name, secret in secrets.items()}
    return [
        f"{name} in {sink}"
        for sink, content in sinks
        for name, forms in wanted.items()
        if any(form in content for form in forms)
    ]
