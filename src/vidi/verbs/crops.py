"""Cut the things out of labeled pictures, to learn how each looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.core.dataset import Dataset


def crops(
    data: str | Dataset,
    *,
    by: str = "track",
    margin: float = 0.1,
    size: int = 256,
    least: float = 12.0,
    every: int = 5,
    fewest: int = 2,
    split: str | None = None,
    out: str | None = None,
) -> Dataset:
    """Cut the things out of labeled pictures or videos: class folders to train re-identification (by=track) or a classifier (by=class) on.

    Args:
        data: labeled boxes in any format that training reads.
        by: track: a class for each identity in each video; class: the things' own classes.
        margin: share of a box's sides that is shown around it.
        size: longer side that larger crops are scaled down to, pixels.
        least: leave out things with a shorter side than this, pixels.
        every: take a thing of a video at most once in so many frames.
        fewest: leave out identities with fewer crops.
        split: only train, val or test.
        out: new folder for the crops; left out: they stay in memory.

    Returns:
        One sample per crop, labeled with its identity or class.
    """
    from vidi.data import read
    from vidi.data.crops import crops as cut

    return cut(read(data, split=split), by=by, margin=margin, size=size, least=least, every=every, fewest=fewest, folder=out)
