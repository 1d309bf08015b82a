"""Contrast in the plots, of which axe-core sees nothing: WCAG 2.2, 1.4.3 for text and 1.4.11 for shapes."""

import re
from importlib.resources import files

import pytest

SHEET = (files("drillbook.evidence") / "templates" / "style.css").read_text(encoding="utf-8")
TEXT, SHAPE = 4.5, 3.0
GROUNDS = ("paper", "panel")
ON_GROUNDS = [
    *[(name, ground, TEXT) for name in ("ink", "soft", "pass", "fail", "unsure", "link") for ground in GROUNDS],
    *[(name, "paper", SHAPE) for name in ("blue", "green", "plum", "ochre", "slate", "fail")],
    *[(name, f"{name}-soft", TEXT) for name in ("pass", "fail", "unsure")],
    *[(name, "good-side", SHAPE) for name in ("pass", "fail", "unsure", "ink")],
    ("fail", "faint", SHAPE),
]
"""A colour, what it stands on in the templates, and the least ratio."""


def themes(sheet):
    """The colours of the light page, the dark one and of paper."""
    roots = re.findall(r"(@media[^{]*)?\s*\{?\s*:root\s*\{([^}]*)\}", sheet)
    found = [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]+)", body)) for _, body in roots]
    light = found[0]
    return {name: light | other for name, other in zip(("light", "dark", "print"), found, strict=True)}


def contrast(one, other):
    """The ratio of two colours' relative luminances, each with a twentieth for the light around."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_what_is_drawn_can_be_seen(theme):
    colours = themes(SHEET)[theme]

    assert [
        f"{name} on {ground}: {contrast(colours[name], colours[ground]):.2f}"
        for name, ground, least in ON_GROUNDS
        if contrast(colours[name], colours[ground]) < least
    ] == []


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000", "#fff", 21.0), ("#777777", "#ffffff", 4.48), ("#767676", "#ffffff", 4.54), ("#fff", "#fff", 1.0)],
)
def test_ratios_are_those_of_the_guideline(one, other, ratio):
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)
