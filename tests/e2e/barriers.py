"""What would keep somebody out of a page, as axe finds it."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe

_axe = Axe()


def barriers_of(page: Any, name: str) -> list[str]:
    """The serious ones of the page as it is shown now; empty for a page that everybody can use."""
    found = _axe.run(page).response["violations"]
    return [
        f"{name}: {each['id']} {[node['html'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
