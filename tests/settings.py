"""The tests' settings: the environment they need, then config.settings, then what is fast."""

import os
import tempfile

from cryptography.fernet import Fernet

_folder = tempfile.mkdtemp(prefix="tenantry-tests-")
os.environ |= {
    "SECRET_KEY": "tests-only-" + "x" * 50,
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "DEBUG": "False",
    "SITE_URL": "http://testserver",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "VAR_DIR": _folder,
    "EMAIL_URL": "memorymail://",
    "DEFAULT_FROM_EMAIL": "tenantry@example.com",
    "ALERT_EMAILS": "ops@example.com",
    "ORGANIZATION_NAME": "Example Mail",
    "SUPPORT_EMAIL": "help@example.com",
    "TIME_ZONE": "UTC",
    "ORGANIZATION_LOGO": "",
    "EXTRA_CLOUDS": "[]",
    "TRUSTED_PROXIES": "",
    "HEARTBEAT_URL": "",
    "METRICS_TOKEN": "",
}
for _name in (
    "BEHIND_TLS_PROXY",
    "DIGEST_AT",
    "SECRET_KEY_FALLBACKS",
    "SECRET_WARN_DAYS",
    "SWEEP_AT",
    "WATCH_HOURS",
    "WEBHOOK_ALLOW_LOOPBACK",
    "WEBHOOK_CA_FILE",
):
    os.environ.pop(_name, None)
os.environ.setdefault("DATABASE_URL", "sqlite:///" + os.path.join(_folder, "tests.sqlite3"))
os.environ.setdefault("REDIS_URL", "")
if os.environ["REDIS_URL"] and "PYTEST_XDIST_WORKER" in os.environ:
    # Workers of pytest-xdist each have a database of their own, here too.
    _server, _, _number = os.environ["REDIS_URL"].rpartition("/")
    _worker = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    os.environ["REDIS_URL"] = f"{_server}/{int(_number) - 2 * _worker}"

from config.settings import *  # noqa: E402,F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.sealing"]  # noqa: F405
STATIC_ROOT.mkdir()  # noqa: F405  WhiteNoise warns of a folder that is not there
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # noqa: F405
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # A file, as in production: the memory that Django would take knows no waiting, and threads meet "table is locked".
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(_folder, "under-test.sqlite3")}  # noqa: F405
