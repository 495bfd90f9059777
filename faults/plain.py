"""The obvious design, for comparison: a Celery task per connection, acknowledged when it is done, and nothing else.

`celery -A faults.plain worker`. What is refused the task writes down, and tells by mail. PLAIN_ACKS=late is as the
manuals advise, acknowledged when done and back into the queue when a worker is lost; otherwise Celery's defaults hold.
"""

import os
from email.message import EmailMessage
from email.utils import make_msgid
from functools import cache
from smtplib import SMTP
from urllib.parse import urlencode

import psycopg
from celery import Celery
from urllib3 import PoolManager

VISIBLE_AGAIN_AFTER = 15  # seconds; the default is an hour, and nobody wants to wait for that here

TABLES = """
DROP TABLE IF EXISTS plain_connection, plain_alert;
CREATE TABLE plain_connection (id int PRIMARY KEY, token text NOT NULL, checked int NOT NULL DEFAULT 0);
CREATE TABLE plain_alert (connection int NOT NULL);
"""

_IS_LATE = os.environ.get("PLAIN_ACKS") == "late"

app = Celery("plain", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_acks_late=_IS_LATE,
    task_reject_on_worker_lost=_IS_LATE,
    task_ignore_result=True,
    worker_prefetch_multiplier=1 if _IS_LATE else 4,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": VISIBLE_AGAIN_AFTER},
)


@cache
def _database(process: int) -> "psycopg.Connection[tuple[str]]":
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


@cache
def _pool(process: int) -> PoolManager:
    return PoolManager(ca_certs=os.environ["PLAIN_CA"])


@app.task(name="plain.check")
def check(number: int) -> None:
    """Refresh one connection's token; tell if it is refused."""
    database = _database(os.getpid())
    row = database.execute("SELECT token FROM plain_connection WHERE id = %s", [number]).fetchone()
    assert row is not None
    form = {"grant_type": "refresh_token", "refresh_token": row[0], "client_id": "plain"}
    answer = _pool(os.getpid()).request("POST", os.environ["PLAIN_TOKENS"], body=urlencode(form))
    if answer.status == 200:
        token = answer.json()["refresh_token"]
        database.execute("UPDATE plain_connection SET token = %s, checked = checked + 1 WHERE id = %s", [token, number])
    else:
        database.execute("INSERT INTO plain_alert VALUES (%s)", [number])
        _tell(number)
        database.execute("UPDATE plain_connection SET checked = checked + 1 WHERE id = %s", [number])


def _tell(number: int) -> None:
    message = EmailMessage()
    message["From"] = message["To"] = "oncall@example.com"
    message["Subject"] = f"Connection {number}"
    message["Message-ID"] = make_msgid(domain="localhost")
    with SMTP("127.0.0.1", int(os.environ["PLAIN_MAIL"]), timeout=20) as server:
        server.send_message(message)
