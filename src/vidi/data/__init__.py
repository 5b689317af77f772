"""Data sets: readers and writers, splits, sources for prediction, the doctor, the loader and built-in samples."""

from vidi.data.read import read

__all__ = ["read"]
