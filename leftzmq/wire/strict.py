"""msgpack with limits, then a schema with exact types: turns bytes from outside into values.

Knows msgpack and msgspec; no other module calls msgpack. Must not know what any message means. For
any bytes, the result is a value of the requested type, or `Refused`.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

import msgpack
import msgspec
from msgspec import Struct

from leftzmq.errors import Refusal, Refused

Shape = TypeVar("Shape")
Frame = bytes | bytearray | memoryview

_ENCODER = msgspec.msgpack.Encoder()


class SizeLimits(Struct, frozen=True):
    """The limits of one frame: bytes, but for `array` and `map` (items of one array or map).

    Memory stays below 8 * array * 1024 bytes (msgpack allocates an array at its header, and stops
    at 1024 levels) and 75 times the frame (empty arrays; measured with msgpack 1.2.1).
    """

    frame: int
    str: int
    bin: int
    array: int
    map: int = 0


def pack(value: object) -> bytes:
    """Return the msgpack of a struct, or of plain lists, dicts, str, bytes, numbers, bool and
    None."""
    return _ENCODER.encode(value)


def unpack(frame: Frame, limits: SizeLimits) -> Any:
    """Return the plain value in a frame. The frame must hold one whole value and no further byte.

    Raises Refused: TOO_LONG, or NOT_MSGPACK for everything else that is wrong with it.
    """
    if len(frame) > limits.frame:
        raise Refused(Refusal.TOO_LONG, f"{len(frame)} bytes, {limits.frame} are allowed")
    try:
        return msgpack.unpackb(
            frame,
            raw=False,
            use_list=True,
            strict_map_key=True,
            ext_hook=_refuse_extension,
            max_str_len=limits.str,
            max_bin_len=limits.bin,
            max_array_len=limits.array,
            max_map_len=limits.map,
            max_ext_len=0,
        )
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        # A UnicodeDecodeError quotes only one byte and its position; the others quote no bytes.
        raise Refused(Refusal.NOT_MSGPACK, str(error) or type(error).__name__) from error


def shaped(value: object, shape: type[Shape]) -> Shape:
    """Return `value` as a struct, with exact types: bool is not int, float is not int, str is not
    bytes.

    Raises Refused: OUT_OF_RANGE for a number, WRONG_SHAPE for the rest.
    """
    try:
        # Without builtin_types even strict mode would read a str as the base64 of bytes.
        return msgspec.convert(value, shape, strict=True, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        text = str(error)
        in_range = not text.startswith(("Expected `int` >", "Expected `int` <", "Integer value"))
        refusal = Refusal.WRONG_SHAPE if in_range else Refusal.OUT_OF_RANGE
        raise Refused(refusal, f"{shape.__name__}: {text}") from error


def head_of(frame: Frame) -> list[Any]:
    """Return the first two items of the array that `frame` begins with, as far as they are numbers.

    Looks at 23 bytes and never at what follows, so it can read frames that the limits forbid to
    unpack.
    """
    reader = msgpack.Unpacker(
        max_buffer_size=_HEAD_BYTES,
        read_size=_HEAD_BYTES,
        ext_hook=_refuse_extension,
        max_str_len=0,
        max_bin_len=0,
        max_array_len=0,
        max_map_len=0,
        max_ext_len=0,
    )
    head: list[Any] = []
    try:
        reader.feed(frame[:_HEAD_BYTES])
        for _ in range(min(2, reader.read_array_header())):
            head.append(reader.unpack())
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
        pass  # the items read so far are the answer
    return head


_HEAD_BYTES = 5 + 9 + 9  # the longest array header and two of the longest numbers


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")
