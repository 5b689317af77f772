"""Pictures over the limits."""

from vidi.data.rules._base import about_sample
from vidi.errors import ResourceError

SEVERITY = "error"
MEANING = "The picture has more pixels or bytes than vidi decodes, told by its header; nothing of it is decoded."
FIX = "Scale the picture down or cut it into tiles."


def check(dataset, looks):
    for row, error in sorted(looks.errors.items()):
        if isinstance(error, ResourceError):
            yield about_sample(dataset, row, error.rule, value=error.value, drop=True, fix=error.fix or "")
