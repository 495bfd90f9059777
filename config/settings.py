"""The site's settings, from the environment and a .env beside manage.py. Importing this makes no files and no keys."""

from datetime import time
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from config.environment import Environment, days, time_zone
from config.logs import LOGGING as LOGGING  # one JSON object a line on standard error, without secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
env.read_env(BASE_DIR / ".env")

# Core

SECRET_KEY = env("SECRET_KEY")  # no default: a missing key stops the start
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
FIELD_ENCRYPTION_KEY = env.list("FIELD_ENCRYPTION_KEYS")  # the package's own name; the first seals, all open
DEBUG = env.bool("DEBUG", default=False)
SITE_URL = env("SITE_URL").rstrip("/")  # every link and redirect URI is made from it, never from a Host header
SITE_IS_HTTPS = SITE_URL.startswith("https://")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])  # whose word on a client's address counts
VAR_DIR = (BASE_DIR / env("VAR_DIR", default="var")).resolve()
ORGANIZATION_NAME = env("ORGANIZATION_NAME", default="Tenantry")
SUPPORT_EMAIL = env("SUPPORT_EMAIL", default="")
_logo = env("ORGANIZATION_LOGO", default="")
ORGANIZATION_LOGO = BASE_DIR / _logo if _logo else None

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "staff.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "config",
    "staff",
    "tenants",
    "oauth",
    "monitoring",
    "config.admin.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django_celery_beat",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
]

MIDDLEWARE = [
    "config.middleware.discreet_links",  # first, so that it sees the redirect to https
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Language and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]  # as long as there is no other, a page is in one language from head to foot
USE_TZ = True
FORMAT_MODULE_PATH = "config.formats"
TIME_ZONE = env("TIME_ZONE", cast=time_zone, default="UTC")  # a night is a local date here

# Database

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'tenantry.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Deferred transactions that read and then write fail with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

# Static files

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Browsers: cookies, headers, Content-Security-Policy

_cookie_prefix = (
    "__Host-" if SITE_IS_HTTPS else ""
)  # browsers refuse the prefix on plain http, but for Chromium's localhost
SESSION_COOKIE_NAME = f"{_cookie_prefix}sessionid"
SESSION_COOKIE_SECURE = SITE_IS_HTTPS
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_COOKIE_NAME = f"{_cookie_prefix}csrftoken"
CSRF_COOKIE_SECURE = SITE_IS_HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
SECURE_SSL_REDIRECT = SITE_IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$", r"^healthz/watch/$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if SITE_IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", default=SITE_IS_HTTPS)
SECURE_HSTS_PRELOAD = SECURE_HSTS_INCLUDE_SUBDOMAINS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    },
}

# Mail

_mail = env.email_url("EMAIL_URL", default="smtp://localhost:25")
vars().update(_mail)
EMAIL_FILE_PATH: str = str(BASE_DIR / _mail["EMAIL_FILE_PATH"])  # filemail:///var/mail is meant from here
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="tenantry@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Celery

REDIS_URL = env("REDIS_URL", default="")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any]
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 1800,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
else:
    CELERY_BROKER_URL = "files://localhost//"  # our own sound file-system transport, config/broker.py
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(VAR_DIR / "queue"),
        "data_folder_out": str(VAR_DIR / "queue"),
        "control_folder": str(VAR_DIR / "queue-control"),
        "polling_interval": 0.1,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 3
CELERY_TASK_PUBLISH_RETRY = False  # a page does not wait for the broker: the row stands, and beat rings again
CELERY_TASK_IGNORE_RESULT = True  # the database is the ledger; Celery only rings the bell
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 256_000  # kB
CELERY_TASK_SOFT_TIME_LIMIT = 600  # the longest, sending what is due, ends by itself after four minutes
CELERY_TASK_TIME_LIMIT = 630
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_RESULT_EXPIRES = None  # there are no results, so beat needs no entry that clears them away
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

# The night's work

CHECKS_IN_FLIGHT = env.int("CHECKS_IN_FLIGHT", default=64)  # requests to Microsoft at once, of each worker process
CHECKS_PER_SECOND = env.float("CHECKS_PER_SECOND", default=20.0)  # of one registration in one directory
UNANSWERED_NIGHTS = env.int("UNANSWERED_NIGHTS", default=2)  # running, before a check that could not be made is told
SWEEP_WORKERS = env.int("SWEEP_WORKERS", default=1)  # that work on one night's check at once
SWEEP_AT = env("SWEEP_AT", cast=time.fromisoformat, default=time(2, 30))  # until it is set in the admin
CELERY_BEAT_SCHEDULE = {  # what stands here is written over the database at every start of beat; so not the night
    # Whatever was lost, killed or put off is found again here; see monitoring/tasks.py.
    "reconcile": {"task": "monitoring.tasks.reconcile", "schedule": 60.0, "options": {"expire_seconds": 60}},
}

# Who watches the watcher

WATCH_HOURS = env.int("WATCH_HOURS", default=26)
HEARTBEAT_URL = env("HEARTBEAT_URL", default="")
METRICS_TOKEN = env("METRICS_TOKEN", default="")

# Entra

EXTRA_CLOUDS = env.json("EXTRA_CLOUDS", default=[])

# Alerts

SECRET_WARN_DAYS = env("SECRET_WARN_DAYS", cast=days, default=[60, 30, 14, 7, 3, 1, 0])
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
DIGEST_AT = env("DIGEST_AT", cast=time.fromisoformat, default=time(8, 0))  # of what is coming, once a day
WEBHOOK_ALLOW_LOOPBACK = env.bool("WEBHOOK_ALLOW_LOOPBACK", default=False)  # receivers on this machine, for a demo
WEBHOOK_CA_FILE = env("WEBHOOK_CA_FILE", default="")  # authorities to trust instead of the usual ones
