"""Reports: numbers with their n and intervals, as JSON first; the same JSON renders as a page, compares with another, and gates a release.

A report's `sections` are plain dicts that the page draws. Each has a ``kind``, a ``title`` and maybe a ``note``:

* ``text``: ``text``, paragraphs.
* ``numbers``: ``numbers`` by name, maybe ``intervals`` and ``n``, as tiles.
* ``table``: ``columns`` (names) and ``rows`` of text, numbers, booleans or None.
* ``matrix``: ``values`` (rows of numbers), ``rows`` and ``columns`` (names), or ``names`` for both; ``x`` and ``y`` say what they are.
  ``confusion``: true shades by share of the row, the diagonal in another color.
* ``lines``: ``series`` of ``name``, ``x``, ``y`` and maybe ``low`` and ``high`` (a band), ``dash``, ``marks``; ``x`` and ``y`` name the axes;
  ``x_log``, ``y_log``, ``x_range``, ``y_range``; ``diagonal``: true draws y = x.
* ``scatter``: the same, with points (a series' ``labels`` name its points).
* ``bars``: ``names`` and ``values``, maybe ``low`` and ``high``; or ``series`` of ``name`` and ``values``; ``x`` names the values; ``upright``: true for histograms.
* ``gallery``: ``items`` of ``image`` (a ``data:`` URI or a file), ``caption``, ``note`` and maybe ``mark`` (``good`` or ``bad``).

Any other kind is shown as JSON.
"""

from vidi.report.report import Report

__all__ = ["Report"]
