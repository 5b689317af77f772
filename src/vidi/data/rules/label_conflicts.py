"""The same picture with different labels."""

from vidi.data.rules._base import about_sample
from vidi.data.rules.box_disagreement import plain

SEVERITY = "warning"
MEANING = "Pictures with the very same pixels bear different labels, and nobody can say which is right; a cleaned listing has neither."
FIX = "Look at the picture, keep the right label and remove the other copies."
SAME = 0.9


def describe(dataset, row):
    """A sample's label in a few words."""
    label, space = dataset[row].label, dataset.space
    names = space.names if space is not None else ()
    if label.family == "Classification" and (space is None or space.exclusive):
        return names[label.top] if 0 <= label.top < len(names) else "none"
    if label.family == "Classification":
        return "+".join(name for name, p in zip(names, label.probabilities) if p >= 0.5) or "no class"
    if label.family == "Regression":
        return " ".join(f"{value:g}" for value in label.values)
    return label.words(names) if label.family in ("Detections", "Segmentation") else label.family


def disagree(dataset, rows):
    """Whether the labels of samples (those that have one) differ; boxes, whether their number does or they agree by less than `SAME`; class
    maps, whether their size does or they agree by less."""
    labels = [dataset[row].label for row in rows if dataset[row].label is not None]
    if labels and all(label.family == "Detections" for label in labels):
        first = plain(labels[0])
        return any(len(label) != len(labels[0]) or first.agreement(plain(label)) < SAME for label in labels[1:])
    if labels and all(label.family == "Segmentation" for label in labels):
        return any(label.shape != labels[0].shape or labels[0].agreement(label) < SAME for label in labels[1:])
    return len({repr(label.to_dict()) for label in labels}) > 1


def check(dataset, looks):
    for group in looks.identical:
        labeled = [row for row in group if dataset[row].label is not None]
        if not disagree(dataset, labeled):
            continue
        words = list(dict.fromkeys(describe(dataset, row) for row in labeled))
        for row in labeled:
            others = [other for other in labeled if other != row]
            message = f"the same pixels are labeled {' and '.join(words[:5])}"
            yield about_sample(dataset, row, message, value=describe(dataset, row), drop=True, related=others, listing=True)
