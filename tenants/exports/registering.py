"""What registers an application in Entra, or brings it in line: the tools of its Setup page, for many at once."""

from collections.abc import Callable

from django.utils import timezone

from tenants.setup.tools import TOOLS, Tool
from tenants.setup.values import NoSuchCloud, values_of

from .export import Dialect, Export, File
from .values import Values


def _writer(tool: Tool) -> Callable[[Values], Export]:
    def write(values: Values) -> Export:
        try:
            text = tool.write(values_of(values.registration, timezone.localdate(values.made_at)))
        except NoSuchCloud as problem:
            raise values.cannot(str(problem), "Its Setup page has both.") from problem
        return Export(values.title, (File(f"{values.stem}.{tool.filename}", text),))

    return write


REGISTERING = tuple(
    Dialect(
        key=tool.key,
        label=str(tool.title),
        purpose=tool.purpose,
        write=_writer(tool),
        takes_secret=False,
        of_registered=False,
    )
    for tool in TOOLS
)
