from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.text import capfirst

register = template.Library()


@register.filter
def named_by(cells: Sequence[SafeString], headers: Sequence[dict[str, Any]]) -> list[SafeString]:
    """The cells of a list's row as those of a panel: each with its column's name, and what it holds in one element."""
    return [_named(cell, _name(header)) for cell, header in zip(cells, headers, strict=True)]


def _name(header: dict[str, Any]) -> str:
    is_checkbox = "action-checkbox-column" in header["class_attrib"]
    return "" if is_checkbox else capfirst(str(header["text"]))


def _named(cell: SafeString, name: str) -> SafeString:
    tag, _, rest = cell.partition(">")
    held, _, end = rest.rpartition("<")
    return SafeString(f'{tag} data-column="{escape(name)}"><div>{held}</div><{end}')
