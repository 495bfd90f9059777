"""The scope catalogue: what an operator ticks, and which Microsoft permissions that comes to. No database.

Names as Aurinko uses them, so that they mean the same for other providers. Permission IDs: Microsoft Graph permissions
reference. `needs_admin` says whether Microsoft's managed consent policy stops ordinary users from granting it
(Microsoft, "Manage app consent policies"; the list changes without notice).
"""

from collections.abc import Collection
from dataclasses import dataclass

from .clouds import Cloud

GRAPH = "graph"
IMAP = "imap"
FAMILIES = {
    GRAPH: "Microsoft Graph",
    IMAP: "IMAP, POP and SMTP",
}
GROUPS = {"mail": "Mail", "calendar": "Calendar", "contacts": "Contacts", "tasks": "Tasks"}

OIDC = ("openid", "profile", "email", "offline_access")
ALWAYS = {GRAPH: ("MailboxSettings.Read", "User.Read"), IMAP: ()}


@dataclass(frozen=True)
class Scope:
    """One thing an operator can tick. `sentence` tells the person who consents what it allows."""

    name: str
    permission: str
    permission_id: str
    group: str
    sentence: str
    needs_admin: bool
    family: str = GRAPH
    aliases: tuple[str, ...] = ()


SCOPES = (
    Scope(
        "Mail.ReadOnly",
        "Mail.Read",
        "570282fd-fa5c-430d-a7fd-fc8dc98a9dca",
        "mail",
        "Read your mail",
        True,
        aliases=("Mail.Read",),
    ),
    Scope(
        "Mail.ReadWrite",
        "Mail.ReadWrite",
        "024d486e-b451-40bb-833d-3e66d98c5c73",
        "mail",
        "Read, change, move and delete your mail",
        True,
    ),
    Scope(
        "Mail.Draft",
        "Mail.ReadWrite",
        "024d486e-b451-40bb-833d-3e66d98c5c73",
        "mail",
        "Prepare drafts in your mailbox",
        True,
        aliases=("Mail.Drafts",),
    ),
    Scope("Mail.Send", "Mail.Send", "e383f46e-2787-4529-855e-0e479a3ffac0", "mail", "Send mail as you", False),
    Scope(
        "Calendar.ReadOnly",
        "Calendars.Read",
        "465a38f9-76ea-45b9-9f34-9e8b0d4b0b42",
        "calendar",
        "Read your calendars",
        True,
        aliases=("Calendar.Read",),
    ),
    Scope(
        "Calendar.ReadWrite",
        "Calendars.ReadWrite",
        "1ec239c2-d7c9-4623-a91a-a9775856bb36",
        "calendar",
        "Read and change your calendars",
        True,
    ),
    Scope(
        "Contacts.ReadOnly",
        "Contacts.Read",
        "ff74d97f-43af-4b68-9f2a-b77ee6968c5d",
        "contacts",
        "Read your contacts",
        False,
        aliases=("Contacts.Read",),
    ),
    Scope(
        "Contacts.ReadWrite",
        "Contacts.ReadWrite",
        "d56682ec-c09e-4743-aaf4-1a3aac4caa21",
        "contacts",
        "Read and change your contacts",
        True,
    ),
    Scope(
        "Tasks.ReadOnly",
        "Tasks.Read",
        "f45671fb-e0fe-4b4b-be20-3d3ce43f1bcb",
        "tasks",
        "Read your tasks",
        True,
        aliases=("Tasks.Read",),
    ),
    Scope(
        "Tasks.ReadWrite",
        "Tasks.ReadWrite",
        "2219042f-cab5-40cc-b0d2-16b1540b4c5f",
        "tasks",
        "Read and change your tasks",
        True,
    ),
    Scope(
        "IMAP.AccessAsUser.All",
        "IMAP.AccessAsUser.All",
        "652390e4-393a-48de-9484-05f9b1212954",
        "mail",
        "Read, change and delete your mail through IMAP",
        True,
        family=IMAP,
    ),
    Scope(
        "POP.AccessAsUser.All",
        "POP.AccessAsUser.All",
        "d7b7f2d9-0f45-4ea1-9d42-e50810c06991",
        "mail",
        "Read and delete your mail through POP",
        True,
        family=IMAP,
    ),
    Scope(
        "SMTP.Send",
        "SMTP.Send",
        "258f6531-6087-4cc4-bb90-092c5fb3ed3f",
        "mail",
        "Send mail as you through SMTP",
        False,
        family=IMAP,
    ),
)
CATALOGUE = {scope.name: scope for scope in SCOPES}

# IDs of the delegated permissions that no scope stands for: those always asked for.
_ALWAYS_IDS = {
    "MailboxSettings.Read": "87f447af-9fa4-4c32-9dfa-4a57a73d18ce",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
}
# Microsoft Graph's delegated permissions that Tenantry knows, by name; IMAP's, POP's and SMTP's are listed there too.
PERMISSION_IDS = {scope.permission: scope.permission_id for scope in SCOPES} | _ALWAYS_IDS
# A permission's own name stands for the scope that comes to it, unless it is a scope's name or alias already.
_BY_ANY_NAME = {scope.permission.lower(): scope for scope in SCOPES}
_BY_ANY_NAME |= {name.lower(): scope for scope in SCOPES for name in (scope.name, *scope.aliases)}

# A permission on the left makes those on the right redundant.
CONTAINS = {
    "Mail.ReadWrite": "Mail.Read",
    "Calendars.ReadWrite": "Calendars.Read",
    "Contacts.ReadWrite": "Contacts.Read",
    "Tasks.ReadWrite": "Tasks.Read",
}


class MixedFamilies(ValueError):
    """Scopes of two resources were asked for at once, which Microsoft refuses (AADSTS70011)."""


class UnknownScope(ValueError):
    """No scope of the catalogue is called so."""


def scope_named(text: str) -> Scope:
    """The scope of this name, alias or permission, in whatever case; Aurinko's older names are aliases.

    Raises UnknownScope.
    """
    try:
        return _BY_ANY_NAME[text.strip().lower()]
    except KeyError:
        raise UnknownScope(
            f"“{text.strip()}” is not a scope of the catalogue. It knows {', '.join(CATALOGUE)}."
        ) from None


def family_of(names: Collection[str]) -> str:
    """The one family these scopes belong to; GRAPH if there are none. Raises MixedFamilies."""
    families = {CATALOGUE[name].family for name in names}
    if len(families) > 1:
        raise MixedFamilies(
            "Tick scopes of Microsoft Graph or of IMAP, POP and SMTP, not of both: "
            "Microsoft issues a token for one of the two at a time (AADSTS70011)."
        )
    return families.pop() if families else GRAPH


def permissions_for(names: Collection[str]) -> tuple[str, ...]:
    """The resource's permissions these scopes come to, each once, sorted; with those always asked for."""
    family = family_of(names)
    return tuple(sorted({*(CATALOGUE[name].permission for name in names), *ALWAYS[family]}))


def permissions_listed(names: Collection[str]) -> tuple[str, ...]:
    """The delegated permissions that an app registration lists for these scopes: what is asked for, then OpenID's."""
    return (*permissions_for(names), *OIDC)


def needs_admin(names: Collection[str]) -> bool:
    """Whether Microsoft's managed policy stops ordinary users from granting all of this."""
    # MailboxSettings.Read, always asked for with Graph, is on the policy's list too.
    return family_of(names) == GRAPH or any(CATALOGUE[name].needs_admin for name in names)


def redundant(names: Collection[str]) -> dict[str, str]:
    """Scope name -> the ticked scope that already contains it."""
    by_permission: dict[str, str] = {}
    for name in names:
        by_permission.setdefault(CATALOGUE[name].permission, name)
    return {
        by_permission[smaller]: by_permission[larger]
        for larger, smaller in CONTAINS.items()
        if larger in by_permission and smaller in by_permission
    }


def missing_from(names: Collection[str], granted: Collection[str]) -> list[str]:
    """Those of these scopes whose permission is neither granted nor contained in a granted one, in catalogue order.

    Of several scopes with the same permission the first is told, and none that another missing one contains.
    """
    held = {permission.lower() for permission in granted}
    held |= {smaller.lower() for larger, smaller in CONTAINS.items() if larger.lower() in held}
    missing: dict[str, str] = {}
    for name, scope in CATALOGUE.items():
        if name in names and scope.permission.lower() not in held:
            missing.setdefault(scope.permission, name)
    contained = {smaller for larger, smaller in CONTAINS.items() if larger in missing}
    return [name for permission, name in missing.items() if permission not in contained]


def request_scopes(names: Collection[str], cloud: Cloud) -> list[str]:
    """What MSAL is handed for these scopes in this cloud: full addresses and `email`; it adds the other three."""
    host = cloud.graph_host if family_of(names) == GRAPH else cloud.outlook_host
    return [*(f"https://{host}/{permission}" for permission in permissions_for(names)), "email"]
