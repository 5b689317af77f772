"""U-Net: a contracting path, an expanding path, and skips between them.

Design: Ronneberger et al. 2015, *U-Net*, arXiv:1505.04597 (``backbone=classic``), or on any backbone; padded convolutions and batch norm, so that
the map has the picture's size. Attention gates: Oktay et al. 2018, arXiv:1804.03999. Deep supervision: Lee et al. 2015, arXiv:1409.5185.
"""

from __future__ import annotations

from collections.abc import Sequence

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.assemble import create_backbone
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.double_conv import Classic
from vidi.nets.blocks.one_stage import attended
from vidi.nets.blocks.pixels import LOSS, PixelNet, check_head
from vidi.nets.blocks.unet_decoder import Decoder, Head, block_strides

CLASSIC = "classic"
WIDTHS = (16, 32, 64, 128, 256, 512)
"""Channels of the decoder's blocks at strides 1, 2, 4, 8, 16, 32."""


def net(
    space: Space,
    head: str = "pixels",
    *,
    backbone: str = "resnet(depth=18)",
    width: int | None = None,
    depth: int | None = None,
    widths: Sequence[int] | None = None,
    finest: int | None = None,
    gates: bool = False,
    deep: bool = False,
    loss: str = LOSS,
    attention: str | None = None,
    in_channels: int = 3,
) -> PixelNet:
    """The net.

    Args:
        head: ``pixels``.
        backbone: a net's name or path with settings, or ``classic``, the paper's own.
        width: channels of the classic's first map, 32 by default; the paper has 64.
        depth: halvings of the classic, 4 by default as in the paper.
        widths: channels of the decoder's blocks, fine to coarse; None: the classic's own, else 16 at stride 1, 32 at 2, 64 at 4 and so on.
        finest: stride of the decoder's last block, 1 or 2. At 2 it reads the picture's 2×2 patches and gives four pixels at each place, which
            is faster: about a quarter with the classic, a few percent with ResNet-18. None: 1 where the backbone has a map at stride 1, else 2.
        gates: skips pass attention gates.
        deep: coarser maps of the decoder are supervised too.
        loss: a sum of losses of ``nets/losses``.
        attention: blocks inserted in the backbone, see `insert_attention`.
        in_channels: channels of the pictures.

    Raises:
        RecipeError: settings of the classic for another backbone, or a number of widths that does not fit.
    """
    check_head(head)
    body = attended(_body(backbone, width, depth, in_channels), attention)
    if finest not in (None, 1, 2):
        raise RecipeError("1 or 2", at="finest", value=finest)
    least = finest or (1 if 1 in body.strides else 2)
    places = block_strides(body.strides, least)
    usual = body.channels[: len(places)] if isinstance(body, Classic) and least == 1 else [WIDTHS[min(5, stride.bit_length() - 1)] for stride in places]
    chosen = list(widths or usual)
    if len(chosen) != len(places) or min(chosen) < 1:
        raise RecipeError(f"{len(places)} positive widths, one per block", at="widths", value=widths, fix=f"strides {', '.join(map(str, places))}")
    neck = Decoder(body.channels, body.strides, chosen, in_channels, least, gates)
    aux = places[1:] if deep else []
    last = Head(chosen[: 1 + len(aux)], len(space), least)
    return PixelNet(body, neck, last, space, loss, aux=aux, in_channels=in_channels)


def _body(text: str, width: int | None, depth: int | None, in_channels: int) -> Backbone:
    if text == CLASSIC:
        return Classic(width or 32, 4 if depth is None else depth, in_channels)
    for name, value in (("width", width), ("depth", depth)):
        if value is not None:
            raise RecipeError("a setting of the classic U-Net only", at=name, value=value, fix=f"backbone={CLASSIC}, or {text}({name}={value})")
    return create_backbone(text, in_channels)
