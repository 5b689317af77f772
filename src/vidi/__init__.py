"""vidi: from a folder of pictures to a vision model you can trust.

The public names are loaded on first use, so that ``import vidi`` is cheap and never imports torch. Every verb of the
command line is a function here: ``vidi.train(...)`` is ``vidi train``.
"""

from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"

_VERBS = tuple(sorted(path.stem for path in (Path(__file__).parent / "verbs").glob("[a-z]*.py")))
_NAMES = {
    "Dataset": "vidi.core.dataset",
    "Sample": "vidi.core.dataset",
    "Model": "vidi.model",
    "Report": "vidi.report",
    "Net": "vidi.core.net",
    "VidiError": "vidi.errors",
    "load": "vidi.model",
    "read": "vidi.data",
} | {verb: f"vidi.verbs.{verb}" for verb in _VERBS}

__all__ = ["__version__", *_NAMES]


def __getattr__(name: str):
    if name not in _NAMES:
        raise AttributeError(f"module 'vidi' has no attribute {name!r}")
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
