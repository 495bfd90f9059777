from .alert import Alert
from .channel import Channel
from .delivery import Delivery, DeliveryAlert
from .finding import Finding
from .heartbeat import Heartbeat
from .outage import Outage
from .severity import Severity
from .sweep import Sweep

__all__ = [
    "Alert",
    "Channel",
    "Delivery",
    "DeliveryAlert",
    "Finding",
    "Heartbeat",
    "Outage",
    "Severity",
    "Sweep",
]
