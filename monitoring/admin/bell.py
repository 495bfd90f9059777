from django.db import transaction

from monitoring.tasks import deliver_due


def ring() -> None:
    """Have what is due sent once this transaction stands."""
    # robust: with the broker down the rows still stand, the beat rings again, and the page need not fail.
    transaction.on_commit(deliver_due.delay, robust=True)
