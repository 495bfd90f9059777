from .alert import Alert, Delivery
from .finding import Finding
from .sweep import Sweep

__all__ = ["Alert", "Delivery", "Finding", "Sweep"]
