"""Whose account may come in where: members, guests, personal accounts, and who is kept out."""

from sandbox.app_rules import PERSONAL_AUDIENCES
from sandbox.directory import World
from sandbox.refusals import Refusal
from sandbox.things import CONSUMERS, App, Organization, Person


def account_in(world: World, app: App, tenant: str, directory: Organization | None, oid: str) -> Person:
    """The account as this sign-in knows it: at home, or the guest it is in the directory. Raises Refusal."""
    person = world.people.get(oid)
    if person is None:
        raise Refusal(50034, tenant=directory.name if directory else tenant)
    home = world.people.get(person.home, person)
    facts = {"address": home.address, "app": app.client_id, "name": app.name}
    if directory is None and not is_offered(app, tenant, directory, home):
        raise Refusal(500208, **facts)
    account = home if directory is None or home.directory == directory.id else world.guest(directory.id, home.oid)
    if account is None:
        raise Refusal(50020, tenant=directory.name if directory else tenant, **facts)
    if home.disabled or account.disabled:
        raise Refusal(50057)
    refuse_disabled(app, account.directory)
    if account.directory in app.assignment_required_in and account.oid not in app.assigned:
        raise Refusal(50105, **facts)
    return account


def is_offered(app: App, tenant: str, directory: Organization | None, person: Person) -> bool:
    """Whether they are among those the sign-in page is for."""
    if directory:
        return person.directory == directory.id
    if person.directory == CONSUMERS:
        return tenant.lower() == "common" and app.audience in PERSONAL_AUDIENCES
    return not person.home


def refuse_disabled(app: App, directory: str) -> None:
    if app.disabled or directory in app.disabled_in:
        raise Refusal(7000112, app=app.client_id, name=app.name)
