"""How the C library hands memory out."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of glibc's mallopt


def keep_freed_memory() -> bool:
    """Let this process keep the memory of freed arrays for the next ones, instead of giving it back at once.

    By default glibc maps every large array anew, and the system clears each of its pages at first touch; loops that make the
    same large arrays over and over then spend a third of their processor time on it. The process keeps its peak of memory
    until it ends. Call it before a long loop on the CPU.

    Returns:
        whether it was done; False on systems without glibc, where nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 1 << 30)) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1))
