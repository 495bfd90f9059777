from .attempt import ConsentAttempt
from .connection import Connection
from .grant import AdminGrant
from .limit import RequestCount
from .link import Link
from .mail import Mail
from .verification import Verification

__all__ = ["AdminGrant", "Connection", "ConsentAttempt", "Link", "Mail", "RequestCount", "Verification"]
