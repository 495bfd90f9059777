from .access import TenantAccess
from .canary import KeyCanary
from .credential import Credential
from .event import Event
from .registration import AppRegistration, RedirectURI, ScopeSelection
from .tenant import Tenant

__all__ = [
    "AppRegistration",
    "Credential",
    "Event",
    "KeyCanary",
    "RedirectURI",
    "ScopeSelection",
    "Tenant",
    "TenantAccess",
]
