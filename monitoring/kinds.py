"""Every kind a finding can have: those of Microsoft's accounts (oauth/kinds.py), and those of our own working.

docs/monitoring.md lists them all; tests/test_monitoring_doc.py says how to write that list anew.
"""

from typing import Any

from oauth import kinds as of_accounts
from oauth.kinds import Kind
from oauth.signals import Seen

CLOUD_UNREACHABLE = "cloud_unreachable"
CHANNEL_FAILING = "channel_failing"
CHANNEL_SWITCHED_OFF = "channel_switched_off"
DELIVERY_SET_ASIDE = "delivery_set_aside"
SWEEP_OVERDUE = "sweep_overdue"
CLOCK_SWITCHED_OFF = "clock_switched_off"

OURS = (
    Kind(
        kind=CLOUD_UNREACHABLE,
        subjects="cloud",
        what="Microsoft's sign-in service of this cloud gives nobody a usable answer.",
        actor="nobody",
        remedy="See whether this server reaches the cloud's login host: its name, a proxy, a firewall. If it does, "
        "wait: Tenantry goes on asking by itself, and meanwhile says nothing of what is connected there.",
    ),
    Kind(
        kind=CHANNEL_FAILING,
        subjects="channel",
        what="This channel does not take the alerts that are sent to it.",
        actor="operator",
        remedy="Look at the channel's last problem, mend its address or what stands behind it, and press Send test. "
        "What waits is sent again for three days.",
    ),
    Kind(
        kind=CHANNEL_SWITCHED_OFF,
        subjects="channel",
        what="This channel is switched off: its receiver answered that it is gone for good (410).",
        actor="operator",
        remedy="Enter the receiver's new address on the channel's page and switch it on again, or name another channel "
        "for these alerts.",
    ),
    Kind(
        kind=DELIVERY_SET_ASIDE,
        subjects="channel",
        what="A message could not be delivered for three days and was set aside.",
        actor="operator",
        remedy="Open it under Deliveries: each try is listed there. Mend the address or the channel, then send it "
        "again.",
    ),
    Kind(
        kind=SWEEP_OVERDUE,
        subjects="the nightly check",
        what="The nightly check has not finished in time, so nobody knows whether something has expired or died since.",
        actor="operator",
        remedy="See that beat and the workers run, and look at the last one under Checks, and at the workers' log; "
        "python manage.py sweep does the night's work at once.",
    ),
    Kind(
        kind=CLOCK_SWITCHED_OFF,
        subjects="the nightly check",
        what="An entry of the clock that starts the nightly check was switched off or changed in the database.",
        actor="operator",
        remedy="Open Checks, When the night begins, and save its time once more: that puts the clock right. Then find "
        "out who changed it.",
    ),
)

KINDS: dict[str, Kind] = {**of_accounts.KINDS, **{kind.kind: kind for kind in OURS}}


def seen(kind: str, **more: Any) -> Seen:
    """Something of this kind, seen: in the table's words, but for those given (`what=` to name the thing).

    Raises KeyError for a kind that is not in the table.
    """
    return KINDS[kind].seen(**more)
