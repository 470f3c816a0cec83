"""What nothing else knows: its first bytes."""

from __future__ import annotations

from ledgit.artifacts.previews.source import Preview, Source

__all__ = ["name_of", "read"]

#: Beginnings of formats that are worth a name; the longest first where one begins another.
MAGICS = {
    b"\x7fELF": "ELF program",
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"SQLite format 3\0": "SQLite database",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow file",
    b"%PDF-": "PDF",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"(\xb5/\xfd": "Zstandard",
    b"PK\x03\x04": "zip",
    b"GGUF": "GGUF model",
    b"RIFF": "RIFF",
    b"OggS": "Ogg",
    b"fLaC": "FLAC",
    b"\xca\xfe\xba\xbe": "Java class",
    b"\0asm": "WebAssembly",
    b"\x80\x02": "pickle",
    b"\x80\x03": "pickle",
    b"\x80\x04\x95": "pickle",
    b"\x80\x05\x95": "pickle",
}
_MOST_LINES = 16


def name_of(head: bytes) -> str:
    """Return what a file that begins with *head* is, or "binary"."""
    return next((name for magic, name in MAGICS.items() if head.startswith(magic)), "binary")


def read(file: Source, width: int, height: int) -> Preview:
    """Return the first bytes, in hexadecimal and as text."""
    # "00000000  12 34 …  text": ten columns, then four for each byte.
    count = max(min((width - 11) // 4 // 4 * 4, 16), 1)
    lines = []
    for place in range(0, min(len(file.head), min(height, _MOST_LINES) * count), count):
        piece = file.head[place : place + count]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"{place:08x}  {piece.hex(' '):<{count * 3 - 1}}  {shown}")
    return Preview("binary", file.title(name_of(file.head)), tuple(lines))
