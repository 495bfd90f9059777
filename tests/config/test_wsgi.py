"""The WSGI entry itself, as a server calls it. In a process of its own: loading it refuses a bad start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import ROOT
from .test_start import MANAGE, good_env, run

ASK = """
import io, json, sys
from wsgiref.util import setup_testing_defaults
from django.conf import settings
from config.wsgi import application
answers = {}
for kind in json.loads(sys.argv[1]):
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/oauth/callback/global/", "QUERY_STRING": "a=1",
               "CONTENT_TYPE": kind, "CONTENT_LENGTH": "7", "wsgi.input": io.BytesIO(b"state=x"),
               "HTTP_HOST": "localhost"}
    setup_testing_defaults(environ)
    b"".join(application(environ, lambda status, headers: answers.__setitem__(kind, status)))
print(json.dumps(answers))
"""
FORM = "application/x-www-form-urlencoded"
CODECS = ("hex", "zip", "rot13", "idna", "undefined", "utf-16", "none such", "utf-8; charset=hex")
HOSTILE = [*(f"{FORM}; charset={name}" for name in CODECS), f"{FORM}; CHARSET=zip", f"{FORM}; a*=utf-9''x"]


@pytest.mark.processes
def test_no_charset_a_browser_names_makes_it_fail(tmp_path: Path) -> None:
    environment = good_env(tmp_path) | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    for command in (["migrate", "--verbosity=0"], ["collectstatic", "--no-input", "--verbosity=0"]):
        assert run([*MANAGE, *command], environment).returncode == 0
    kinds = [*HOSTILE, "multipart/form-data; boundary=x; charset=hex", FORM, f"{FORM}; charset=UTF-8", "\x00", ""]
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(kinds)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert {answers[kind] for kind in HOSTILE} == {"415 Unsupported Media Type"}
    assert answers[FORM] == answers[f"{FORM}; charset=UTF-8"] == "400 Bad Request"
    assert all(status[0] == "4" for status in answers.values())
