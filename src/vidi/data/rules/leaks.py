"""The same or almost the same picture in two splits."""

from collections import defaultdict

from vidi.data.rules._base import SPLIT_RANK, about_sample

SEVERITY = "warning"
MEANING = "A copy of the picture (the same, encoded again, resized or flipped) is in another split, so scores on that split look too good."
FIX = "Remove the copy from the training split."


def pairs(looks):
    """Pairs of rows across splits: the one that should go, the one that stays, and how they are alike."""
    for group in looks.identical:
        first: dict[str, int] = {}
        for row in group:
            first.setdefault(looks.splits[row], row)
        stays = max(first, key=lambda split: (SPLIT_RANK.get(split, 0), -first[split]))
        yield from ((row, first[stays], "the same pixels") for row in group if looks.splits[row] != stays)
    if looks.near is None:
        return
    for a, b, flipped in zip(looks.near.first.tolist(), looks.near.second.tolist(), looks.near.flipped.tolist()):
        if looks.splits[a] != looks.splits[b]:
            how = "nearly the same (flipped)" if flipped else "nearly the same"
            yield (b, a, how) if SPLIT_RANK.get(looks.splits[a], 0) >= SPLIT_RANK.get(looks.splits[b], 0) else (a, b, how)


def check(dataset, looks):
    copies = defaultdict(list)
    for goes, stays, how in pairs(looks):
        copies[goes].append((stays, how))
    for row, others in sorted(copies.items()):
        stays, how = others[0]
        message = f"{how} as {dataset[stays].id} of split {looks.splits[stays] or 'none'}"
        yield about_sample(
            dataset, row, message, at=f"split {looks.splits[row] or 'none'}", drop=True, related=[other for other, _ in others]
        )
