"""The environment of a service in a Docker Compose file."""

from .export import Dialect, Export, File, comments
from .values import Values
from .variables import about_variables, variables

INDENT = " " * 6


def write(values: Values) -> Export:
    warnings = about_variables(values)
    lines = [f"{INDENT}{name}: {_scalar(value)}\n" for name, value in variables(values).items()]
    service = "services:\n  app:  # the name of your service\n    environment:\n" + "".join(lines)
    text = comments([values.headline, *warnings]) + "\n" + service
    return Export(values.title, (File(f"{values.stem}.compose.yaml", text),), tuple(warnings))


def _scalar(value: str) -> str:
    """A YAML string in double quotes. Compose puts a variable where a $ stands, and a $ where $$ does."""
    return f'"{"".join(map(_character, value.replace("$", "$$")))}"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\U{ord(character):08x}"


COMPOSE = Dialect(
    key="compose",
    label="Docker Compose",
    purpose="the variables of .env as the environment of a service",
    write=write,
)
