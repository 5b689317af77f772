"""Samples with the same name."""

from vidi.data.rules._base import about_sample

SEVERITY = "error"
MEANING = "Two samples have the same id: the same file is listed twice, or two different things cannot be told apart."
FIX = "List each picture once and give every sample its own id."


def check(dataset, looks):
    first: dict[str, int] = {}
    for row, sample in enumerate(dataset):
        kept = first.setdefault(sample.id, row)
        if kept != row:
            before = dataset[kept]
            where = f"line {before.line}" if before.line is not None else f"sample {kept}"
            yield about_sample(dataset, row, f"the same id as {where}", value=sample.id, drop=True, related=[kept], listing=True)
