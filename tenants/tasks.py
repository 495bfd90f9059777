"""Bells for what an import leaves to do. Any of these may be lost, doubled or killed: rows say what is left."""

from celery import shared_task
from celery.contrib.django.task import DjangoTask

from .imports import work


@shared_task(base=DjangoTask)
def work_on_import(import_id: int) -> None:
    """Check an import's rows, or write them, whichever it waits for."""
    work.carry_on(import_id)
