"""Any backbone of timm (Apache-2.0) as a `Backbone`: levels, stages and places for attention found by one trial picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vidi.errors import ChoiceError, RecipeError, nearest
from vidi.nets.blocks.backbone import Backbone

TRIAL_SIDE = 64
GROUPS = ("blocks", "stages", "layers", "features")


class LibraryBackbone(Backbone):
    """A timm model without its classifier; parameter names are timm's, so its weights load.

    The last map is what timm's classifier would pool (after a final convolution or norm, where there is one). Nets of tokens give
    that map alone, without class tokens; nets timm cannot look into give it alone too.

    Args:
        name: a name of `timm.list_models`, with or without a weights tag (the tag counts for ``weights=imagenet`` only).
        drop_path: stochastic depth (Huang et al. 2016, arXiv:1603.09382), for the designs that have it.
        in_channels: channels of the pictures.

    Raises:
        ChoiceError: no such model.
        RecipeError: the design takes no `drop_path`.
    """

    model: Any

    def __init__(self, name: str, drop_path: float = 0.0, in_channels: int = 3):
        super().__init__()
        self.model = _create(name, drop_path, in_channels)
        self.aliases = {f"{child}.": f"model.{child}." for child, _ in self.model.named_children()}
        self.aliases |= {child: f"model.{child}" for child, _ in self.model.named_parameters(recurse=False)}
        self.aliases |= {child: f"model.{child}" for child, _ in self.model.named_buffers(recurse=False)}
        settings = self.model.pretrained_cfg
        self.timm_name, self.mean, self.std = name, tuple(settings["mean"]), tuple(settings["std"])
        side = settings["input_size"][-1] if settings.get("fixed_input_size") else TRIAL_SIDE
        try:
            self._look(torch.zeros(1, in_channels, side, side))
        except RuntimeError:
            self._look(torch.zeros(1, in_channels, *settings["input_size"][1:]))

    @torch.no_grad()
    def _look(self, trial: Tensor) -> None:
        """One forward pass finds layout, levels, unused parts and the maps that attention could follow."""
        model, width, seen = self.model, self.model.num_features, {}
        was = model.training
        model.eval()

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            seen[module] = tuple(output.shape) if isinstance(output, Tensor) else ()

        hooks = [module.register_forward_hook(note) for module in model.modules()]
        self.inner = hasattr(model, "forward_intermediates")
        try:
            last, maps = model.forward_intermediates(trial) if self.inner else (model.forward_features(trial), [])
        finally:
            for hook in hooks:
                hook.remove()
        if last.ndim == 4 and last.shape[1] == width:
            self.layout = "maps"
        elif last.ndim == 4 and last.shape[-1] == width:
            self.layout = "channels last"
        elif self.inner:
            self.layout, maps = "tokens", model.forward_intermediates(trial, norm=True, intermediates_only=True)[-1:]
        else:
            raise RecipeError("timm cannot give this model's feature maps", at="name", value=self.timm_name)
        for name, child in list(model.named_children()):
            if child not in seen and not any(part in seen for part in child.modules()):
                setattr(model, name, nn.Identity())
        model.train(was)
        side, height = trial.shape[-1], last.shape[1 if self.layout == "channels last" else 2]
        reductions = [level["reduction"] for level in getattr(model, "feature_info", [])]
        if self.layout == "tokens":
            self.keep, final = 0, reductions[-1] if reductions else round(side / maps[-1].shape[2])
        else:
            self.keep = sum(level.shape[2] > height for level in maps)
            final = reductions[self.keep] if len(reductions) == len(maps) > self.keep else round(side / height)
        self.channels = (*(level.shape[1] for level in maps[: self.keep]), width)
        self.strides = (*reductions[: self.keep], final)
        if self.layout == "maps":
            paths = _blocks(model, "model") or [f"model.{level['module']}" for level in model.feature_info]
            shapes_of = {path: seen.get(self.get_submodule(path), ()) for path in paths}
            self.points = {
                path: shape[1]
                for path, shape in shapes_of.items()
                if len(shape) == 4 and not isinstance(self.get_submodule(path), nn.ModuleDict)
            }

    def forward(self, x: Tensor) -> list[Tensor]:
        if self.layout == "tokens":
            return [self.model.forward_intermediates(x, norm=True, intermediates_only=True)[-1]]
        last, maps = self.model.forward_intermediates(x) if self.inner else (self.model.forward_features(x), [])
        return [*maps[: self.keep], last if self.layout == "maps" else last.permute(0, 3, 1, 2)]

    def stages(self) -> dict[str, nn.Module]:
        loose = dict(self.model.named_parameters(recurse=False))
        stages: dict[str, nn.Module] = {"tokens": nn.ParameterDict(loose)} if loose else {}
        for name, child in self.model.named_children():
            parts = {name: child}
            if name in GROUPS and isinstance(child, (nn.Sequential, nn.ModuleList)):
                parts = {f"{name}.{part}": module for part, module in child.named_children()}
            stages |= {part: module for part, module in parts.items() if next(module.parameters(), None) is not None}
        return {name.replace(".", "_"): module for name, module in stages.items()}


def _create(name: str, drop_path: float, in_channels: int) -> nn.Module:
    import timm

    base = name.split(".")[0]
    if not timm.is_model(base):
        close = nearest(base, timm.list_models())
        fix = f"did you mean {', '.join(close)}?" if close else "see timm.list_models()"
        raise ChoiceError("timm has no such model", at="name", value=name, fix=fix)
    options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    options |= {"dynamic_img_size": True} if base.startswith(("vit_", "deit", "beit", "eva")) else {}
    try:
        return timm.create_model(name, pretrained=False, num_classes=0, in_chans=in_channels, **options)
    except TypeError as error:
        options.pop("dynamic_img_size", None)
        if options:
            raise RecipeError(f"this design takes no drop_path: {error}", at="drop_path", value=drop_path) from error
        return timm.create_model(name, pretrained=False, num_classes=0, in_chans=in_channels)


def _is_list(module: nn.Module) -> bool:
    """Whether a module holds blocks of one kind in a row: a list, or children named b1, b2, …"""
    if isinstance(module, (nn.Sequential, nn.ModuleList)):
        return True
    children = dict(module.named_children())
    same = len({type(child) for child in children.values()}) == 1
    return same and all(name.rstrip("0123456789") in ("b", "block", "layer") for name in children)


def _blocks(module: nn.Module, path: str) -> list[str]:
    """Dotted names of the blocks inside lists of blocks, input to output."""
    found, in_list = [], _is_list(module)
    for name, child in module.named_children():
        inside = f"{path}.{name}"
        if _is_list(child):
            found += _blocks(child, inside)
        elif in_list and next(child.children(), None) is not None and not isinstance(child, nn.ModuleDict):
            nested = [
                part for part in ("blocks", "layers") if isinstance(getattr(child, part, None), (nn.Sequential, nn.ModuleList))
            ]
            found += _blocks(getattr(child, nested[0]), f"{inside}.{nested[0]}") if nested else [inside]
    return found
