"""Numbers of bytes, as people write and read them."""

from __future__ import annotations

import pytest

from drillbook.domain import byte_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("2MiB", 2 * 2**20), (" 1.5 GiB ", 1.5 * 2**30), ("3 TB", 3e12), ("1kB", None), ("-1MiB", None),
     ("10", None), ("5iB", None), ("1e3MiB", None), ("٣MiB", None)],
)  # fmt: skip
def test_a_number_of_bytes_has_a_unit(text, size):
    if size is None:
        with pytest.raises(ValueError, match="looks like 500GiB"):
            byte_size.parsed(text)
    else:
        assert byte_size.parsed(text) == size


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1.02e+03 B"), (1536, "1.5 KiB"), (2**31, "2 GiB"), (2**62, "4.1e+03 PiB")]
)
def test_it_is_told_in_its_largest_unit(size, text):
    assert byte_size.told(size) == text
