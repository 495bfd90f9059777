from django.apps import AppConfig


class OauthConfig(AppConfig):
    name = "oauth"
    verbose_name = "Consent"

    def ready(self) -> None:
        from . import imported  # noqa: F401  connects the receiver of tenants' signal
