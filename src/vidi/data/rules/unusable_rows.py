"""What the reader could not use."""

from vidi.data.rules._base import Finding

SEVERITY = "error"
MEANING = "A row, file or label could not be read as a sample: it names no picture, leads outside the data's folder, or its cells cannot be understood."
FIX = "Correct or remove the row."


def check(dataset, looks):
    for fault in looks.faults:
        at = None if fault.at is None else str(fault.at)
        value = fault.value if fault.value is None or isinstance(fault.value, (int, float)) else str(fault.value)
        file = str(fault.file) if fault.file is not None else str(dataset.root) if dataset.root else None
        yield Finding(fault.rule, file=file, at=at, value=value, fix=fault.fix or "")
