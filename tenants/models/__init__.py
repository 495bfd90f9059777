from .access import TenantAccess
from .canary import KeyCanary
from .credential import Credential
from .event import Event
from .registration import AppRegistration, ScopeSelection
from .tenant import Tenant

__all__ = [
    "AppRegistration",
    "Credential",
    "Event",
    "KeyCanary",
    "ScopeSelection",
    "Tenant",
    "TenantAccess",
]
