"""The Celery application: `celery -A config worker`, `celery -A config beat`."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.loaders.app import AppLoader
from celery.signals import beat_init, worker_ready
from kombu.transport import TRANSPORT_ALIASES

from config.start import read_settings, refuse_bad_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

TRANSPORT_ALIASES["files"] = "config.broker:Transport"


class Loader(AppLoader):
    """Celery's own, but a worker or a beat that may not start leaves before it has loaded any model or task."""

    def init_worker(self) -> None:
        refuse_bad_start()
        super().init_worker()


app = Celery("tenantry", loader="config.celery:Loader")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_configure.connect
def read_settings_first(**kwargs: Any) -> None:
    read_settings()


@worker_ready.connect
@beat_init.connect
def tell_the_launcher(**kwargs: Any) -> None:
    if ready_file := os.environ.get("READY_FILE"):
        Path(ready_file).touch()
