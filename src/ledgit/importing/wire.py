"""Protocol buffers and the two record files that carry them, read without their libraries.

TensorBoard's package brings 60 MB and W&B's reader is a private module of its own; both formats are a page each. What
does not decode ends the file: its writer was killed, or it is no such file. Nothing is larger than the file itself, so
no length in it makes this process ask for memory.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ledgit.errors import RecordError

__all__ = ["Message", "event_records", "leveldb_records", "unpack_doubles", "unpack_floats"]

_MASK = 0xA282EAD8
_LARGEST = 256 << 20
_CHECKED = 1 << 16  # a checksum in Python takes a second for 5 MB
_BLOCK = 32_768
_WANDB = b":W&B"


def _crc_table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


_TABLE = _crc_table()


def _masked_crc(data: bytes) -> int:
    """Return CRC-32C as TFRecord files have it: rotated by 15 bits, and a number added."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def event_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a TFRecord file; a torn end, and what is behind a damaged record, is left out."""
    while True:
        head = file.read(12)
        if len(head) < 12:
            return
        length, check = struct.unpack("<QI", head)
        if _masked_crc(head[:8]) != check or length > _LARGEST:
            return
        data = file.read(length + 4)
        if len(data) < length + 4:
            return
        (check,) = struct.unpack("<I", data[length:])
        data = data[:length]
        if length <= _CHECKED and _masked_crc(data) != check:
            return
        yield data


def leveldb_records(file: BinaryIO, where: str) -> Iterator[bytes]:
    """Yield the records of W&B's file: LevelDB's log, after 7 bytes of its own.

    Raises:
        RecordError: It is no such file.
    """
    head = file.read(7)
    if head[:4] != _WANDB:
        raise RecordError(where, "is no file of W&B's: it does not begin with ':W&B'")
    at, size = 7, 0
    parts: list[bytes] = []
    while True:
        room = _BLOCK - at % _BLOCK
        if room < 7:
            file.read(room)
            at += room
            continue
        head = file.read(7)
        if len(head) < 7:
            return
        check, length, kind = struct.unpack("<IHB", head)
        at += 7
        if kind == 0 and length == 0 and check == 0:
            at += len(file.read(room - 7))
            continue
        data = file.read(length)
        at += len(data)
        if len(data) < length or kind not in (1, 2, 3, 4) or zlib.crc32(bytes([kind]) + data) != check:
            return
        if kind in (1, 2):
            parts, size = [], 0
        parts.append(data)
        size += length
        if size > _LARGEST:
            return
        if kind in (1, 4):
            yield b"".join(parts)
            parts, size = [], 0


class Message:
    """One message: field number → values in the order they came (integers, or bytes).

    Raises:
        ValueError: It does not decode.
    """

    __slots__ = ("_fields",)

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        at, end = 0, len(data)
        while at < end:
            key, at = _varint(data, at)
            kind = key & 7
            value: int | bytes
            if kind == 0:
                value, at = _varint(data, at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
                value = data[at : at + size]
                at += size
            elif kind == 2:
                size, at = _varint(data, at)
                value = data[at : at + size]
                at += size
            else:
                raise ValueError(f"no field has kind {kind}")
            if at > end:
                raise ValueError("ends within a field")
            self._fields.setdefault(key >> 3, []).append(value)

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def all(self, field: int) -> list[bytes]:
        """Return all values of a field that are bytes."""
        return [value for value in self._fields.get(field, ()) if isinstance(value, bytes)]

    def raw(self, field: int) -> bytes:
        """Return the last value of a field; empty where there is none."""
        return self.all(field)[-1] if self.all(field) else b""

    def messages(self, field: int) -> list[Message]:
        """Return all values of a field as messages."""
        return [Message(value) for value in self.all(field)]

    def message(self, field: int) -> Message:
        """Return a field as a message; an empty one where there is none."""
        return Message(self.raw(field))

    def text(self, field: int) -> str:
        """Return a field as text."""
        return self.raw(field).decode("utf-8", "replace")

    def number(self, field: int, default: int = 0) -> int:
        """Return a field as a signed integer."""
        values = [value for value in self._fields.get(field, ()) if isinstance(value, int)]
        if not values:
            return default
        return values[-1] - (1 << 64) if values[-1] >> 63 else values[-1]

    def double(self, field: int) -> float | None:
        """Return a field of 4 or 8 bytes as a float."""
        data = self.raw(field)
        if len(data) not in (4, 8):
            return None
        return float(struct.unpack("<d" if len(data) == 8 else "<f", data)[0])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("ends within a number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (1 << 64) - 1, at
        shift += 7


def unpack_floats(data: bytes) -> list[float]:
    """Return packed floats."""
    return [one[0] for one in struct.iter_unpack("<f", data[: len(data) // 4 * 4])]


def unpack_doubles(data: bytes) -> list[float]:
    """Return packed doubles."""
    return [one[0] for one in struct.iter_unpack("<d", data[: len(data) // 8 * 8])]
