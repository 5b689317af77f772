"""How many insertions, deletions and substitutions lie between two sequences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Levenshtein distance of two strings or lists of words, by Myers' bit-vectors (J. ACM 1999; Hyyrö 2003).

    One machine-word operation of Python's long integers handles a whole column, so a page against a page takes milliseconds.
    """
    if len(a) < len(b):
        a, b = b, a
    if len(b) == 0:
        return len(a)
    places: dict[Hashable, int] = {}
    for index, symbol in enumerate(a):
        places[symbol] = places.get(symbol, 0) | (1 << index)
    full, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, score = full, 0, len(a)
    for symbol in b:
        equal = places.get(symbol, 0)
        vertical = equal | falls
        horizontal = (((equal & rises) + rises) ^ rises) | equal
        up = (falls | ~(horizontal | rises)) & full
        down = rises & horizontal
        score += bool(up & last) - bool(down & last)
        up, down = ((up << 1) | 1) & full, (down << 1) & full
        rises, falls = (down | ~(vertical | up)) & full, up & vertical
    return score


def similarity(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """One minus the edit distance over the longer length, 0..1; two empty sequences are the same (1.0)."""
    longest = max(len(a), len(b))
    return 1.0 if longest == 0 else 1 - edit_distance(a, b) / longest
