"""Writes a first .env for the demo, with fresh keys: `python -m config.make_env`. Never touches one that is there."""

import json
import os
import secrets
import sys
from pathlib import Path

from cryptography.fernet import Fernet

DEFAULT_PORT = 8000
HIGHEST_PORT = 65535 - 443  # the sandbox's second door lies 443 above

HEADER = """\
# Written by `make run` for the demo on this machine; .env.example has every setting, and what real use needs.
# The two keys were made for this file. Whoever loses FIELD_ENCRYPTION_KEYS loses every secret sealed with it.
"""


class BadPort(Exception):
    """PORT is no port a site could have; the message says what would be."""


def main() -> None:
    path = Path(__file__).resolve().parent.parent / ".env"
    try:
        print(make_env(path, os.environ))
    except BadPort as problem:
        sys.exit(str(problem))


def make_env(path: Path, environ: "os._Environ[str] | dict[str, str]") -> str:
    """Write path unless it exists or the environment is the configuration already; say what was done."""
    if "SECRET_KEY" in environ:
        return "Settings come from the environment."
    text = demo_settings(port_from(environ.get("PORT", "")))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return f"Settings are in {path.name}."
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return f"Wrote {path.name} with fresh keys."


def port_from(text: str) -> int:
    """The web port that PORT asks for, or BadPort."""
    if not text:
        return DEFAULT_PORT
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 1024 <= port <= HIGHEST_PORT:
        raise BadPort(f"PORT must be a number from 1024 to {HIGHEST_PORT}, for example: PORT=9000 make run")
    return port


def demo_settings(port: int) -> str:
    door = f"localhost:{port + 443}"
    sandbox = {
        "key": "sandbox",
        "name": "Sandbox",
        "login_host": door,
        "graph_host": door,
        "outlook_host": door,
        "portal_host": f"127.0.0.1:{port + 1}",
        "ca_file": "var/sandbox/ca.pem",
        "browser_origin": f"http://127.0.0.1:{port + 1}",
        "sandbox": True,
    }
    values = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "SITE_URL": f"http://localhost:{port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "ORGANIZATION_NAME": "Example Mail",
        "SUPPORT_EMAIL": "help@example.com",
        "EMAIL_URL": "filemail:///var/mail",
        "DEFAULT_FROM_EMAIL": "tenantry@example.com",
        "ALERT_EMAILS": "oncall@example.com",
        "EXTRA_CLOUDS": f"'{json.dumps([sandbox])}'",
    }
    return HEADER + "".join(f"{name}={value}\n" for name, value in values.items())


if __name__ == "__main__":
    main()
