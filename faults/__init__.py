"""Faults, each injected for real: `python -m faults` ends workers, servers and connections while a sweep runs."""
