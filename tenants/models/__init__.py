from .access import TenantAccess
from .canary import KeyCanary
from .credential import Credential
from .event import Event
from .imports import Import, ImportRow
from .registration import AppRegistration, RedirectURI, ScopeSelection
from .tenant import Tenant

__all__ = [
    "AppRegistration",
    "Credential",
    "Event",
    "Import",
    "ImportRow",
    "KeyCanary",
    "RedirectURI",
    "ScopeSelection",
    "Tenant",
    "TenantAccess",
]
