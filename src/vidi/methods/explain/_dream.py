"""Pictures that a net answers to most strongly: a class, a value, or a channel of a layer, by gradient ascent on the picture (Olah,
Mordvintsev and Schubert 2017, *Feature Visualization*, Distill): colors and frequencies are set apart, so that no direction is easier than
another; the picture is shifted and blurred a little at each step, and its roughness (total variation) costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.errors import InputError
from vidi.labels import Classification, Detections, Embedding, Regression, Segmentation
from vidi.methods.explain._aim import find_index
from vidi.methods.explain._base import at_least, no_gradient
from vidi.methods.explain._layers import catching
from vidi.methods.explain._target import Raw
from vidi.methods.explain._things import EDGE, candidates
from vidi.ops.blur import gaussian_blur

COLORS = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))
"""Square root of the covariance of colors in photographs (ImageNet): rows are red, green and blue, columns directions."""
RATE, SPREAD = 0.05, 0.01


@dataclass(frozen=True, slots=True)
class Wish:
    """What pictures shall bring about.

    Args:
        names: one per picture.
        layer: a layer whose channels are meant; None: the net's outputs.
        value: raw outputs, or the layer's maps under the key ``maps``, to (N,).
    """

    names: list[str]
    layer: str | None
    value: Callable[[Raw], Tensor]


def wish(net: Net, *, target: str | None = None, layer: str | None = None, limit: int = 16) -> Wish:
    """What to make pictures for: a class or value, or each of the first `limit`; with a layer, its channels.

    Raises:
        InputError: no such class, value or channel, or no such layer.
    """
    if layer is not None:
        return _channels(net, target, layer, limit)
    names = net.predicts.names or net.space.names
    read = READERS.get(net.predicts.family)
    if read is None:
        raise InputError("there is no way yet to make pictures for these predictions", at="what", value=net.predicts.family, fix="layer=STAGE, for its channels")
    key = next((key for key, kind in net.kinds.items() if kind != "aux"), "")
    if net.predicts.family == Embedding.family:
        names = tuple(f"dimension {i}" for i in range(_width(net, key)))
    chosen = list(range(min(limit, len(names)))) if target is None else [find_index(target, names, "target")]
    return Wish([names[i] for i in chosen], None, lambda raw: read(net, raw, key, torch.tensor(chosen)))


def _channels(net: Net, target: str | None, layer: str, limit: int) -> Wish:
    with catching(net, layer) as caught, torch.no_grad(), held(net):
        net({"image": torch.full((1, 3, 64, 64), 0.5, device=next(net.parameters()).device)})
    if not caught.maps:
        raise InputError("this layer gives no feature maps (B, C, H, W)", at="layer", value=layer, fix=f"stages: {', '.join(net.stages())}")
    width = caught.maps[-1].shape[1]
    names = [str(i) for i in range(width)]
    chosen = list(range(min(limit, width))) if target is None else [find_index(target, names, "target")]
    return Wish([f"{layer} {i}" for i in chosen], layer, lambda raw: _own(raw["maps"].mean((2, 3)), torch.tensor(chosen)))


def _width(net: Net, key: str) -> int:
    with torch.no_grad(), held(net):
        return net({"image": torch.full((1, 3, 64, 64), 0.5, device=next(net.parameters()).device)})[key].shape[1]


def _own(values: Tensor, index: Tensor) -> Tensor:
    """From (N, C) the value of each row's own index, (N,)."""
    return values.float().gather(1, index.to(values.device)[:, None]).squeeze(1)


def _row(net: Net, raw: Raw, key: str, index: Tensor) -> Tensor:
    return _own(raw[key], index)


def _pixels(net: Net, raw: Raw, key: str, index: Tensor) -> Tensor:
    return _own(raw[key].mean((2, 3)), index)


def _places(net: Net, raw: Raw, key: str, index: Tensor) -> Tensor:
    """The log-odds of a class, summed up over all places where a thing could be (their logarithmic mean)."""
    _, scores = candidates(net, raw)
    return _own(torch.logit(scores, EDGE).logsumexp(1), index)


READERS: Mapping[str, Callable[[Net, Raw, str, Tensor], Tensor]] = {
    Classification.family: _row,
    Regression.family: _row,
    Embedding.family: _row,
    Segmentation.family: _pixels,
    Detections.family: _places,
}
"""What of the raw outputs stands for a class, value or dimension, by the family of the predictions."""


def dream(
    net: Net, size: tuple[int, int], wanted: Wish, *, steps: int = 128, seed: int = 0, jitter: float = 0.06, blur: float = 1.0, roughness: float = 0.1
) -> Tensor:
    """Pictures (N, 3, H, W) in 0..1, one for each name of a wish; the net stays as it is.

    Args:
        size: (height, width).
        steps: of gradient ascent (Adam).
        seed: of the first pictures and the shifts.
        jitter: largest shift, in shares of the shorter side.
        blur: sigma in pixels of the blur of the first step, which falls to none.
        roughness: weight of the total variation.

    Raises:
        InputError: no gradient comes through the net, or a setting is out of range.
    """
    at_least(1, steps=steps)
    device = next(net.parameters()).device
    draw = Draw.samples(seed, 0, torch.arange(len(wanted.names))).child("dream")
    spectrum = (SPREAD * draw.normal(3, size[0], size[1] // 2 + 1, 2)).to(device).requires_grad_(True)
    reach = round(jitter * min(size))
    with torch.inference_mode(False), held(net), torch.enable_grad():
        climber = torch.optim.Adam([spectrum], lr=RATE)
        for step in range(steps if wanted.names else 0):
            images = painted(spectrum, size)
            rough = ((images.diff(dim=2).abs()).mean((1, 2, 3)) + images.diff(dim=3).abs().mean((1, 2, 3))) if min(size) > 1 else images.new_zeros(len(images))
            shifts = [draw.integers(2 * reach + 1) - reach for _ in range(2)]
            moved = torch.stack([image.roll((int(y), int(x)), (1, 2)) for image, y, x in zip(images, *shifts)])
            sigma = blur * (1 - step / steps)
            moved = gaussian_blur(moved, torch.full((len(moved),), sigma, device=device), 3) if sigma > 0 else moved
            value = _value(net, moved, wanted)
            if not value.requires_grad:
                raise no_gradient()
            climber.zero_grad()
            (-value.sum() + roughness * value.detach().abs().clamp_min(1).mul(rough).sum()).backward()
            climber.step()
    return painted(spectrum, size).detach()


def _value(net: Net, images: Tensor, wanted: Wish) -> Tensor:
    if wanted.layer is None:
        return wanted.value(net({"image": images}))
    with catching(net, wanted.layer) as caught:
        net({"image": images})
    return wanted.value({"maps": caught.maps[-1]})


def painted(spectrum: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (N, 3, H, W) in 0..1 of spectra (N, 3, H, W // 2 + 1, 2) in decorrelated colors, low frequencies scaled up as in photographs."""
    down, across = torch.fft.fftfreq(size[0], device=spectrum.device), torch.fft.rfftfreq(size[1], device=spectrum.device)
    frequency = (down[:, None] ** 2 + across**2).sqrt().clamp_min(1 / max(size))
    waves = torch.fft.irfft2(torch.view_as_complex(spectrum) / frequency * (size[0] * size[1]) ** 0.5, s=size)
    table = torch.tensor(COLORS, device=spectrum.device)
    table = table / table.norm(dim=0).max()
    return torch.einsum("cd,ndhw->nchw", table, waves / 4).sigmoid()


def frames(images: Tensor) -> Sequence:
    """Pictures (N, 3, H, W) in 0..1 as arrays (H, W, 3) uint8."""
    return list((images.permute(0, 2, 3, 1) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy())


