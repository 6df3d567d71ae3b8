"""Colours, from the style sheet: every text and line is seen on what it stands on, and the ramp reads in grey."""

import re
from itertools import pairwise

import pytest
from weir.web.console.words import FOLDER

CSS = (FOLDER / "static" / "console.css").read_text()
LIGHT, DARK = re.findall(r":root(?:\[data-theme=\"dark\"\])? \{\n(.*?)\n\}", CSS, re.DOTALL)[:2]
THEMES = {
    name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text)) for name, text in (("light", LIGHT), ("dark", DARK))
}
GROUNDS = ("bg", "surface", "sunken", "hover")
TEXTS = ("ink", "ink-2", "ink-3", "accent-ink", "ok-ink", "warn-ink", "alarm-ink")
ON_SOFT = (("ok-ink", "ok-soft"), ("warn-ink", "warn-soft"), ("alarm-ink", "alarm-soft"), ("accent-ink", "accent-soft"))
LINES = ("s1", "s2", "s3", "s4", "s5", "base", "ctl", "focus")
RAMP = tuple(f"q{step}" for step in range(6))


def luminance(colour):
    """Relative, from 0 to 1. Source: WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_text_is_read_on_every_ground(theme):
    of = THEMES[theme]
    low = {(text, ground): contrast(of[text], of[ground]) for text in TEXTS for ground in GROUNDS}
    low |= {pair: contrast(of[pair[0]], of[pair[1]]) for pair in ON_SOFT}
    assert {pair: round(found, 2) for pair, found in low.items() if found < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_lines_and_borders_are_seen(theme):
    of = THEMES[theme]
    assert {name: round(found, 2) for name in LINES if (found := contrast(of[name], of["surface"])) < 3} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_the_ramp_goes_one_way_in_lightness(theme):
    steps = [luminance(THEMES[theme][name]) for name in RAMP]
    assert steps == sorted(steps, reverse=theme == "light")
    assert all(abs(one - other) > 0.01 for one, other in pairwise(steps))


def test_no_text_is_smaller_than_twelve_pixels_but_under_the_icons_of_a_phone():
    sizes = re.findall(r"([^{}\n]+) \{[^{}]*font-size: ([\d.]+)px", CSS)
    small = {selector.strip() for selector, size in sizes if float(size) < 12}
    assert small <= {".rail li a", ".heat .tag", ".heat .tag small"} | {one for one in small if "rail" in one}, small


def test_the_page_is_for_paper_few_colours_little_motion_and_more_contrast_too():
    for wish in ("prefers-reduced-motion", "prefers-contrast: more", "forced-colors: active", "print"):
        assert f"@media ({wish}" in CSS or f"@media {wish}" in CSS, wish
