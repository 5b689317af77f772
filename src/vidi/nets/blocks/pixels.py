"""A class for every pixel: normalize, backbone, neck, head. The parts that semantic nets are made of stand here too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Label, Segmentation
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.backbone_net import BackboneNet
from vidi.nets.blocks.one_stage import padded
from vidi.nets.heads._base import check_space
from vidi.nets.losses._base import Sum, View, truth_maps

OWN = "pixels"
LOSS = "ce+dice"
AUX = "pixels_at_"
AUX_SHARE = 0.5
"""The loss of the finest auxiliary map counts this much, that of the next the square of it, and so on."""


class PixelNeck(nn.Module, ABC):
    """Mixes a backbone's maps."""

    @abstractmethod
    def forward(self, maps: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        """The maps that the head reads, the finest first.

        Args:
            maps: the backbone's, fine to coarse.
            x: (B, C, H, W) the normalized picture, sides padded to multiples of the coarsest stride.
        """


class PixelHead(nn.Module, ABC):
    """Maps to logits.

    Attributes:
        criterion: what the net learns by; the net sets it.
    """

    criterion: Sum

    @abstractmethod
    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The neck's maps to logits (B, C, h, w), the finest first; those behind it are auxiliary."""


class PixelNet(BackboneNet):
    """Logits of every class for every pixel.

    Args:
        backbone: the feature extractor; attention is in it already, see `attended`.
        neck: on the backbone's maps.
        head: on the neck's maps.
        space: what the labels mean.
        loss: a sum of losses of ``nets/losses``, such as ``ce+0.5*dice``.
        aux: strides of the auxiliary logits.
        multiple: sides are padded to multiples of it; None: the backbone's coarsest stride.
        in_channels: channels of the pictures.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: PixelNeck,
        head: PixelHead,
        space: Space,
        loss: str = LOSS,
        *,
        aux: Sequence[int] = (),
        multiple: int | None = None,
        in_channels: int = 3,
    ):
        check_space(space, "Segmentation")
        super().__init__(backbone, space, in_channels)
        self.neck, self.head = neck, head
        self.head.criterion = Sum(loss, len(space))
        self.multiple, self.aux = multiple or backbone.strides[-1], tuple(aux)
        self.kinds = {OWN: "categorical"} | {f"{AUX}{stride}": "aux" for stride in self.aux} | {"features": "aux"}

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        image = inputs["image"]
        height, width = image.shape[2:]
        x = padded(self.normalize(image), self.multiple)
        maps = self.backbone(x)
        logits, *aux = self.head(self.neck(maps, x))
        raw = {OWN: enlarged(logits, x)[:, :, :height, :width]}
        raw |= {f"{AUX}{stride}": one for stride, one in zip(self.aux, aux)}
        return raw | {"features": maps[-1].mean((2, 3))}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Any]) -> dict[str, Tensor]:
        """The parts of the sum of losses by name; with deep supervision also `deep`, what the auxiliary maps cost."""
        logits = raw[OWN]
        truth = truth_maps(labels, (logits.shape[2], logits.shape[3]), len(self.space), logits.device)
        with torch.autocast(logits.device.type, enabled=False):
            parts = self.head.criterion(View(logits, truth))
            deep = []
            for i, stride in enumerate(self.aux, 1):
                one = raw[f"{AUX}{stride}"]
                view = View(one, thinned(truth, stride, (one.shape[2], one.shape[3])))
                deep.append(AUX_SHARE**i * torch.stack(list(self.head.criterion(view).values())).sum(0))
        return parts | ({"deep": torch.stack(deep).sum(0)} if deep else {})

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Label]:
        """Probabilities of every class in tensor pixels. Pictures are read one by one, so that none's last digit depends on its place
        in the batch."""
        logits = raw[OWN].detach()
        chances = (one.float().contiguous().softmax(0).cpu().numpy() for one in logits)
        return [Segmentation.from_probabilities(one) for one in chances]

    def stages(self) -> dict[str, nn.Module]:
        return {**super().stages(), "neck": self.neck, "head": self.head}

    def fit_labels(self, labels: Sequence[Any]) -> None:
        """Class weights that depend on the training labels."""
        self.head.criterion.fit(labels, len(self.space))


def check_head(head: str) -> None:
    """Refuse a head for a net that has its own only.

    Raises:
        RecipeError: `head` is not ``pixels``.
    """
    if head != OWN:
        raise RecipeError("this net classifies pixels, with a head of its own", at="head", value=head, fix=OWN)


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear, to the height and width of another map; as it is where it has them."""
    size = like.shape[2:]
    return x if x.shape[2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def thinned(truth: Tensor, stride: int, size: tuple[int, int]) -> Tensor:
    """The class (B, h, w) at the middle of each cell of a map of a stride; −1 for cells whose middle is outside of the picture."""
    down, right = size[0] * stride - truth.shape[1], size[1] * stride - truth.shape[2]
    middle = stride // 2
    return F.pad(truth, (0, right, 0, down), value=-1)[:, middle::stride, middle::stride]


def conv_unit(inputs: int, outputs: int, size: int = 3, *, dilation: int = 1, groups: int = 1) -> nn.Sequential:
    """Same-size convolution, batch norm, ReLU, with He's initial values by group."""
    conv = nn.Conv2d(inputs, outputs, size, padding=dilation * (size // 2), dilation=dilation, groups=groups, bias=False)
    nn.init.normal_(conv.weight, std=(2 * groups / (outputs * size * size)) ** 0.5)
    return nn.Sequential(conv, LenientNorm(outputs), nn.ReLU(inplace=True))


def classifier(inputs: int, outputs: int, size: int = 1) -> nn.Conv2d:
    """The last layer, with weights that keep the size of values: much smaller ones cost the first hundred steps."""
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2)
    nn.init.normal_(conv.weight, std=(inputs * size * size) ** -0.5)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class LenientNorm(nn.BatchNorm2d):
    """Batch norm that uses its running statistics in training too where a batch has one value per channel, of which there is no variance."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)


def map_at(strides: Sequence[int], stride: int, what: str) -> int:
    """Which of a backbone's maps has a stride.

    Raises:
        RecipeError: none has; `what` is the setting to blame.
    """
    if stride not in strides:
        have = ", ".join(map(str, strides))
        raise RecipeError(f"the backbone has no map at stride {stride}", at=what, value=f"strides {have}", fix="another backbone, such as resnet")
    return list(strides).index(stride)
