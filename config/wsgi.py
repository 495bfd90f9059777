"""What a WSGI server loads: `config.wsgi:application`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config.start import refuse_bad_start  # noqa: E402  settings must be named first

refuse_bad_start()

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
