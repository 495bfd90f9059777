from . import connection, link  # noqa: F401  each registers its model
