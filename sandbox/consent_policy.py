"""Who may consent to what, by the rules of a directory."""

from collections.abc import Iterable

from sandbox.things import CONSUMERS, Organization, Person

# What people can no longer grant for themselves where Microsoft manages the policy.
MANAGED = frozenset(
    {
        "Mail.Read",
        "Mail.ReadBasic",
        "Mail.ReadWrite",
        "Mail.Read.Shared",
        "Mail.ReadWrite.Shared",
        "MailboxSettings.Read",
        "MailboxSettings.ReadWrite",
        "Calendars.Read",
        "Calendars.ReadBasic",
        "Calendars.ReadWrite",
        "Calendars.Read.Shared",
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite",
        "Contacts.Read.Shared",
        "Contacts.ReadWrite.Shared",
        "People.Read",
        "Tasks.Read",
        "Tasks.ReadWrite",
        "Tasks.Read.Shared",
        "Tasks.ReadWrite.Shared",
        "OnlineMeetings.Read",
        "OnlineMeetings.ReadWrite",
        "IMAP.AccessAsUser.All",
        "POP.AccessAsUser.All",
        "EWS.AccessAsUser.All",
    }
)
# What only an administrator grants anywhere.
ADMIN_ONLY = frozenset({"Application.Read.All", "Directory.Read.All"})


def may_consent(directory: Organization, person: Person, names: Iterable[str]) -> bool:
    if person.admin or directory.id == CONSUMERS:
        return True
    kept = ADMIN_ONLY | (MANAGED if directory.managed_policy else frozenset())
    return directory.users_may_consent and not kept.intersection(names)
