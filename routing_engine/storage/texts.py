"""What a file that should be a text holds instead, told by its first bytes."""

from __future__ import annotations

import codecs

#: How other things begin, and what people call them.
_NO_TEXTS = {
    b"PK\x03\x04": ("this is a spreadsheet (.xlsx, .ods) or another archive, not text", "give it its own ending"),
    b"\xd0\xcf\x11\xe0": (
        "this is a spreadsheet of an old Excel (.xls), not text",
        "save it as .xlsx, or as CSV UTF-8",
    ),
    b"%PDF": ("this is a PDF, not text", "export it as text"),
    b"\x1f\x8b": ("this is compressed (gzip), not text", "unpack it"),
}
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_LOOKED_AT = 200


class NotText(ValueError):
    """A file that is no text in UTF-8. Its text is a sentence; `line` has the first wrong byte, 0 is the whole file."""

    def __init__(self, sentence: str, remedy: str, line: int = 0) -> None:
        super().__init__(sentence)
        self.remedy, self.line = remedy, line


def text_of(content: bytes, remedy: str = "save the file as UTF-8") -> str:
    """Return the text of a file in UTF-8, without its byte order mark. Raises `NotText`."""
    for beginning, fault in _NO_TEXTS.items():
        if content.startswith(beginning):
            raise NotText(*fault)
    head = content[:_LOOKED_AT]
    # Every second byte of UTF-16 is zero, in languages with Latin letters.
    if content.startswith(_UTF_16) or head.count(0) * 4 >= len(head) > 0:
        raise NotText("this is UTF-16 ('Unicode text'), not UTF-8", remedy)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotText("this is not UTF-8", remedy, line) from None
