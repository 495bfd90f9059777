from django.db import models


class Watched(models.Model):
    """What a sweep looks at, and the lease by which one worker holds it while it looks.

    `last_sweep` is the highest number of a sweep that is done with this row: a sweep has the row still before it while
    `last_sweep` is less than its own number. Whoever saves what was seen must still hold the lease: filter by
    `lease_by`.
    """

    last_sweep = models.BigIntegerField(default=0, editable=False)
    lease_by = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    next_at = models.DateTimeField(null=True, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    unanswered = models.PositiveSmallIntegerField("nights running without an answer", default=0, editable=False)
    unanswered_why = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True
