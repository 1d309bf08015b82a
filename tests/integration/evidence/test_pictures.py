"""The pictures in the documents, made from the pages as they are: `pytest THIS --pictures docs/images` keeps them."""

import struct
from pathlib import Path

import pytest
import staged
from browser import View
from pictures import MOST_BYTES, PICTURES

_MARGIN = 16
_BOX = """(() => {{
  const [first, last] = [{first!r}, {last!r}].map(name => document.querySelector(name).getBoundingClientRect());
  return [first.top + scrollY, last.bottom + scrollY];
}})()"""
_WORDS = """(() => {{
  const shown = [...document.querySelectorAll("body *")].filter(each => {{
    const box = each.getBoundingClientRect();
    return box.height > 0 && box.top + scrollY >= {top} - 1 && box.bottom + scrollY <= {bottom} + 1;
  }});
  return shown.map(each => each.textContent.replace(/\\s+/g, " ")).join(" | ");
}})()"""


@pytest.mark.parametrize("picture", PICTURES, ids=lambda each: each.name)
def test_a_picture_shows_what_it_is_for_and_is_small(browser, tmp_path, request, picture):
    page = browser.open(staged.write(tmp_path, picture.page))
    page.show(View(width=picture.width))
    top, bottom = page.evaluate(_BOX.format(first=picture.first, last=picture.last))

    image = page.picture(0, max(top - _MARGIN, 0), picture.width, bottom - top + 2 * _MARGIN)

    words = page.evaluate(_WORDS.format(top=top, bottom=bottom))
    assert [each for each in picture.shows if each not in words] == []
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">I", image[16:20])[0] == picture.width
    assert 10_000 < len(image) < MOST_BYTES, "a picture, and not a large one"
    kept = request.config.getoption("--pictures", default=None)
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        (Path(kept) / picture.name).write_bytes(image)
