"""The same picture twice in one split."""

from vidi.data.rules import label_conflicts
from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "The picture has the very same pixels as an earlier one of the same split."
FIX = "Keep one of them."


def check(dataset, looks):
    for group in looks.identical:
        if label_conflicts.disagree(dataset, group):
            continue
        first: dict[str, int] = {}
        for row in group:
            kept = first.setdefault(looks.splits[row], row)
            if kept == row or dataset[kept].id == dataset[row].id:
                continue
            same_file = looks.content[row] is not None and looks.content[row] == looks.content[kept]
            message = f"{'the same file' if same_file else 'the same pixels'} as {dataset[kept].id}"
            yield about_sample(dataset, row, message, drop=True, related=[kept])
