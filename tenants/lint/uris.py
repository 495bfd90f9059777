"""Rules of redirect URIs."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from tenants.redirect_uris import ON_THIS_MACHINE

from .rule import LATER, NOTE, REFUSED, Facts, Rule

_ON_URIS = "Microsoft Entra, “Redirect URI (reply URL) restrictions and limitations”"
MOST_URIS, MOST_URIS_WITH_PERSONAL = 256, 100
LONGEST_URI = 256
REFUSED_IN_URIS = "!$'(),;"


def _query_string(facts: Facts) -> Iterator[str]:
    if facts.takes_personal:
        yield from (f"“{uri}” has a query string." for uri in facts.uris if urlsplit(uri).query or uri.endswith("?"))


def _refused_character(facts: Facts) -> Iterator[str]:
    for uri in facts.uris:
        if found := sorted(set(uri) & set(REFUSED_IN_URIS)):
            yield f"“{uri}” holds {' '.join(found)}"


def _long_uri(facts: Facts) -> Iterator[str]:
    for uri in facts.registration.product_uris:
        if len(uri) > LONGEST_URI:
            yield f"“{uri[:80]}…” has {len(uri)} characters; Entra takes {LONGEST_URI}."


def _not_https(facts: Facts) -> Iterator[str]:
    for uri in facts.registration.product_uris:
        parts = urlsplit(uri)
        if parts.scheme == "http" and parts.hostname not in ON_THIS_MACHINE:
            yield f"“{uri}” is plain http."


def _no_path(facts: Facts) -> Iterator[str]:
    for uri in facts.registration.product_uris:
        if not urlsplit(uri).path:
            yield f"“{uri}” ends with its host. Microsoft adds a slash to it, and Terraform's provider refuses it."


def _ipv6_loopback(facts: Facts) -> Iterator[str]:
    yield from (f"“{uri}” is on [::1]." for uri in facts.uris if urlsplit(uri).hostname == "::1")


def _loopback_by_number(facts: Facts) -> Iterator[str]:
    for uri in facts.uris:
        parts = urlsplit(uri)
        if parts.scheme == "http" and parts.hostname == "127.0.0.1":
            yield f"“{uri}” is on 127.0.0.1, which Entra's form refuses."


def _many_uris(facts: Facts) -> Iterator[str]:
    most = MOST_URIS_WITH_PERSONAL if facts.takes_personal else MOST_URIS
    if len(facts.uris) > most:
        yield f"There are {len(facts.uris)} redirect URIs; with these account types Entra takes {most}."


def _ports_of_localhost(facts: Facts) -> Iterator[str]:
    on_localhost = [uri for uri in facts.uris if urlsplit(uri).hostname == "localhost"]
    same = Counter(re.sub(r"^(https?://localhost):\d+", r"\1", uri) for uri in on_localhost)
    yield from (f"Several redirect URIs differ from “{uri}” by the port only." for uri, n in same.items() if n > 1)


def _only_on_this_machine(facts: Facts) -> Iterator[str]:
    own = facts.registration.redirect_uri
    if urlsplit(own).hostname in ON_THIS_MACHINE and facts.cloud and facts.cloud.built_in:
        yield f"Tenantry's own redirect URI is “{own}”, which leads back to it from a browser on its own machine only."


RULES = (
    Rule(
        kind="query-string-with-personal-accounts",
        level=REFUSED,
        field="product_uris",
        what="Where personal accounts may sign in, a redirect URI has no query string.",
        fix="Use an address without “?…”; Cypht, for one, takes its bare address, as home is its default page.",
        source=_ON_URIS,
        codes=(50011,),
        look=_query_string,
    ),
    Rule(
        kind="redirect-uri-character",
        level=REFUSED,
        field="product_uris",
        what=f"A redirect URI holds none of {' '.join(REFUSED_IN_URIS)}",
        fix="Choose an address without these characters.",
        source=_ON_URIS,
        codes=(50011,),
        look=_refused_character,
    ),
    Rule(
        kind="redirect-uri-too-long",
        level=REFUSED,
        field="product_uris",
        what=f"A redirect URI has at most {LONGEST_URI} characters.",
        fix="Shorten it; what it has to tell belongs in `state`.",
        source=_ON_URIS,
        codes=(50011,),
        look=_long_uri,
    ),
    Rule(
        kind="redirect-uri-http",
        level=REFUSED,
        field="product_uris",
        what="A redirect URI is https, but for localhost.",
        fix="Serve the product over https and enter that address.",
        source=_ON_URIS,
        codes=(50011,),
        look=_not_https,
    ),
    Rule(
        kind="redirect-uri-ipv6-loopback",
        level=REFUSED,
        field="product_uris",
        what="The IPv6 loopback address is no redirect URI.",
        fix="Use localhost instead.",
        source=_ON_URIS,
        codes=(50011,),
        look=_ipv6_loopback,
    ),
    Rule(
        kind="too-many-redirect-uris",
        level=REFUSED,
        field="product_uris",
        what=f"There are at most {MOST_URIS} redirect URIs, with personal accounts {MOST_URIS_WITH_PERSONAL}.",
        fix="Register one address for many customers and tell them apart by `state`.",
        source=_ON_URIS,
        look=_many_uris,
    ),
    Rule(
        kind="redirect-uri-without-path",
        level=LATER,
        field="product_uris",
        what="An address without a path comes back from Microsoft with a slash at its end.",
        fix="Write it with the slash, here, in Entra and in the product.",
        source=_ON_URIS,
        codes=(50011,),
        look=_no_path,
    ),
    Rule(
        kind="localhost-ports",
        level=LATER,
        field="product_uris",
        what="Microsoft ignores the port of localhost when it compares redirect URIs.",
        fix="Register one of them; they cannot be told apart.",
        source=_ON_URIS,
        look=_ports_of_localhost,
    ),
    Rule(
        kind="loopback-by-number",
        level=NOTE,
        field="product_uris",
        what="http://127.0.0.1 is allowed, but only the manifest takes it.",
        fix="Add it under Manifest in Entra, or use localhost: in SITE_URL, where it is Tenantry's own.",
        source=_ON_URIS,
        codes=(50011,),
        look=_loopback_by_number,
    ),
    Rule(
        kind="only-on-this-machine",
        level=NOTE,
        field="redirect_uri_to_copy",
        what="SITE_URL is on localhost, so links work on this machine only.",
        fix="Set SITE_URL to the address people reach Tenantry by before links are sent.",
        source=_ON_URIS,
        look=_only_on_this_machine,
    ),
)
