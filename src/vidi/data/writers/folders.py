"""A folder per class, in folders of splits where there are any, and a data.yaml with the classes' order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from vidi.core.dataset import Dataset
from vidi.data.readers._scan import SPLITS
from vidi.data.writers._folder import by_split, expect, flat_names, new_folder, put_pictures, refuse, without_groups
from vidi.data.writers._yaml import write_yaml
from vidi.errors import DataError
from vidi.labels import Classification

MEANING = "a folder of pictures per class, in train, val and test folders; holds one class per picture"


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """The most probable class of each picture."""
    expect(dataset, "Classification", "folders")
    if dataset.space is None or not dataset.space.exclusive:
        raise DataError("folders hold one class per picture", value=dataset.name, fix="choose csv")
    splits = {sample.split for sample in dataset}
    for name in dataset.space.names:
        if name != name.strip() or name[:1] in (".", "_") or not name.isprintable() or "/" in name or (splits <= {None} and name.casefold() in SPLITS):
            raise DataError("this class name cannot be a folder's", value=repr(name), fix="choose csv, or rename the class")
    if None in splits and len(splits) > 1:
        raise DataError("some pictures have a split and others have none", value=dataset.name, fix="choose csv")
    lost: Counter[str] = Counter()
    samples = []
    for sample in dataset:
        label = sample.label
        if isinstance(label, Classification):
            hard = Classification.one_hot(label.top, len(dataset.space)) if label.top >= 0 else None
            lost["probabilities"] += hard is None or hard.to_dict() != label.to_dict()
            sample = replace(sample, label=hard)
        samples.append(sample)
    return without_groups(dataset.with_samples(samples), lost), +lost


def places(dataset: Dataset) -> list[str]:
    names = dataset.space.names if dataset.space is not None else ()
    classes = [names[sample.label.top] if isinstance(sample.label, Classification) else "" for sample in dataset]
    return flat_names(dataset.samples, [f"{split}/{name}".strip("/") for split, name in zip(by_split(dataset), classes)])


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, with copies of its pictures. Pictures without a label lie outside of the class folders.

    Args:
        lossy: write the most probable class where the labels say more.

    Raises:
        DataError: labels that are not one class per picture, or a class name that cannot be a folder's.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "folders")
    where = places(data)
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        write_yaml(target / "data.yaml", data, {split: split for split in ("train", "val", "test") if any(s.split == split for s in data)})
    return folder
