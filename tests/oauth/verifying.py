"""A verification as its task runs it, and how to read its report."""

from typing import Any

from django.utils import timezone

from oauth.models import Verification
from oauth.tasks import verify
from tenants.models import AppRegistration
from tests.oauth.consenting import World


def ask(registration: AppRegistration, **more: Any) -> Verification:
    return Verification.objects.ask(registration, **more)


def turn(verification: Verification) -> Verification:
    """The task, once, as when its bell rings and its time has come."""
    Verification.objects.filter(pk=verification.pk).update(next_at=timezone.now())
    verify(verification.pk)
    return Verification.objects.get(pk=verification.pk)


def report(registration: AppRegistration, **more: Any) -> Verification:
    """A new one, after its first turn."""
    return turn(ask(registration, **more))


def sync(registration: AppRegistration) -> Verification:
    return report(registration, kind=Verification.Kind.SYNC)


def states(verification: Verification) -> dict[str, str]:
    return {step["key"]: step["state"] for step in verification.steps}


def step(verification: Verification, key: str) -> dict[str, Any]:
    return next(step for step in verification.steps if step["key"] == key)


def set_up(world: World, *permissions: str) -> None:
    """In Entra all is as it is here, and the application may read itself."""
    microsoft, client_id = world.microsoft, world.app["client_id"]
    microsoft.owns_itself(client_id)
    always = ("MailboxSettings.Read", "User.Read", "openid", "profile", "email", "offline_access")
    microsoft.required_access(client_id, [*(permissions or ("Mail.Read",)), *always])
