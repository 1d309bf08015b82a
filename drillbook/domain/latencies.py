"""Latencies as HDR histograms of three significant digits, which can be sent, kept and added up without loss.

Format: HdrHistogram's compressed V2 encoding in base64 (github.com/HdrHistogram/HdrHistogram_py), values in
microseconds from 1 us to one hour. A value read back is known to lie between two bounds that differ by at most 0.1 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hdrh.histogram import HdrHistogram

from drillbook.domain.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drillbook.domain.requests import Floats

DIGITS = 3
_HIGHEST_US = 3600 * 10**6
_US = 1e6


@dataclass(frozen=True, slots=True)
class Latencies:
    """How often each latency was seen.

    Attributes:
        encoded: As the module says; two of the same latencies need not be the same text.
        count: How many there are.
    """

    encoded: str
    count: int

    @classmethod
    def of(cls, seconds: Floats) -> Latencies:
        """Of these, which are finite and not negative.

        Raises:
            ValueError: When one is not, or is above an hour.
        """
        histogram = _empty()
        values, counts = np.unique(np.rint(seconds * _US).astype(np.int64), return_counts=True)
        for value, count in zip(values, counts, strict=True):
            if not 0 <= value <= _HIGHEST_US or not histogram.record_value(int(value), int(count)):
                msg = f"a latency lies from 0 to {_HIGHEST_US / _US:g} s, and got {value / _US:g} s"
                raise ValueError(msg)
        return cls._from(histogram)

    @classmethod
    def decoded(cls, encoded: str) -> Latencies:
        """From its text.

        Raises:
            ValueError: When it is none.
        """
        return cls(encoded, int(_decoded(encoded).get_total_count()))

    @classmethod
    def merged(cls, parts: Iterable[Latencies]) -> Latencies:
        """Of all parts together: bucket by bucket, so that nothing is lost."""
        whole = _empty()
        for part in parts:
            whole.add(_decoded(part.encoded))
        return cls._from(whole)

    @classmethod
    def _from(cls, histogram: Any) -> Latencies:
        return cls(histogram.encode().decode("ascii"), int(histogram.get_total_count()))

    def ranked(self, rank: int) -> Interval:
        """Bounds of the latency of a rank (1 is the shortest), in seconds; infinite past the last."""
        if rank > self.count:
            return Interval.exactly(math.inf)
        histogram = _decoded(self.encoded)
        value = histogram.get_value_at_percentile(100.0 * rank / self.count)
        low, high = histogram.get_lowest_equivalent_value(value), histogram.get_highest_equivalent_value(value)
        return Interval(low / _US, high / _US)


def _empty() -> Any:
    return HdrHistogram(1, _HIGHEST_US, DIGITS)


def _decoded(encoded: str) -> Any:
    try:
        histogram: Any = HdrHistogram.decode(encoded)
    except Exception as error:  # the library raises its own, zlib's and struct's errors
        msg = f"this is no HDR histogram: {type(error).__name__}: {error}"
        raise ValueError(msg) from error
    return histogram
