"""Who is told of a finding, each target once; nothing is written here."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from .models import Channel, Finding, Severity
from .models.delivery import TO_ADDRESS, TO_CHANNEL, TO_CONTACT

ACT_THEMSELVES = (Finding.Actor.TENANT_ADMIN, Finding.Actor.MAILBOX_OWNER)


@dataclass(frozen=True)
class Target:
    """Where a message goes: an address, or a channel that is no mailbox. `channel`: the one that asked for it."""

    name: str
    address: str = ""
    channel: Channel | None = None


class Audience:
    """The channels there are for these findings, asked for once for all of them."""

    def __init__(self, findings: Collection[Finding]) -> None:
        tenants = {finding.tenant_id for finding in findings if finding.tenant_id}
        live = Channel.objects.live().filter(Q(tenant=None) | Q(tenant__in=tenants)).order_by("created_at", "pk")
        self._channels = list(live)

    def targets_for(self, finding: Finding) -> list[Target]:
        """Everybody of ours who is told of it.

        The registration's alert addresses, else the tenant's channels, else ALERT_EMAILS; and the channels for all. A
        channel that does not want this severity or kind is as if it were not there. What is wrong with our own working
        goes to ALERT_EMAILS and the channels for all, and never to the channel that it is about.
        """
        wanting = [channel for channel in self._channels if _wants(channel, finding)]
        for_all = [target for channel in wanting if channel.tenant_id is None for target in targets_of(channel)]
        own = [target for channel in wanting if channel.tenant_id is not None for target in targets_of(channel)]
        about = finding.about
        if about and about.alert_emails:
            own = _addresses(about.alert_emails)
        elif about is None:
            own += _addresses(settings.ALERT_EMAILS)
        return _once([*(own or _addresses(settings.ALERT_EMAILS)), *for_all])


def contacts_for(finding: Finding) -> list[Target]:
    """The tenant's own contacts, where it wants them told and the finding is up to the tenant."""
    tenant = finding.tenant
    if tenant is None or not tenant.tells_contacts or finding.actor not in ACT_THEMSELVES or not finding.about:
        return []
    return _once(Target(f"{TO_CONTACT}{address.casefold()}", address) for address in tenant.contact_emails)


def _wants(channel: Channel, finding: Finding) -> bool:
    is_for_it = channel.tenant_id is None or channel.tenant_id == finding.tenant_id
    is_bad_enough = channel.least_severity != Severity.CRITICAL or finding.severity == Severity.CRITICAL
    is_itself = finding.channel_id == channel.pk
    return is_for_it and is_bad_enough and not is_itself and (not channel.kinds or finding.kind in channel.kinds)


def targets_of(channel: Channel) -> list[Target]:
    """Where the messages of a channel go."""
    if channel.kind == Channel.Kind.EMAIL:
        return [Target(f"{TO_ADDRESS}{address.casefold()}", address, channel) for address in channel.addresses]
    return [Target(f"{TO_CHANNEL}{channel.pk}", "", channel)]


def _addresses(addresses: Iterable[str]) -> list[Target]:
    return [Target(f"{TO_ADDRESS}{address.casefold()}", address) for address in addresses]


def _once(targets: Iterable[Target]) -> list[Target]:
    found: dict[str, Target] = {}
    for target in targets:
        found.setdefault(target.name, target)
    return list(found.values())
