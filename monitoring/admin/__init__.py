from . import alert, channel, delivery, finding, sweep  # noqa: F401  each registers its model
