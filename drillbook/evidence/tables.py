"""Tables of the load: Parquet, or what a killed load left of its stream, as plain arrays of numpy."""

# pyarrow brings no types.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drillbook.evidence.reading import Reader

Table: TypeAlias = Any
"""A table of pyarrow, which has no types of its own."""

UNFIT: tuple[type[Exception], ...] = (pa.ArrowException, KeyError, ValueError)
"""What the functions below raise of a table that lacks a column or holds something else in it."""

_UNREADABLE: tuple[type[Exception], ...] = (pa.ArrowException, OSError, ValueError)


def table(reader: Reader, name: str, *, needed: bool) -> Table | None:
    """A Parquet file; or, of a load that was killed, what its stream holds up to its last flush."""
    stream = name.removesuffix(".parquet") + ".arrows"
    if reader.is_file(name):
        try:
            return pq.read_table(reader.root / name)
        except _UNREADABLE as error:
            reader.note(name, f"cannot be read: {_short(error)}")
            return None
    if reader.is_file(stream):
        reader.note(stream, "is all there is of the load: its process ended before it could finish its record")
        return _streamed(reader, stream)
    if needed:
        reader.note(name, "is missing, though a load was planned")
    return None


def numbers(found: Table, name: str) -> NDArray[np.float64]:
    """A column of numbers; null is NaN."""
    column: Any = found.column(name).combine_chunks().cast(pa.float64())
    return np.asarray(pc.fill_null(column, math.nan).to_numpy(zero_copy_only=False), dtype=np.float64)


def coded(found: Table, name: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """A column of texts as codes into the texts; null counts as the empty text."""
    column: Any = pc.fill_null(found.column(name).cast(pa.string()), "").combine_chunks()
    whole: Any = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    encoded: Any = whole.dictionary_encode()
    names = tuple(str(text) for text in encoded.dictionary.to_pylist()) or ("",)
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int32), names


def _streamed(reader: Reader, name: str) -> Table | None:
    batches: list[Any] = []
    try:
        source: Any = pa.OSFile(str(reader.root / name), "rb")
        with source:
            stream: Any = pa.ipc.open_stream(source)
            try:
                batches.extend(stream)
            except _UNREADABLE as error:
                reader.note(name, f"ends in the middle of a row: {_short(error)}")
            return pa.Table.from_batches(batches, stream.schema)
    except _UNREADABLE as error:
        reader.note(name, f"cannot be read: {_short(error)}")
        return None


def _short(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200] or type(error).__name__
