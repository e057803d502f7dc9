"""Text that is safe to print: names of columns, modules and files come from others, and a terminal obeys them."""

from __future__ import annotations

import re

# Control characters but tab and newline; marks and overrides of direction; characters without width; line and
# paragraph separators; halves of surrogate pairs, which no encoding can print; tags.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_ENDS = re.compile("[\t\n]")


def printable(text: str, *, one_line: bool = False) -> str:
    r"""Return `text` with characters that steer a terminal written as escapes, which show what was there.

    Parameters
    ----------
    text
        Any text.
    one_line
        Escape newlines and tabs as well: a name in a table must not look like a line of it.

    Examples
    --------
    >>> print(printable("plain"), printable("\x1b[31mred\r"), printable("a\nb", one_line=True))
    plain \x1b[31mred\r a\nb
    """
    safe = _UNSAFE.sub(_escaped, text)
    return _ENDS.sub(_escaped, safe) if one_line else safe


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
