from .attempt import ConsentAttempt
from .connection import Connection
from .link import Link

__all__ = ["Connection", "ConsentAttempt", "Link"]
