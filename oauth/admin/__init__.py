from . import attempt, connection, grant, link, mail, verification  # noqa: F401  each registers its model
