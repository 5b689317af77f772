"""What a step of training lowers: the net's own loss, unless a method puts another in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from vidi.core.batch import Batch
    from vidi.core.seeds import Draw
    from vidi.engine.loop import Loop


class Objective:
    """The net's loss on the augmented batch. Methods that train otherwise override `parts`.

    An objective keeps no state between steps that a resumed run would miss: what it needs follows from its settings, the batch, `draw` and, by the
    number of the batch, from what it wrote into the run's folder.
    """

    def parts(self, loop: Loop, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        """Named parts, each (B,); the loop lowers the sum of their means.

        Args:
            loop: its `net`, `module` (the net as it is to be called), `position` and `recipe`.
            batch: augmented, on the device, pictures float in 0..1.
            draw: randomness, one row per sample; the same for a resumed run.
        """
        return loop.net.loss(loop.module(batch.inputs), batch.labels)  # type: ignore[arg-type]

    def after_backward(self, loop: Loop) -> None:
        """Called after each `parts`, once the gradients of its batch are there and before they are used: what `parts` changed for the length of the
        batch (weights) is put back here."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values that tell this objective from others; a run goes on only with the one it was started with."""
        return {}
