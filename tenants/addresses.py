"""Which texts are email addresses."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

LONGEST = 254  # as long as the path of a mail may be (RFC 5321), and the column of a mail


def is_address(text: str) -> bool:
    """Whether a mail can be sent there."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= LONGEST
