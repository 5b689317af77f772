"""Almost the same picture twice in one split."""

from collections import defaultdict

from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "The picture is an earlier one encoded again, resized or flipped; where no split is given yet, such pairs would leak across it."
FIX = "Keep one of them, or give both the same group so that they stay in one split."


def check(dataset, looks):
    near = looks.near
    if near is None:
        return
    partners = defaultdict(list)
    for first, second, score, flipped in zip(near.first.tolist(), near.second.tolist(), near.score.tolist(), near.flipped.tolist()):
        if looks.splits[first] == looks.splits[second]:
            partners[second].append((first, score, flipped))
    for row, pairs in sorted(partners.items()):
        _, score, flipped = max(pairs, key=lambda pair: pair[1])
        message = f"nearly the same as {dataset[pairs[0][0]].id}" + (", flipped" if flipped else "")
        severity = "note" if looks.splits[row] else ""
        yield about_sample(dataset, row, message, value=round(score, 4), related=[pair[0] for pair in pairs], severity=severity)
