"""Tables on disk that survive a killed load: an Arrow stream while it runs, Parquet once it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow  # noqa: ICN001 - `pa` is its untyped alias below
import pyarrow.parquet as parquet_of_arrow

if TYPE_CHECKING:
    from pathlib import Path

pa: Any = pyarrow  # it has no type stubs
pq: Any = parquet_of_arrow
_F8, _TEXT, _I2, _I4, _BOOL = pa.float64(), pa.string(), pa.int16(), pa.int32(), pa.bool_()

REQUESTS = pa.schema(
    [
        ("due_s", _F8),
        ("sent_s", _F8),
        ("done_s", _F8),
        ("outcome", _TEXT),
        ("status", _I2),
        ("connection", _TEXT),
        ("fresh", _BOOL),
        ("kind", _TEXT),
        ("operation", _TEXT),
        ("region", _TEXT),
        ("slot", _TEXT),
        ("version", _TEXT),
        ("error", _TEXT),
    ]
)
STALLS = pa.schema([("start_s", _F8), ("end_s", _F8), ("seen_by", _TEXT)])
LEDGER = pa.schema(
    [
        ("key", _TEXT),
        ("due_s", _F8),
        ("sent_s", _F8),
        ("done_s", _F8),
        ("state", _TEXT),
        ("version", _TEXT),
        ("slot", _TEXT),
        ("region", _TEXT),
    ]
)
READBACK = pa.schema(
    [("key", _TEXT), ("found", _BOOL), ("copies", _I4), ("equal", _BOOL), ("checked_s", _F8), ("error", _TEXT)]
)


class Columns:
    """One table.

    Rows wait in memory until `flush`, which appends them to `NAME.arrows`: an Arrow IPC stream, readable up to its last
    flush whatever happens to this process. `finish` turns it into `NAME.parquet` and removes the stream.
    """

    def __init__(self, folder: Path, name: str, schema: Any) -> None:
        """Creates the stream, with no rows in it."""
        self._stream = folder / f"{name}.arrows"
        self._parquet = folder / f"{name}.parquet"
        self._schema = schema
        self._pending: list[tuple[Any, ...]] = []
        self.add = self._pending.append
        self._sink = pa.OSFile(str(self._stream), "wb")
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def flush(self) -> None:
        """Hand the waiting rows to the operating system."""
        rows = self._pending[:]
        if not rows:
            return
        del self._pending[: len(rows)]  # a native thread may have added one since
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, kind.type) for column, kind in zip(columns, self._schema, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._sink.flush()

    def finish(self) -> None:
        """Write the Parquet file, whole or not at all."""
        self.flush()
        self._writer.close()
        self._sink.close()
        partial = self._parquet.with_suffix(".partial")
        with pa.memory_map(str(self._stream)) as source, pa.ipc.open_stream(source) as stream:
            pq.write_table(stream.read_all(), partial, compression="zstd")
        partial.replace(self._parquet)
        self._stream.unlink()
