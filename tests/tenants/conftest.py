from collections.abc import Callable

import pytest
from django.conf import LazySettings
from encrypted_model_fields import fields as package

RestartWith = Callable[..., None]


@pytest.fixture
def restart_with(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> RestartWith:
    """Take other keys, as a restart would: the package builds what it encrypts with once, when it is imported."""

    def restart(*keys: str) -> None:
        settings.FIELD_ENCRYPTION_KEY = list(keys)
        monkeypatch.setattr(package, "CRYPTER", package.get_crypter())

    return restart
