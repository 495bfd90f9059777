"""What a WSGI server loads: `config.wsgi:application`."""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config.start import refuse_bad_start  # noqa: E402  settings must be named first

refuse_bad_start()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.utils.http import parse_header_parameters  # noqa: E402

site = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site, for whoever speaks UTF-8.

    A browser can name any codec that Python has as a form's charset. Django takes its word before any view or error
    page is reached, and codecs that are not for text make it fail.
    """
    if _is_text(environ.get("CONTENT_TYPE", "")):
        return site(environ, start_response)
    start_response("415 Unsupported Media Type", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"This site takes forms in UTF-8 only."]


def _is_text(content_type: str) -> bool:
    try:
        _, options = parse_header_parameters(content_type)  # Django's own reading: of two charsets it takes the last
    except ValueError:
        return False
    return options.get("charset", "utf-8").lower() in ("utf-8", "utf8", "us-ascii")
