"""The organization's logo, a file that ORGANIZATION_LOGO names. What it is, its bytes say and not its name."""

from xml.parsers import expat

LARGEST = 200_000  # bytes
SVG_ROOT = "http://www.w3.org/2000/svg svg"


def content_type(content: bytes) -> str | None:
    """The type of a picture that a page may show as a logo, or None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if _is_svg(content) else None


def _is_svg(content: bytes) -> bool:
    roots: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, attributes: roots.append(name)
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError):  # not well-formed; an encoding that is unknown, or unfit
        return False
    return roots[0] == SVG_ROOT
