"""What the person in front of a failure is told, by kind: the mailbox owner, or the administrator they show it to.

What the operator is told of the same kinds stands in aadsts.json.
"""

from dataclasses import replace

from django.utils.translation import gettext

from . import administrators, mailbox_owners, nobody, operators
from .explanation import GENERAL, Explanation

__all__ = ["KINDS", "Explanation", "explanation_of"]

_BY_KIND: dict[str, Explanation] = {
    kind: said
    for table in (operators.WORDS, administrators.WORDS, mailbox_owners.WORDS, nobody.WORDS)
    for kinds, said in table.items()
    for kind in kinds
}
KINDS = frozenset(_BY_KIND)


def explanation_of(kind: str) -> Explanation:
    """The words for a kind of fault, in the language that is active now; general ones for a kind without its own."""
    said = _BY_KIND.get(kind, GENERAL)
    todo = tuple(gettext(sentence) for sentence in said.todo)
    return replace(said, title=gettext(said.title), what=gettext(said.what), todo=todo)
