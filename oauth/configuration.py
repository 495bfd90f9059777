"""The first step of a verification: is all there that is needed to ask Microsoft at all? No network."""

from dataclasses import dataclass
from datetime import datetime

from django.views.decorators.debug import sensitive_variables

from tenants.clouds import clouds
from tenants.ladder import day_of
from tenants.models import AppRegistration, Credential

from .health import RegistrationToAsk, Verdict, registration_to_ask
from .report import CONFIGURATION, FAILED, OK, Step, failed

DIRECTORY_ID = "Enter the Directory (tenant) ID from the registration's overview in Entra."


@dataclass(frozen=True)
class Configured:
    """The step, and what to ask Microsoft with; nothing, where it cannot be asked.

    `verdict` is what the night's check would say of the same.
    """

    step: Step
    ask: RegistrationToAsk | None = None
    verdict: Verdict | None = None


@sensitive_variables()
def look(registration: AppRegistration, credential: Credential | None, now: datetime) -> Configured:
    tenant = registration.tenant
    if registration.archived_at or (tenant and (tenant.suspended_at or tenant.archived_at)):
        return Configured(_wrong("It is suspended or archived, so nothing is tried.", "Resume its tenant first."))
    if not registration.client_id:
        what = "It is not registered in Entra yet: there is no client ID."
        return Configured(_wrong(what, "Register it in Entra, and enter its client ID here."))
    if credential is not None and not credential.slot:
        what = "This client secret was replaced by another one before it was tried."
        return Configured(_wrong(what, "Verify the registration with the secret it has now."))
    ask = registration_to_ask(registration, credential)
    if isinstance(ask, Verdict):
        return Configured(failed(CONFIGURATION, ask.faults[0]), verdict=ask)
    if not ask.directory and not ask.only_personal:
        what = "The registration's own directory is not known, and it signs in nowhere else."
        return Configured(_wrong(what, DIRECTORY_ID))
    if credential is not None and credential.ends_at is not None and credential.ends_at <= now:
        what = f"By the date stored here, the client secret {credential.hint}… ended on {day_of(credential.ends_at)}."
        todo = "Create a new client secret in Entra and enter it, or correct the date if it was typed wrong."
        return Configured(_wrong(what, todo), ask)
    names = registration.scope_names
    if not names:
        what = "No scope is ticked, so nobody can be asked to consent to anything."
        return Configured(_wrong(what, "Tick what the product needs, under Scopes."), ask)
    scopes = "one scope" if len(names) == 1 else f"{len(names)} scopes"
    cloud = clouds()[registration.cloud].name
    ids = "Client ID, directory" if ask.directory else "Client ID"
    seen = f"{ids}, client secret {ask.hint}… and {scopes} are here; the cloud is {cloud}."
    return Configured(Step(key=CONFIGURATION, state=OK, seen=seen), ask)


def _wrong(seen: str, todo: str) -> Step:
    return Step(key=CONFIGURATION, state=FAILED, seen=seen, todo=todo, actor="operator")
