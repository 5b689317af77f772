"""A net around another one, for those that change only how it forwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from vidi.core.net import Net
from vidi.core.space import Space
from vidi.labels import Label


class Wrapped(Net):
    """Forwards in a way of its own, and leaves all other questions to the net inside, so that its settings of decoding count.

    Args:
        net: the net inside.
    """

    def __init__(self, net: Net):
        super().__init__()
        self.net = net
        self.inputs, self.kinds, self.space = net.inputs, net.kinds, net.space

    @property
    def predicts(self) -> Space:
        return self.net.predicts

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Label]) -> dict[str, Tensor]:
        return self.net.loss(raw, labels)

    def decode(self, raw: Mapping[str, Tensor]) -> list[Label]:
        return self.net.decode(raw)

    def stages(self) -> dict[str, nn.Module]:
        return self.net.stages()
