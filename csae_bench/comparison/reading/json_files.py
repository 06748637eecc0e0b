"""Result files as JSON objects, without their details.

Core's details are 340 bytes a latent, so that a file of a 16k SAE is 5.5 MB of which 5 KB are
wanted. Their array is cut out of the text before it is parsed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

from csae_bench.errors import ResultError
from csae_bench.support.regular_files import read_regular

DETAILS = "eval_result_details"
_KEY = f'"{DETAILS}"'.encode()
MAX_BYTES = 512 * 2**20
"""The largest file that is read: a hundred times the result of a 16k SAE."""
_DIGITS = re.compile(rb"\d+")
_CUT = "cut out before parsing"
_SPACE = b" \t\r\n"


def load_object(path: Path, *, with_details: bool = False) -> dict[str, Any]:
    """Return the JSON object in `path`, NaN and Infinity allowed, its details an empty list.

    An object whose one entry is a result, as SAE-Bench's `run_eval` returns it by the SAE's name,
    is that result.

    Raises:
        ResultError: the file cannot be read, is larger than `MAX_BYTES`, or holds no JSON object.
    """
    try:
        data = read_regular(path, at_most=MAX_BYTES)
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}.") from error
    if not data.strip():
        raise ResultError(f"{path}: is empty. Run its eval again, or delete it.")
    value = None if with_details else _parsed_without_details(data)
    if value is None:
        value = _parsed(data, path)
    if not isinstance(value, dict):
        raise ResultError(f"{path}: holds a JSON {_kind(value)}; a result is an object.")
    unwrapped = _unwrapped(cast(dict[str, Any], value))
    return unwrapped if with_details else {**unwrapped, DETAILS: []}


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    inner = next(iter(value.values())) if len(value) == 1 else None
    is_result = isinstance(inner, dict) and {"eval_type_id", "eval_result_metrics"} <= inner.keys()
    return cast(dict[str, Any], inner) if is_result else value


def _parsed(data: bytes, path: Path) -> Any:
    try:
        return json.loads(data)
    except RecursionError:
        raise ResultError(f"{path}: is nested too deeply to be a result.") from None
    except UnicodeDecodeError as error:
        raise ResultError(
            f"{path}: is not JSON: byte {error.start} is not {error.encoding}, as JSON must be."
        ) from error
    except ValueError as error:
        if not isinstance(error, json.JSONDecodeError):  # Python refuses to convert it
            digits = max(map(len, _DIGITS.findall(data)), default=0)
            raise ResultError(
                f"{path}: is not JSON that can be read: it has an integer of {digits} digits."
            ) from error
        raise ResultError(f"{path}: is not JSON: {error}.") from error


def _parsed_without_details(data: bytes) -> dict[str, Any] | None:
    """Return the object but for its details; None if they cannot be cut out for certain."""
    bounds = _flat_array(data)
    if bounds is None:
        return None
    start, end = bounds
    try:
        value = json.loads(data[:start] + json.dumps(_CUT).encode() + data[end:])
    except (ValueError, RecursionError):
        return None
    # The key may have been in a string, or deeper; then the object does not have the mark.
    return value if isinstance(value, dict) and value.get(DETAILS) == _CUT else None


def _flat_array(data: bytes) -> tuple[int, int] | None:
    """Return where the array of details begins and ends; None unless that is certain.

    Certain it is where up to the first `]` there is neither an inner array nor a backslash, and an
    even number of quotes: then that `]` is outside every string, and closes the array.
    """
    key = data.find(_KEY)
    start = data.find(b"[", key)
    if key < 0 or start < 0 or data[key + len(_KEY) : start].strip(_SPACE) != b":":
        return None
    end = data.find(b"]", start) + 1
    if end == 0 or data.find(b"[", start + 1, end) >= 0 or data.find(b"\\", start, end) >= 0:
        return None
    return (start, end) if data.count(b'"', start, end) % 2 == 0 else None


def _kind(value: Any) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
