#!/usr/bin/env python
"""Tenantry's commands. Each but a few refuses a bad start; see config/start.py."""

import os
import sys

from config.start import refuse_bad_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    refuse_bad_command(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
