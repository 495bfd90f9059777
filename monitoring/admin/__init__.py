from . import alert, delivery, finding, sweep  # noqa: F401  each registers its model
