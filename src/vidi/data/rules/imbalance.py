"""Classes of very unequal size."""

from vidi.data.rules._base import about_all, class_counts, unit

SEVERITY = "warning"
MEANING = "The largest class has more than 10 times as many samples (or boxes) as the smallest, so accuracy says little."
FIX = "Judge by macro F1 or per-class recall, and try balance=sqrt or balance=equal."
LIMIT = 10


def ratio(dataset):
    """Largest over smallest count of the classes that occur; None with fewer than two."""
    counts = class_counts(dataset)
    counts = counts[counts > 0] if counts is not None else ()
    return float(counts.max() / counts.min()) if len(counts) > 1 else None


def check(dataset, looks):
    found = ratio(dataset)
    if found is not None and found > LIMIT:
        counts, names = class_counts(dataset), dataset.space.names
        least = min((count, index) for index, count in enumerate(counts.tolist()) if count > 0)[1]
        most = int(counts.argmax())
        message = f"class {names[most]} has {counts[most]} {unit(dataset)}, class {names[least]} has {counts[least]}"
        fix = "Judge by the numbers of each class, and try repeating pictures of rare classes or pasting rare things into others."
        yield about_all(dataset, message, value=round(found, 1), fix=fix if unit(dataset) == "boxes" else "")
