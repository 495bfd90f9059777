"""The permissions the sandbox knows, in words, and how a scope string is read."""

from dataclasses import dataclass

OIDC = ("openid", "profile", "email")
OFFLINE = "offline_access"
DEFAULT = ".default"

BASIC = {
    "openid": "Sign you in",
    "profile": "See your name and your account",
    "email": "See your email address",
    OFFLINE: "Keep access to what you allow, also while you are away",
}
PERMISSIONS = {
    "User.Read": "Sign you in and read your profile",
    "User.ReadBasic.All": "Read the basic profiles of everyone in your organization",
    "Mail.Read": "Read your mail",
    "Mail.ReadBasic": "Read the headers of your mail, not its text",
    "Mail.ReadWrite": "Read, write and delete your mail",
    "Mail.Send": "Send mail as you",
    "Mail.Read.Shared": "Read mail you and others share with you",
    "Mail.ReadWrite.Shared": "Read, write and delete mail you and others share with you",
    "Mail.Send.Shared": "Send mail on behalf of others who let you",
    "MailboxSettings.Read": "Read your mailbox settings",
    "MailboxSettings.ReadWrite": "Read and change your mailbox settings",
    "Calendars.Read": "Read your calendars",
    "Calendars.ReadBasic": "See when you are free or busy",
    "Calendars.ReadWrite": "Read and change your calendars",
    "Calendars.Read.Shared": "Read calendars shared with you",
    "Calendars.ReadWrite.Shared": "Read and change calendars shared with you",
    "Contacts.Read": "Read your contacts",
    "Contacts.ReadWrite": "Read and change your contacts",
    "Contacts.Read.Shared": "Read contacts shared with you",
    "Contacts.ReadWrite.Shared": "Read and change contacts shared with you",
    "People.Read": "See the people you work with most",
    "Tasks.Read": "Read your tasks",
    "Tasks.ReadWrite": "Read and change your tasks",
    "Tasks.Read.Shared": "Read tasks shared with you",
    "Tasks.ReadWrite.Shared": "Read and change tasks shared with you",
    "Files.Read": "Read your files",
    "Files.ReadWrite": "Read and change your files",
    "OnlineMeetings.Read": "Read your online meetings",
    "OnlineMeetings.ReadWrite": "Read and create your online meetings",
    "Application.Read.All": "Read app registrations",
    "Directory.Read.All": "Read your organization's directory",
    "IMAP.AccessAsUser.All": "Read and change your mail over IMAP",
    "POP.AccessAsUser.All": "Read and change your mail over POP",
    "SMTP.Send": "Send mail as you over SMTP",
    "EWS.AccessAsUser.All": "Reach your mailbox over Exchange Web Services",
}


class BadScope(Exception):
    """kind is missing, resource, unknown or mixed; name is the part that is wrong."""

    def __init__(self, kind: str, name: str = "") -> None:
        super().__init__(kind, name)
        self.kind, self.name = kind, name


@dataclass(frozen=True)
class Scopes:
    """What one request asks for."""

    oidc: tuple[str, ...]
    offline: bool
    permissions: tuple[str, ...]
    prefix: str  # the resource before the names, as it was written, so the answer writes it too; or nothing
    default: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.oidc, *((OFFLINE,) if self.offline else ()), *self.permissions)


def read(text: str, resource: str) -> Scopes:
    """Resource is the sandbox's own, "https://host"; a name without one means it too."""
    oidc, permissions = [], []
    prefix, offline, default = "", False, False
    known = {name.lower(): name for name in PERMISSIONS}
    for word in text.split():
        host, _, name = word.rpartition("/")
        prefix = prefix or word.removesuffix(name)
        if host and host.lower().rstrip("/") != resource:
            raise BadScope("resource", host)
        if name.lower() in OIDC and not host:
            oidc.append(name.lower())
        elif name.lower() == OFFLINE and not host:
            offline = True
        elif name == DEFAULT:
            default = True
        elif name.lower() in known:
            permissions.append(known[name.lower()])
        else:
            raise BadScope("unknown", name)
    if default and permissions:
        raise BadScope("mixed", text)
    if not text.split():
        raise BadScope("missing")
    return Scopes(tuple(dict.fromkeys(oidc)), offline, tuple(dict.fromkeys(permissions)), prefix, default)


def in_words(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """(words, name) pairs as the consent page lists them, the weighty ones first."""
    listed = [(PERMISSIONS[name], name) for name in names if name in PERMISSIONS]
    return listed + [(BASIC[name], name) for name in (OFFLINE, "profile", "email") if name in names]
