"""Pictures that cannot be decoded."""

from vidi.data.rules._base import about_sample
from vidi.errors import ResourceError

SEVERITY = "error"
MEANING = "The picture is missing, empty, truncated, corrupt, or no picture at all; the whole file is decoded to find out."
FIX = "Replace the picture or remove it."


def check(dataset, looks):
    for row, error in sorted(looks.errors.items()):
        if not isinstance(error, ResourceError):
            yield about_sample(dataset, row, error.rule, value=error.value, drop=True, fix=error.fix or "")
