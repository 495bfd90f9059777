from . import access, event, imports, registration, tenant  # noqa: F401  each registers its model
