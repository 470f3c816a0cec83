"""NumPy arrays and safetensors, by their headers alone."""

from __future__ import annotations

import json
import re
import struct

from ledgit.artifacts.previews.source import LIMIT, Preview, Source, shown

__all__ = ["npy_header", "read"]

_NPY = b"\x93NUMPY"
_LONGEST = 1 << 16
_FIELD = re.compile(r"'(descr|fortran_order|shape)':\s*('[^']{0,80}'|\[[^\]]{0,2000}\]|\([\d, ]{0,400}\)|True|False)")
#: What can be read without NumPy.
_CODES = {
    "f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b",
    "u8": "Q", "u4": "I", "u2": "H", "u1": "B", "b1": "?",
}  # fmt: skip
_NAMES = {"f": "float", "i": "int", "u": "uint", "c": "complex", "b": "bool", "U": "str", "S": "bytes"}


def read(file: Source, width: int, height: int) -> Preview | None:
    """Return the preview of an array; None if it is none."""
    if file.head.startswith(_NPY):
        return _npy(file, width)
    if file.ending == ".safetensors":
        return _safetensors(file, width, height)
    return None


def npy_header(head: bytes) -> tuple[str, tuple[int, ...], bool, int] | None:
    """Return type, shape, whether in Fortran's order, and where the values begin; None if it does not parse."""
    if len(head) < 12 or not head.startswith(_NPY):
        return None
    wide = head[6] >= 2
    (length,) = struct.unpack_from("<I" if wide else "<H", head, 8)
    start = 12 if wide else 10
    if length > _LONGEST:
        return None
    fields = dict(_FIELD.findall(head[start : start + length].decode("latin-1")))
    if not {"descr", "shape"} <= fields.keys():
        return None
    digits = re.findall(r"\d{1,19}", fields["shape"])
    return fields["descr"].strip("'"), tuple(map(int, digits)), fields.get("fortran_order") == "True", start + length


def dtype_words(descr: str) -> str:
    """Return NumPy's name of a type: ``<f8`` is ``float64``."""
    kind, count = descr[1:2], descr[2:]
    if kind in "US":
        return f"{_NAMES[kind]} of {count}" if count.isdigit() else descr
    name = _NAMES.get(kind)
    if name is None or not count.isdigit() or len(count) > 3:
        return descr
    return name if kind == "b" else f"{name}{int(count) * 8}"


def _npy(file: Source, width: int) -> Preview:
    found = npy_header(file.head)
    if found is None:
        return Preview("array", file.title("NumPy array, damaged"), ())
    descr, shape, fortran, start = found
    kind = dtype_words(descr)
    lines = [f"type   {kind}", f"shape  {' × '.join(map(str, shape)) or 'one value'}"]
    if fortran:
        lines.append("order  Fortran's")
    values = _first_values(file.head[start : start + width * 8], descr)
    if values:
        lines.append(f"first  {' '.join(values)}")
    return Preview("array", file.title("NumPy array", kind), tuple(lines))


def _first_values(data: bytes, descr: str) -> list[str]:
    code = _CODES.get(descr[1:])
    if code is None or descr[:1] not in "<>|=":
        return []
    order = "<" if descr[0] in "|=" else descr[0]
    size = struct.calcsize(order + code)
    whole = data[: len(data) // size * size]
    return [
        f"{value:.6g}" if isinstance(value, float) else str(value)
        for (value,) in struct.iter_unpack(order + code, whole)
    ]


def _safetensors(file: Source, width: int, height: int) -> Preview | None:
    if len(file.head) < 8:
        return None
    (length,) = struct.unpack("<Q", file.head[:8])
    if not 2 <= length <= LIMIT - 8:
        return None
    try:
        header = json.loads(file.head[8 : 8 + length])
        tensors = [
            (str(name), str(item["dtype"]), [int(size) for size in item["shape"]])
            for name, item in header.items()
            if name != "__metadata__"
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    lines = [
        f"{kind:<5} {' × '.join(map(str, shape[:8])) or 'one value':<16} {name}"
        for name, kind, shape in tensors[:height]
    ]
    if len(tensors) > height:
        lines[-1] = f"… {len(tensors) - height + 1} more"
    return Preview(
        "array", file.title("safetensors", f"{len(tensors)} tensors"), tuple(shown(line, width) for line in lines)
    )
