"""What a spreadsheet would run as a formula stays text in a CSV by an apostrophe before it, which an import takes off.

Apostrophes that stand there already belong to the text, so whatever was marked comes back as it was.
"""

import re

_BEGINS = r"[=+\-@\t\r\n＝＋－＠]"  # the wide ones count where East Asian text is typed
_RUNS = re.compile(rf"['\s]*{_BEGINS}")
_MARKED = re.compile(rf"'['\s]*{_BEGINS}")
# Where a spreadsheet separates cells by another character than this file, what comes after it begins a cell.
_RUNS_AFTER = re.compile(rf"[;\t\r\n]['\"\s]*{_BEGINS}")


def marked(text: str) -> str:
    """The text as a cell of a CSV that no spreadsheet runs."""
    return f"'{text}" if _RUNS.match(text) else text


def unmarked(cell: str) -> str:
    """The text that such a cell stands for."""
    return cell[1:] if _MARKED.match(cell) else cell


def can_be_marked(text: str) -> bool:
    """Is it safe once it is marked, whatever separates the cells of who opens it?"""
    return _RUNS_AFTER.search(text) is None
