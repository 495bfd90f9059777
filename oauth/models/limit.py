from datetime import datetime, timedelta

from django.db import connection, models
from django.utils import timezone

from tenants.models.visibility import PlatformQuerySet

KEPT_FOR = timedelta(minutes=10)

# One statement, so that any number of processes count right. The ORM's own upsert cannot add to what is stored.
TAKE_ONE = """
    INSERT INTO oauth_requestcount (bucket, address_digest, window_start, number)
    VALUES (%s, %s, %s, 1)
    ON CONFLICT (window_start, bucket, address_digest)
    DO UPDATE SET number = oauth_requestcount.number + 1 WHERE oauth_requestcount.number < %s
"""


class RequestCountQuerySet(PlatformQuerySet["RequestCount"]):
    def take(self, bucket: str, address_digest: str, window_start: datetime, *, limit: int) -> bool:
        """Count one more request, or return False if the window has its `limit` already."""
        window = connection.ops.adapt_datetimefield_value(window_start)
        with connection.cursor() as cursor:
            cursor.execute(TAKE_ONE, [bucket, address_digest, window, limit])
            taken: bool = cursor.rowcount == 1
        return taken

    def forget_old(self) -> int:
        """Delete the counts of windows that are over; how many there were."""
        return self.filter(window_start__lt=timezone.now() - KEPT_FOR).delete()[0]


class RequestCount(models.Model):
    """How many requests one address made of one kind of public page in one window. The address is not kept."""

    bucket = models.CharField(max_length=20)
    address_digest = models.CharField(max_length=64)
    window_start = models.DateTimeField()
    number = models.PositiveIntegerField()

    objects = RequestCountQuerySet.as_manager()

    class Meta:
        constraints = [
            # The window first: by it old ones are found.
            models.UniqueConstraint("window_start", "bucket", "address_digest", name="request_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.number} x {self.bucket} at {self.window_start:%H:%M} UTC"
