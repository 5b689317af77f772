"""What can be wrong with a data set, one rule per file.

A rule is a file with ``SEVERITY`` (``error``, ``warning`` or ``note``), ``MEANING`` and ``FIX`` (one sentence each) and
``check(dataset, looks)``, which yields a `Finding` per fault. Errors refuse training. Rules only read what `Looks` saw.
"""

from vidi.data.rules._base import Finding, about_all, about_sample

__all__ = ["Finding", "about_all", "about_sample"]
