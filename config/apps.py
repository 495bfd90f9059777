from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "config"
    verbose_name = "The site's frame"

    def ready(self) -> None:
        from django.core.checks import register

        from config.checks import settings_problems

        register(settings_problems)
