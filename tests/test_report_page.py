"""The HTML page: self-contained, escaped, and drawing every kind of section."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from vidi.report import Report
from vidi.report._svg import log_ticks, nice_ticks
from vidi.report.pictures import encode, grid, save_png
from vidi.report.plots import curves_png

EVIL = '<img src="http://evil.example/x.png" onerror=alert(1)>\n\u202egnp.exe'
PICTURE = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


class Page(HTMLParser):
    """Collects tags and attributes, and checks that tags close in order."""

    VOID = frozenset({"meta", "img", "br", "wbr"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.attributes, self.text = [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def sections(name):
    """One of every kind, with a name that wants to break out."""
    x = [0, 1, 2, 3]
    return [
        {"kind": "text", "title": name, "text": f"{name}\n\nsecond", "note": name},
        {"kind": "numbers", "title": "tiles", "numbers": {name: 0.5, "none": None}, "intervals": {name: [0.4, 0.6]}, "n": {name: 12}},
        {"kind": "table", "title": "table", "columns": [name, "v"], "rows": [[name, 1.5], [None, None], [{"a": name}, 3]]},
        {"kind": "table", "title": "empty table", "columns": ["a"], "rows": []},
        {"kind": "matrix", "title": "confusion", "names": [name, "b"], "values": [[3, 1], [0, None]], "confusion": True, "xlabel": name, "ylabel": name},
        {"kind": "matrix", "title": "values", "rows": [name], "columns": ["a", "b"], "values": [[0.5, -1.0]]},
        {"kind": "lines", "title": "lines", "xlabel": name, "ylabel": name, "series": [{"name": name, "x": x, "y": [1, None, 3, 2], "low": x, "high": x}, {"y": [1, 2]}]},
        {"kind": "lines", "title": "log", "xlog": True, "log": True, "series": [{"x": [0, 1, 10], "y": [1, -1, 1e5]}]},
        {"kind": "lines", "title": "none", "series": []},
        {"kind": "scatter", "title": "points", "diagonal": True, "series": [{"name": name, "x": x, "y": x, "labels": [name]}]},
        {"kind": "scatter", "title": "one", "x": [1, 2], "y": [2, None], "xlabel": "true"},
        {"kind": "bars", "title": "bars", "labels": [name, "b"], "values": [0.5, None], "low": [0.4, None], "high": [0.6, None]},
        {"kind": "bars", "title": "groups", "labels": ["a", "b"], "series": [{"name": name, "values": [1, -2]}, {"name": "o", "values": [2, 0]}]},
        {"kind": "bars", "title": "upright", "upright": True, "labels": [name, "b"], "values": [3, 0], "xlabel": "x", "ylabel": "y"},
        {"kind": "bars", "title": "no bars", "labels": [], "values": []},
        {"kind": "bars", "title": "histogram", "labels": [f"0.{i}–0.{i + 1}" for i in range(8)], "values": list(range(8)), "low": [], "high": []},
        {"kind": "gallery", "title": "pictures", "items": [{"image": encode(PICTURE), "caption": name, "note": name, "mark": "bad"}, {"image": name}]},
        {"kind": "gallery", "title": "no pictures", "items": []},
    ]  # fmt: skip


def page(tmp_path, report):
    return report.html(tmp_path / "page.html").read_text(encoding="utf-8")


def test_every_kind_is_drawn(tmp_path):
    text = page(tmp_path, Report("val", {"accuracy": 0.5}, sections=sections("plain")))
    parsed = Page(text)
    assert "could not be drawn" not in text and "<pre>" not in text
    assert parsed.tags.count("section") == len(sections("plain")) and parsed.tags.count("svg") == 12 + 1
    assert "nan" not in text.lower().replace("nano", "") and "None" not in parsed.text


def test_page_refers_to_nothing_outside(tmp_path):
    text = page(tmp_path, Report("val", {"accuracy": 0.5}, {"title": EVIL}, sections=sections(EVIL)))
    parsed = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "a", "use", "image", "style2"} & set(parsed.tags)
    for tag, key, value in parsed.attributes:
        assert not key.startswith("on") and key not in ("href", "xlink:href", "action", "srcset")
        assert key != "src" or re.fullmatch(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+", value), (tag, value)
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "url(" not in style and "@import" not in style and "@font-face" not in style and "prefers-color-scheme:dark" in style
    assert "default-src 'none'" in text and not re.search(r"https?://(?!evil)", text)


def test_text_is_escaped_and_tricks_are_visible(tmp_path):
    report = Report(
        "val",
        {EVIL: 0.5},
        {"title": EVIL, "model": EVIL, EVIL: {EVIL: EVIL}, "list": [EVIL]},
        {EVIL: (0.4, 0.6)},
        {EVIL: 3},
        sections(EVIL),
    )
    text = page(tmp_path, report)
    assert '<img src="http' not in text and "\u202e" not in text and "&lt;img src" in text
    assert "\\u202egnp.exe" in Page(text).text
    assert text.count("<img ") == 1


def test_unknown_and_broken_sections_are_shown_not_lost(tmp_path):
    report = Report("val", sections=[
        {"kind": "hologram", "title": "new", "data": ["<b>", 7]},
        {"kind": "lines", "title": "bad", "series": [{"x": [1], "y": [1, 2]}]},
        {"kind": "matrix", "title": "ragged", "names": ["a", "b"], "values": [[1], [2, 3]]},
        {"kind": "table", "title": "short", "columns": ["a", "b"], "rows": [[1]]},
        {"kind": "bars", "title": "odd", "labels": ["a"], "values": [1, 2]},
        {"kind": "text", "title": "no text"},
        {"kind": "gallery", "title": "odd items", "items": ["x"]},
    ])  # fmt: skip
    text = page(tmp_path, report)
    assert text.count("could not be drawn") == 6 and "&lt;b&gt;" in text and text.count("<pre>") == 7
    Page(text)


def test_pictures_from_files_are_put_inside(tmp_path):
    save_png(np.zeros((500, 700, 3), np.uint8), tmp_path / "big.png")
    (tmp_path / "text.png").write_text("no picture")
    items = [{"image": str(tmp_path / "big.png")}, {"image": str(tmp_path / "gone.png")}, {"image": str(tmp_path / "text.png")}]
    items += [{"image": "data:text/html;base64,PHNjcmlwdD4="}, {"image": "https://example.org/x.png"}, {"image": None}, {}]
    text = page(tmp_path, Report("val", sections=[{"kind": "gallery", "title": "g", "items": items}]))
    assert text.count("<img ") == 1 and text.count('class="missing"') == 6
    assert max(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", text)[1]))).size) == 320


def test_charts_pair_up_and_rest_is_folded(tmp_path):
    bars = {"kind": "bars", "title": "b", "labels": ["a"], "values": [1]}
    text = page(
        tmp_path,
        Report("val", {f"m{i}": i / 20 for i in range(11)}, {"key_numbers": ["m3", "gone"]}, sections=[bars, bars, bars]),
    )
    assert re.findall(r'<section class="(\w+)"', text) == ["wide", "half", "half"]
    assert text.count('class="tile') - text.count('class="tiles') == 1 and "More numbers" in text


def test_long_series_are_thinned_but_keep_their_peak(tmp_path):
    values = [0.0] * 20001
    values[12345] = 99.0
    text = page(tmp_path, Report("val", sections=[{"kind": "lines", "title": "long", "series": [{"y": values}]}]))
    plot = re.search(r'<path d="([^"]+)"', text)[1]
    heights = [float(pair.split()[1]) for pair in re.findall(r"[\d.]+ [\d.]+", plot)]
    assert len(heights) < 1000 and min(heights) < max(heights) - 200


@pytest.mark.parametrize(
    "low, high", [(0, 1), (0.93, 0.957), (-3, 1234567), (1e-9, 3e-9), (5, 5), (0, 0), (-7, -7), (1e12, 1.1e12)]
)
@pytest.mark.parametrize("count", [2, 5, 9])
def test_ticks_are_round_and_cover(low, high, count):
    ticks = nice_ticks(low, high, count)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-9 * abs(step) and ticks[-1] >= high - 1e-9 * abs(step) and 2 <= len(ticks) <= count + 3
    np.testing.assert_allclose(np.diff(ticks), step, rtol=1e-6)
    digits = step / 10 ** np.floor(np.log10(step) + 1e-12)
    assert min(abs(digits - nice) for nice in (1, 2, 2.5, 5, 10)) < 1e-6


@pytest.mark.parametrize("low, high", [(1, 10), (0.1, 2.6), (3, 4), (7, 7), (1e-12, 1e9), (2e5, 2e7)])
def test_log_ticks_cover(low, high):
    ticks = log_ticks(low, high)
    assert ticks[0] <= low * 1.0001 and ticks[-1] >= high * 0.9999 and 2 <= len(ticks) <= 12 and ticks == sorted(ticks)


def opened(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_encode_keeps_small_pictures_exact_and_shrinks_large_ones():
    small = opened(encode(PICTURE))
    assert small.shape == (160, 160, 3) and np.array_equal(small[10::20, 10::20], PICTURE)
    assert opened(encode(np.zeros((40, 20), np.uint8))).ndim == 2
    large = encode(np.full((600, 300, 3), 200, np.uint8), 128)
    assert (
        large.startswith("data:image/jpeg")
        and opened(large).shape == (128, 64, 3)
        and abs(int(opened(large)[5, 5, 0]) - 200) < 4
    )
    for bad in (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), float), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            encode(bad)


def test_grid_places_pictures_of_any_size():
    assert grid([]).dtype == np.uint8
    colors = [
        np.full((h, w, 3), v, np.uint8) for h, w, v in [(100, 100, 10), (50, 100, 60), (8, 8, 120), (300, 40, 180), (1, 1, 220)]
    ]
    sheet = grid(colors, columns=3, cell=100, gap=6)
    assert sheet.shape == (2 * 106 + 6, 3 * 106 + 6, 3)
    for place, value in enumerate((10, 60, 120, 180, 220)):
        assert sheet[6 + place // 3 * 106 + 50, 6 + place % 3 * 106 + 50].tolist() == [value] * 3
    assert (sheet[-20:, -20:] == 255).all()
    captioned = grid(colors, captions=["a", "a very long caption that cannot fit into the cell\u202e"], cell=100)
    assert captioned.shape[0] > grid(colors, cell=100).shape[0]
    assert grid([np.zeros((10, 10), np.uint8)], columns=9).shape == (90 + 12, 96 + 12, 3)


def test_curves_png(tmp_path):
    rows = [
        {
            "epoch": e,
            "train_loss": 1 / (e + 1),
            "val_loss": None if e == 2 else 1.2 / (e + 1),
            "accuracy": f"{e / 10}",
            "lr": 0.1,
            "note": "x",
        }
        for e in range(5)
    ]
    rows.append({"epoch": 5, "train_loss": float("nan"), "odd$name": 1})
    shape = np.asarray(Image.open(curves_png(rows, tmp_path / "results.png"))).shape
    assert shape[0] > 300 and shape[1] > 900
    for few in ([], [{"epoch": 0}], [{"loss": 1.0}]):
        assert curves_png(few, tmp_path / "few.png").stat().st_size > 500
