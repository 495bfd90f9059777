from django.db import models


class Severity(models.TextChoices):
    """How bad a finding is."""

    CRITICAL = "critical", "critical"
    WARNING = "warning", "warning"
