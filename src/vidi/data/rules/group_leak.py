"""A group that is in several splits."""

from collections import defaultdict

from vidi.data.rules._base import about_all

SEVERITY = "warning"
MEANING = "Samples of one group (a patient, a video) are in several splits, so scores look too good."
FIX = "Keep each group in one split."


def check(dataset, looks):
    groups = defaultdict(lambda: defaultdict(list))
    for row, sample in enumerate(dataset):
        if sample.group is not None and sample.split:
            groups[sample.group][sample.split].append(row)
    for name, splits in sorted(groups.items()):
        if len(splits) > 1:
            counts = ", ".join(f"{split} {len(rows)}" for split, rows in sorted(splits.items()))
            yield about_all(dataset, f"group {name} is in {len(splits)} splits", at=f"group {name}", value=counts, related=[rows[0] for rows in splits.values()])
