"""Who asks, as the pages for people outside show it."""

from django.conf import settings


def branding() -> dict[str, str | bool]:
    """What templates/consent/base.html needs, for every page that extends it."""
    return {
        "organization": settings.ORGANIZATION_NAME,
        "support_email": settings.SUPPORT_EMAIL,
        "has_logo": settings.ORGANIZATION_LOGO is not None,
    }
