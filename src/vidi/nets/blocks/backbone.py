"""The contract of a backbone: pictures in, a pyramid of feature maps out. Classifiers, detectors and segmenters share it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Backbone(nn.Module, ABC):
    """Feature maps of a normalized picture.

    Attributes:
        channels: width of each map, fine to coarse.
        strides: input pixels per map cell, strictly growing.
        mean, std: what the published weights expect of RGB in 0..1.
        timm_name: timm's name of the same design, or "" when it has none.
        points: submodules after which attention can be inserted, by dotted name, with their output channels.
        aliases: prefixes of published parameter names and what they are called here; state dicts with either load.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    timm_name: str = ""
    points: dict[str, int]
    aliases: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.points, self.aliases = {}, {}
        self.register_load_state_dict_pre_hook(_rename_on_load)

    @abstractmethod
    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) normalized pixels to maps (B, channels[i], ~H/strides[i], ~W/strides[i])."""

    @abstractmethod
    def stages(self) -> dict[str, nn.Module]:
        """Registered submodules from input to output; they partition the parameters."""

    def prepare(self, x: Tensor) -> None:
        """Initial values that depend on data; `x` is a batch of normalized pictures."""

    def renamed(self, name: str) -> str:
        """A published parameter name as it is called here."""
        for old, new in self.aliases.items():
            if name.startswith(old):
                return new + name[len(old) :]
        return name


def _rename_on_load(module: Backbone, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    for name in [key for key in state if key.startswith(prefix)]:
        new = prefix + module.renamed(name[len(prefix) :])
        if new != name and new not in state:
            state[new] = state.pop(name)


def halve(x: Tensor, mean: bool = False) -> Tensor:
    """2×2 max-pooling (or mean), leaving alone a side that is one pixel long already."""
    window = (min(2, x.shape[2]), min(2, x.shape[3]))
    return F.avg_pool2d(x, window) if mean else F.max_pool2d(x, window)
