"""The escapes of bash's ``$'…'`` strings."""

from __future__ import annotations

import re

from streamsim.shell.span import Span

ESCAPE = re.compile(
    r"""\\(?: (?P<octal>[0-7]{1,3})
            | x(?P<byte>[0-9A-Fa-f]{1,2})
            | u(?P<short>[0-9A-Fa-f]{1,4})
            | U(?P<long>[0-9A-Fa-f]{1,8})
            | c(?P<control>[A-Za-z@\[\]^_])
            | (?P<odd>c|x\{)
            | (?P<letter>.) )""",
    re.VERBOSE | re.DOTALL,
)
LETTERS = {
    "a": b"\a", "b": b"\b", "e": b"\x1b", "E": b"\x1b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v",
    "\\": b"\\", "'": b"'", '"': b'"', "?": b"?",
}  # fmt: skip
LAST_CODE_POINT = 0x10FFFF


def decode_ansi_c(text: str, span: Span) -> bytes:
    """Decode what stands between ``$'`` and ``'``; bytes, since ``\\xHH`` may spell half a character.

    A NUL ends the string, as it does in bash. Raises ScenarioError, with the place of ``span``, for an escape that
    bash itself reads differently from version to version.

    Source: Bash Reference Manual, 3.1.2.4 "ANSI-C Quoting".

    >>> decode_ansi_c(r"a\\tb\\x41\\u00e9\\z", Span(b"", 0, 0)).decode()
    'a\\tbAé\\\\z'
    >>> decode_ansi_c(r"a\\0b", Span(b"", 0, 0))
    b'a'
    """
    decoded, position = bytearray(), 0
    for match in ESCAPE.finditer(text):
        decoded += text[position : match.start()].encode()
        character = _decode_escape(match, span)
        if character == b"\0":
            return bytes(decoded)
        decoded += character
        position = match.end()
    return bytes(decoded + text[position:].encode())


def _decode_escape(match: re.Match[str], span: Span) -> bytes:
    """Return the bytes of one escape."""
    kind = match.lastgroup or ""
    digits = match[kind]
    if kind == "octal":
        return bytes([int(digits, 8) & 0xFF])
    if kind == "byte":
        return bytes([int(digits, 16)])
    if kind == "letter":
        return LETTERS.get(digits, match[0].encode())
    if kind == "control":
        return bytes([ord(digits) & 0x1F])
    code = int(digits, 16) if kind in ("short", "long") else LAST_CODE_POINT + 1
    if code > LAST_CODE_POINT:
        raise span.refuse(
            "the escape of a $'…' string", "it has no single meaning", "write the character itself, or \\xHH"
        )
    return chr(code).encode(errors="surrogatepass")
