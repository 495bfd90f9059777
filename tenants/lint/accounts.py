"""Rules of directory, cloud, account types and name."""

from collections.abc import Iterator, Mapping

from tenants import retired

from .rule import BY_AUDIENCE, ERRORS, LATER, NOTE, REFUSED, Audience, Facts, Rule

OF_MANY = (Audience.MULTIPLE_ORGS, Audience.ANY)
PERSONAL_DIRECTORY = "9188040d-6c67-4c5b-b112-36a304b66dad"
LONGEST_NAME, LONGEST_NAME_WITH_PERSONAL = 120, 90  # BY_AUDIENCE
_AUTHORITIES = "Microsoft Entra, “Application configuration options: authority”"


def _no_directory(facts: Facts) -> Iterator[str]:
    row = facts.registration
    if row.client_id and not row.directory and row.audience == Audience.MY_ORG:
        yield "It is single-tenant and its directory is not known, so its people would be sent to /common."


def _directory_unknown(facts: Facts) -> Iterator[str]:
    row = facts.registration
    # One for personal accounts only signs in as itself nowhere.
    if row.client_id and not row.directory and row.audience not in (Audience.MY_ORG, Audience.PERSONAL):
        yield "Its own directory is not known, so the client secret cannot be tried at night."


def _shared_by_one(facts: Facts) -> Iterator[str]:
    if facts.registration.tenant_id is None and facts.registration.audience == Audience.MY_ORG:
        yield "Many tenants share it, and only accounts of its own directory may sign in."


def _directory_of_personal_accounts(facts: Facts) -> Iterator[str]:
    if facts.registration.directory == PERSONAL_DIRECTORY:
        yield "The directory entered is the one of all personal Microsoft accounts; no application is registered there."


def _no_personal_accounts_there(facts: Facts) -> Iterator[str]:
    if facts.cloud and facts.takes_personal and not facts.cloud.personal_accounts:
        yield f"{facts.cloud.name} has no personal Microsoft accounts."


def _retired_host(facts: Facts) -> Iterator[str]:
    return _ended(facts, retired.HOSTS)


def _old_host(facts: Facts) -> Iterator[str]:
    return _ended(facts, retired.OLD_HOSTS)


def _ended(facts: Facts, hosts: Mapping[str, retired.Retired]) -> Iterator[str]:
    ended = hosts.get(facts.cloud.login_host.lower()) if facts.cloud else None
    if ended:
        yield f"{ended.what}: {ended.when}. {ended.instead}"


def _name_too_long(facts: Facts) -> Iterator[str]:
    longest = LONGEST_NAME_WITH_PERSONAL if facts.takes_personal else LONGEST_NAME
    if len(facts.registration.name) > longest:
        yield f"The name has {len(facts.registration.name)} characters; with these account types Entra takes {longest}."


def _unverified_publisher(facts: Facts) -> Iterator[str]:
    if (
        facts.registration.audience in OF_MANY
        and facts.names
        and facts.cloud
        and facts.cloud.built_in
        and facts.cloud.personal_accounts
    ):
        yield "Until its publisher is verified, people of other organizations need their administrator to consent."


RULES = (
    Rule(
        kind="authority",
        level=REFUSED,
        field="directory",
        what="A single-tenant registration signs in through its own directory only; /common refuses it.",
        fix="Enter its Directory (tenant) ID, from the overview in Entra.",
        source=_AUTHORITIES,
        codes=(50194,),
        look=_no_directory,
    ),
    Rule(
        kind="shared-single-tenant",
        level=REFUSED,
        field="audience",
        what="A single-tenant registration takes accounts of its own directory only, and nobody else's.",
        fix="Choose account types of several directories, here and in Entra, or give it to the one tenant whose it is.",
        source=ERRORS,
        codes=(50020, 700016),
        look=_shared_by_one,
    ),
    Rule(
        kind="directory-of-personal-accounts",
        level=REFUSED,
        field="directory",
        what="No application is registered in the directory of personal Microsoft accounts.",
        fix="Enter the Directory (tenant) ID of the directory in which it is registered.",
        source=ERRORS,
        codes=(700016,),
        look=_directory_of_personal_accounts,
    ),
    Rule(
        kind="personal-accounts-in-a-national-cloud",
        level=REFUSED,
        field="audience",
        what="Personal Microsoft accounts exist in the worldwide cloud only.",
        fix="Choose account types without personal accounts, or another cloud.",
        source=BY_AUDIENCE,
        look=_no_personal_accounts_there,
    ),
    Rule(
        kind="name-too-long",
        level=REFUSED,
        field="name",
        what=f"A name has at most {LONGEST_NAME} characters, with personal accounts {LONGEST_NAME_WITH_PERSONAL}.",
        fix="Shorten the name, here and in Entra.",
        source=BY_AUDIENCE,
        look=_name_too_long,
    ),
    Rule(
        kind="retired-host",
        level=REFUSED,
        field="cloud",
        what="Some of Microsoft's sign-in hosts are closed.",
        fix="Choose another cloud.",
        source="Microsoft Entra, “National clouds”",
        codes=(90002,),
        look=_retired_host,
    ),
    Rule(
        kind="old-host",
        level=LATER,
        field="cloud",
        what="A sign-in host is an alias that will not be there for ever.",
        fix="Choose the cloud by its present host.",
        source="Microsoft Entra, “National clouds”",
        look=_old_host,
    ),
    Rule(
        kind="directory-unknown",
        level=LATER,
        field="directory",
        what="An application signs in as itself in one directory only; without it the secret cannot be checked.",
        fix="Enter the Directory (tenant) ID from the registration's overview in Entra.",
        source=ERRORS,
        codes=(50059,),
        look=_directory_unknown,
    ),
    Rule(
        kind="unverified-publisher",
        level=NOTE,
        field="audience",
        what="A registration for many organizations counts as risky until its publisher is verified.",
        fix="Verify the publisher in Entra (Branding & properties), or have each administrator approve.",
        source="Microsoft Entra, “Publisher verification” and “Risk-based step-up consent”",
        codes=(900941, 900981),
        look=_unverified_publisher,
    ),
)
