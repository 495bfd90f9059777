from . import attempt, connection, grant, link, mail  # noqa: F401  each registers its model
