"""The mails that people outside were sent."""

import re
import time
from pathlib import Path


def notice_for(mails: Path, address: str) -> str:
    """The token of the link to disconnect, in the mail that this connected mailbox is sent."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for file in mails.glob("*.log"):
            text = file.read_text()
            if f"To: {address}" in text and (found := re.search(r"disconnect it here:\s+\S+/c/([\w-]+)/", text)):
                return found[1]
        time.sleep(0.25)
    raise AssertionError(f"{address} was sent no notice")
