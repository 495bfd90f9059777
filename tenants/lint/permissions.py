"""Rules of scopes, and of the permissions they come to."""

from collections.abc import Iterator

from tenants import retired, scopes

from .rule import ERRORS, LATER, NOTE, REFUSED, Audience, Facts, Rule

_ON_CONSENT = "Microsoft Entra, “Manage app consent policies”"


def _mixed(facts: Facts) -> Iterator[str]:
    if len({scopes.CATALOGUE[name].family for name in facts.names}) > 1:
        yield "Scopes of Microsoft Graph and of IMAP, POP and SMTP are ticked together."


def _nothing_ticked(facts: Facts) -> Iterator[str]:
    if not facts.names:
        yield "No scope is ticked, so nobody can be asked to consent."


def _redundant(facts: Facts) -> Iterator[str]:
    for smaller, larger in sorted(scopes.redundant(facts.names).items()):
        yield f"{smaller} is contained in {larger}."


def _no_outlook(facts: Facts) -> Iterator[str]:
    of_outlook = [name for name in facts.names if scopes.CATALOGUE[name].family == scopes.IMAP]
    if facts.cloud and not facts.cloud.outlook_host and of_outlook:
        yield f"{facts.cloud.name} has no host for {', '.join(of_outlook)}."


def _users_may_not_grant(facts: Facts) -> Iterator[str]:
    if facts.registration.audience == Audience.PERSONAL or not facts.names:
        return
    asked = [name for name in facts.names if scopes.CATALOGUE[name].needs_admin]
    if asked:
        yield f"Users may not grant {', '.join(asked)} where Microsoft manages the consent settings."
    elif not _mixed_families(facts) and scopes.needs_admin(facts.names):
        yield "Users may not grant MailboxSettings.Read, which is always asked for, where Microsoft manages consent."


def _mixed_families(facts: Facts) -> bool:
    return any(True for _ in _mixed(facts))


def _retired_protocols(facts: Facts) -> Iterator[str]:
    for name in facts.names:
        if ended := retired.PROTOCOLS.get(scopes.CATALOGUE[name].permission):
            yield f"{ended.what}: {ended.when}. {ended.instead}"


def _retired_permissions(facts: Facts) -> Iterator[str]:
    ended = dict.fromkeys(retired.PERMISSIONS[entry] for entry in facts.listed if entry in retired.PERMISSIONS)
    yield from (f"In Entra it lists a permission of {each.what}: {each.when}. {each.instead}" for each in ended)


RULES = (
    Rule(
        kind="mixed-resources",
        level=REFUSED,
        field="scopes",
        what="Microsoft issues a token for one resource at a time.",
        fix="Tick scopes of Microsoft Graph, or of IMAP, POP and SMTP.",
        source=ERRORS,
        codes=(70011,),
        look=_mixed,
    ),
    Rule(
        kind="no-host-for-imap",
        level=REFUSED,
        field="scopes",
        what="IMAP, POP and SMTP need a cloud whose Outlook host is known.",
        fix="Tick Graph's scopes, or have outlook_host set for this cloud in EXTRA_CLOUDS.",
        source="Tenantry's own table of clouds",
        codes=(500011,),
        look=_no_outlook,
    ),
    Rule(
        kind="retired-permission",
        level=REFUSED,
        field="scopes",
        what="A permission listed in Entra is of an interface that Microsoft is switching off or has switched off.",
        fix="Move what uses it, and remove it under API permissions.",
        source="Exchange Team Blog, “Retirement of Exchange Web Services in Exchange Online”; "
        "Microsoft Entra Blog, “Action required: Azure AD Graph API retirement”",
        look=_retired_permissions,
    ),
    Rule(
        kind="nothing-ticked",
        level=LATER,
        field="scopes",
        what="Without a scope there is nothing to consent to.",
        fix="Tick what the product needs.",
        source="Tenantry itself",
        look=_nothing_ticked,
    ),
    Rule(
        kind="redundant-scope",
        level=LATER,
        field="scopes",
        what="A scope that another one contains asks people for more words and no more access.",
        fix="Untick the smaller one.",
        source="Microsoft Graph, permissions reference",
        look=_redundant,
    ),
    Rule(
        kind="users-may-not-grant",
        level=NOTE,
        field="scopes",
        what="Microsoft's managed policy keeps most mail and calendar permissions to administrators.",
        fix="Plan an administrator's approval first: send the consent link to the tenant's administrator.",
        source=_ON_CONSENT,
        codes=(90094, 90095),
        look=_users_may_not_grant,
    ),
    Rule(
        kind="retired-protocol",
        level=NOTE,
        field="scopes",
        what="A way of signing in that products use beside this registration ends.",
        fix="See that none of them is left behind.",
        source="Exchange Team Blog, “SMTP AUTH Basic Authentication deprecation timeline”",
        look=_retired_protocols,
    ),
)
