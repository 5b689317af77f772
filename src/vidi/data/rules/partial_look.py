"""What the doctor did not look at."""

from vidi.data.rules._base import about_all

SEVERITY = "note"
MEANING = "Not everything was looked at: pictures were left out by a limit, or near duplicates were searched by hash because there are too many to compare each with each."
FIX = "Run `vidi doctor` without a limit where the answer matters."


def check(dataset, looks):
    if looks.partial:
        count = int(looks.asked.sum())
        yield about_all(dataset, f"looked at {count} of {len(dataset)} pictures, evenly spread", value=count)
    if looks.near is not None and not looks.near.exhaustive:
        yield about_all(dataset, "near duplicates were searched by shared parts of a hash; a few may be missed", value=len(looks.rows))
    if looks.near is None and len(looks.rows) > 1:
        yield about_all(dataset, "near duplicates were not searched for")
