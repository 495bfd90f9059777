"""What other apps may hear of tenants' registrations."""

from django.dispatch import Signal

# Client secrets that nobody has tried yet were stored for these `registrations` (primary keys), by the user `by`. Sent
# inside the transaction that stores them: a receiver writes down what it has to do, and rings on commit.
secrets_imported = Signal()
