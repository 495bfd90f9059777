"""A .env file with variables of a plain naming, for whatever reads such a file."""

import re

from tenants import dotenv

from .export import Dialect, Export, File, comments
from .values import Values
from .variables import about_variables, variables

# What a shell, too, takes as it stands: there & and ; end a command, ~ and * become something else.
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def write(values: Values) -> Export:
    warnings = about_variables(values)
    # A list, no generator: an error page hides variables by whose call they are under, and a generator forgets that.
    lines = "".join([f"{_assignment(values, name, value)}\n" for name, value in variables(values).items()])
    if "'" in lines:
        warnings.append("docker run --env-file takes the quotes below as part of the values. Docker Compose does not.")
    text = comments([values.headline, *warnings]) + "\n" + lines
    return Export(values.title, (File(f"{values.stem}.env", text),), tuple(warnings))


def _assignment(values: Values, name: str, value: str) -> str:
    try:
        return dotenv.assignment(name, value, plain=PLAIN)
    except dotenv.Unwritable as unwritable:
        raise values.cannot(
            f"A .env file cannot hold {unwritable}.", "Choose the JSON or Compose export, which can."
        ) from unwritable


ENV = Dialect(
    key="dotenv",
    label=".env",
    purpose="variables MICROSOFT_… for anything that reads a .env file, or for a shell",
    write=write,
)
