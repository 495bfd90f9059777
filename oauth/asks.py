"""What a consent asks for, in the words of the person who is asked."""

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop

from tenants.scopes import ALWAYS, CATALOGUE, CONTAINS, GROUPS, OIDC, SCOPES, Scope, family_of, permissions_for

ACCOUNT = gettext_noop("Your account")
IDENTITY = gettext_noop("See your name and email address")
ALWAYS_ASKED = {
    "MailboxSettings.Read": gettext_noop("See your mailbox settings, such as time zone and automatic replies"),
    "User.Read": gettext_noop("See your profile, such as job title and phone number"),
}

SIGN_IN = {
    "openid": gettext_noop("Sign you in with your account"),
    "profile": gettext_noop("See your name"),
    "email": gettext_noop("See your email address"),
    "offline_access": gettext_noop("Keep the access while you are not signed in, until it is withdrawn"),
}

# The same for an administrator, who is told of each person who connects.
OF_EACH = {
    "Mail.Read": gettext_noop("read their mail"),
    "Mail.ReadWrite": gettext_noop("read, change, move and delete their mail"),
    "Mail.Send": gettext_noop("send mail as them"),
    "Calendars.Read": gettext_noop("read their calendars"),
    "Calendars.ReadWrite": gettext_noop("read and change their calendars"),
    "Contacts.Read": gettext_noop("read their contacts"),
    "Contacts.ReadWrite": gettext_noop("read and change their contacts"),
    "Tasks.Read": gettext_noop("read their tasks"),
    "Tasks.ReadWrite": gettext_noop("read and change their tasks"),
    "IMAP.AccessAsUser.All": gettext_noop("read, change and delete their mail through IMAP"),
    "POP.AccessAsUser.All": gettext_noop("read and delete their mail through POP"),
    "SMTP.Send": gettext_noop("send mail as them through SMTP"),
    "MailboxSettings.Read": gettext_noop("see their mailbox settings, such as time zone and automatic replies"),
    "User.Read": gettext_noop("see their profile, such as job title and phone number"),
    "openid": gettext_noop("sign them in with their account"),
    "profile": gettext_noop("see their name"),
    "email": gettext_noop("see their email address"),
    "offline_access": gettext_noop("keep the access while they are not signed in, until it is withdrawn"),
}

READS_MAIL = {"Mail.Read", "Mail.ReadWrite", "IMAP.AccessAsUser.All", "POP.AccessAsUser.All"}
CHANGES_MAIL = {"Mail.ReadWrite", "IMAP.AccessAsUser.All", "POP.AccessAsUser.All"}
SENDS_MAIL = {"Mail.Send", "SMTP.Send"}
# Group: the permission that only reads, what is withheld without any, what is withheld with that one.
OTHERS = {
    "calendar": (
        "Calendars.Read",
        gettext_noop("See or change your calendars"),
        gettext_noop("Change your calendars"),
    ),
    "contacts": (
        "Contacts.Read",
        gettext_noop("See or change your contacts"),
        gettext_noop("Change your contacts"),
    ),
    "tasks": (
        "Tasks.Read",
        gettext_noop("See or change your tasks"),
        gettext_noop("Change your tasks"),
    ),
}


@dataclass(frozen=True)
class Group:
    """Sentences under one heading."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Permission:
    """One of Microsoft's permissions, by its own name and in words."""

    name: str
    sentence: str


def granted_by(names: Collection[str]) -> list[Group]:
    """What ticking these scopes allows, grouped; a permission that another one contains is left out.

    Each permission is told in its widest words: who asks for drafts is given all that Microsoft's permission gives.
    """
    widest = _widest(_needed({CATALOGUE[name].permission for name in names}))
    groups = [
        Group(gettext(title), tuple(gettext(scope.sentence) for scope in widest if scope.group == group))
        for group, title in GROUPS.items()
        if any(scope.group == group for scope in widest)
    ]
    account = (IDENTITY, *(ALWAYS_ASKED[permission] for permission in ALWAYS[family_of(names)]))
    return [*groups, Group(gettext(ACCOUNT), tuple(map(gettext, account)))]


def withheld_by(names: Collection[str]) -> list[str]:
    """What these scopes do not allow, though a person may fear it."""
    permissions = _needed({CATALOGUE[name].permission for name in names})
    groups = {CATALOGUE[name].group for name in names}
    mail = (
        (READS_MAIL, gettext("Read your mail")),
        (CHANGES_MAIL, gettext("Change or delete your mail")),
        (SENDS_MAIL, gettext("Send mail as you")),
    )
    others = []
    for group, (reads, everything, changes) in OTHERS.items():
        if group not in groups:
            others.append(gettext(everything))
        elif reads in permissions:
            others.append(gettext(changes))
    return [
        gettext("See your password: you type it on Microsoft’s own page, and it stays there"),
        *(sentence for allowing, sentence in mail if not permissions & allowing),
        *others,
        gettext("See your files, chats and meetings in OneDrive, SharePoint or Teams"),
    ]


def permissions_by_name(names: Collection[str]) -> list[Permission]:
    """Every permission that ticking these scopes asks Microsoft for, as administrators know them."""
    asked = permissions_for(names)
    widest = {scope.permission: scope.sentence for scope in _widest(asked)}
    words = widest | {name: ALWAYS_ASKED[name] for name in asked if name in ALWAYS_ASKED} | SIGN_IN
    return [Permission(name, gettext(words[name])) for name in (*asked, *OIDC)]


def permissions_of_each(names: Collection[str]) -> list[Permission]:
    """The same permissions, in words about each person who connects: "read their mail"."""
    return [Permission(name, gettext(OF_EACH[name])) for name in (*permissions_for(names), *OIDC)]


def sentences_for(permissions: Collection[str]) -> list[str]:
    """Permissions in words, those without words by their own name."""
    known = _widest(permissions)
    others = sorted(set(permissions) - {scope.permission for scope in known})
    words = [*(scope.sentence for scope in known), *(ALWAYS_ASKED.get(name, name) for name in others)]
    return [gettext(sentence) for sentence in words]


def _needed(permissions: set[str]) -> set[str]:
    return permissions - {smaller for larger, smaller in CONTAINS.items() if larger in permissions}


def _widest(permissions: Collection[str]) -> list[Scope]:
    """For each permission the scope that is named for it, in the catalogue's order."""
    wanted = set(permissions)
    found: dict[str, Scope] = {}
    for scope in SCOPES:
        if scope.permission in wanted:
            found.setdefault(scope.permission, scope)
    return list(found.values())
