"""What all pages have in common: templates, the words of their filters, style sheets."""

from __future__ import annotations

import math
import re
from functools import cache
from importlib.resources import files
from typing import Any, cast
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from drillbook.domain.traffic import Origin
from drillbook.domain.verdict import Verdict
from drillbook.domain.wording import duration, moment, quantity, span, visible
from drillbook.evidence.reading import text_of

SYMBOLS = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.INCONCLUSIVE: "?"}
_KIBIBYTE = 1024


@cache
def style(*names: str) -> Markup:
    """Our own style sheets, one after the other."""
    folder = files("drillbook.evidence") / "templates"
    return Markup("\n".join((folder / name).read_text(encoding="utf-8") for name in names))  # noqa: S704 -- our own


@cache
def templates() -> Environment:
    """Templates that escape, refuse what is not defined, and show whatever hides itself."""
    environment = Environment(
        loader=PackageLoader("drillbook.evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    cast("dict[str, Any]", environment.filters).update(
        duration=_duration, moment=moment, offset=_offset, as_json=_as_json, href=_href, size=_size, symbol=_symbol,
        origin=told_origin, seconds=_seconds, slug=_slug, content=_content,
    )  # fmt: skip
    cast("dict[str, Any]", environment.globals).update(quantity=quantity, span=span, Verdict=Verdict)
    return environment


def _finalize(value: Any) -> Any:
    """Whatever is shown shows itself; what we drew is drawn."""
    return value if isinstance(value, Markup | int | float) else visible(str(value))


def _duration(seconds: float | None) -> str:
    return "unknown" if seconds is None else duration(seconds)


def _offset(t_s: float, zero_s: float) -> str:
    return f"{t_s - zero_s:+.2f} s"


def _as_json(value: object) -> str:
    return text_of(value, limit=600)


def _href(path: str) -> str:
    return quote(path, errors="replace")


def _symbol(verdict: Verdict) -> str:
    return SYMBOLS[verdict]


def _content(text: str) -> Markup:
    """Text between tags, where quotation marks are none of HTML's business: JSON is half as long without `&#34;`."""
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(escaped)  # noqa: S704 -- whatever could begin or end markup was just escaped


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")


def _seconds(value: float) -> str:
    return "none" if math.isnan(value) else quantity(value, "s")


def told_origin(origin: Origin) -> str:
    """Who answered, in words."""
    if origin == Origin():
        return "no answer"
    return " · ".join(part for part in (origin.version or "version unknown", origin.slot) if part)


def _size(value: int) -> str:
    if value < _KIBIBYTE:
        return f"{value} B"
    return f"{value / _KIBIBYTE:.1f} KiB" if value < _KIBIBYTE**2 else f"{value / _KIBIBYTE**2:.1f} MiB"
