"""Names that some systems cannot tell apart."""

import unicodedata

from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "Two names differ only in capitals or in the way accents are encoded: on Windows and macOS one would overwrite the other."
FIX = "Rename one of them."


def check(dataset, looks):
    first: dict[str, int] = {}
    for row, sample in enumerate(dataset):
        key = sample.id.lower() if sample.id.isascii() else unicodedata.normalize("NFC", sample.id).casefold()
        kept = first.setdefault(key, row)
        if dataset[kept].id != sample.id:
            yield about_sample(dataset, row, f"differs from {dataset[kept].id} only in case or encoding", value=sample.id, related=[kept])
