from . import access, event, registration, tenant  # noqa: F401  each registers its model
