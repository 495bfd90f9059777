"""What a person meets on the way: one page after another, and at the end the way back to the app."""

from dataclasses import dataclass
from typing import Any

from sandbox.things import App, Organization, Person


@dataclass(frozen=True)
class Carried:
    """What the browser takes back to the app, and how."""

    redirect_uri: str
    mode: str
    fields: dict[str, str]


@dataclass(frozen=True)
class ChooseAccount:
    app: App
    directory: Organization | None
    people: list[Person]
    others: list[Person]  # who could try, and would be refused
    hint: str
    page: str
    redirect_uri: str
    sends_away: bool  # somebody on it may be sent to a federated directory


@dataclass(frozen=True)
class SentAway:
    """To the server of a federated directory, which sends them back."""

    url: str


@dataclass(frozen=True)
class Ask:
    """A page about one app, one person and a list of permissions."""

    app: App
    person: Person
    directory: Organization
    wanted: list[tuple[str, str]]
    page: str
    redirect_uri: str


class AskConsent(Ask):
    """Somebody who may accept is asked to."""


class AskAdminConsent(Ask):
    """An administrator is asked to accept for everybody."""


class NeedAdmin(Ask):
    """Somebody who may not accept can only go back, or come with another account."""


class NeedApproval(Ask):
    """Somebody who may not accept can ask an administrator to."""


class ApprovalSent(Ask):
    """They asked; there is nothing left but to go back."""


Step = ChooseAccount | SentAway | Ask | Carried
Page = dict[str, Any]  # what the form of a page carries along, sealed
