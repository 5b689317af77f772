"""Reports: numbers with their n and intervals, as JSON first. The same JSON renders as a self-contained page, compares with
another report, and gates a release.

A report's `sections` are plain dicts that the page draws. Each has a ``kind``, a ``title`` and maybe a ``note``:

* ``text``: ``text``, paragraphs.
* ``numbers``: ``numbers`` by name, maybe ``intervals`` and ``n``, as tiles.
* ``table``: ``columns`` (names) and ``rows`` of text, numbers, booleans or None.
* ``matrix``: ``values`` (rows of numbers), ``rows`` and ``columns`` (names), or ``names`` for both. ``confusion``: shade by the
  share of the row, the diagonal in another color; true by itself for counts or shares with the same names on both sides.
* ``lines``: ``series`` of ``name``, ``x``, ``y`` and maybe ``low`` and ``high`` (a band), ``dash``, ``marks``; ``log`` and
  ``xlog`` for logarithmic axes, ``x_range``, ``y_range``; ``diagonal``: true draws y = x.
* ``scatter``: the same, with points (``labels`` name them). A single series may stand in the section itself.
* ``bars``: ``labels`` and ``values``, maybe ``low`` and ``high``; or ``labels`` and ``series`` of ``name``, ``values``,
  ``low``, ``high``. ``upright``: true stands them up, as happens by itself when the labels are numbers (a histogram).
* ``gallery``: ``items`` of ``image`` (a ``data:`` URI, see `vidi.report.pictures.encode`, or a file), ``caption``, ``note`` and
  maybe ``mark`` (``good`` or ``bad``).

Charts have ``xlabel`` and ``ylabel``, and share a row with a neighbor where there is room, unless ``wide`` is true. Any other
kind is shown as JSON.
"""

from vidi.report.report import Report

__all__ = ["Report"]
