"""What a WSGI server loads: `config.wsgi:application`."""

import os
from collections.abc import Callable, Iterable
from email.message import Message
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config.start import refuse_bad_start  # noqa: E402  settings must be named first

refuse_bad_start()

from django.core.wsgi import get_wsgi_application  # noqa: E402

site = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site, for whoever speaks UTF-8.

    A browser can name any codec that Python has as a form's charset. Django takes its word before any view or error
    page is reached, and codecs that are not for text make it fail.
    """
    header = Message()
    header["Content-Type"] = environ.get("CONTENT_TYPE") or "text/plain"
    if header.get_content_charset("utf-8") in ("utf-8", "utf8", "us-ascii"):
        return site(environ, start_response)
    start_response("415 Unsupported Media Type", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"This site takes forms in UTF-8 only."]
