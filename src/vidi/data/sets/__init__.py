"""Named real data sets, one per file, obtained on request: ``vidi samples get NAME``.

A file defines ``MEANING``, ``LICENCE``, ``SOURCE``, ``CITE``, ``SIZE`` (number of pictures) and ``get(folder)``, which writes the set
in a format that `vidi.data.read` reads. Nothing is downloaded and no program is started except by ``get``.
"""
