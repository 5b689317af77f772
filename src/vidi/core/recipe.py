"""The recipe: one flat table of settings for training, each with its type, range and meaning."""

from __future__ import annotations

import inspect
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidi.core.discovery import room_path
from vidi.core.files import read_yaml
from vidi.errors import RecipeError, nearest


class Recipe(BaseModel):
    """All settings of a training run. Keys that are not here go to the net (``depth=34``, ``attention=se``)."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    task: str | None = Field(None, description="task; None: told by the data")
    net: str | None = Field(None, description="net: a name from `vidi list nets` or a path to a .py file; None: the task's default")
    net_options: dict[str, Any] = Field(default_factory=dict, description="settings of the net")
    head: str | None = Field(None, description="head (`vidi list heads`); None: the task's default")
    weights: str | None = Field(None, description="start from: PATH.vidi, a torch weight file, `imagenet`, an installed package's name; None: random")
    imgsz: int | tuple[int, int] | None = Field(None, description="input size in pixels, one side or [height, width]; None: told by the data")
    fit: Literal["crop", "letterbox", "squash"] | None = Field(None, description="how pictures meet the input size; None: crop, letterbox if long")
    epochs: float = Field(10, gt=0, description="passes over the training samples; may be a fraction")
    minutes: float | None = Field(None, gt=0, description="train for this long instead of `epochs`")
    batch: int = Field(64, ge=1, description="samples per step")
    accumulate: int = Field(1, ge=1, description="batches per optimizer step")
    optimizer: Literal["adamw", "sgd", "muon"] = Field("adamw", description="optimizer")
    lr: float | None = Field(None, gt=0, description="peak learning rate; None: the optimizer's default")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd, first beta of adamw")
    weight_decay: float | None = Field(None, ge=0, description="decoupled decay of weights, not of biases and norms; None: the optimizer's default")
    bias_lr: float = Field(1.0, gt=0, description="factor on the learning rate of biases and norms")
    schedule: Literal["cosine", "linear", "triangle", "constant", "step"] = Field("cosine", description="shape of the learning rate over the run")
    warmup: float = Field(0.05, ge=0, le=1, description="share of the run in which the learning rate rises")
    final_lr: float = Field(0.01, ge=0, le=1, description="learning rate at the end, as a share of the peak")
    layer_decay: float = Field(1.0, gt=0, le=1, description="learning rate factor per stage, from the head toward the input")
    freeze: str | int | None = Field(None, description="stages that do not learn: a count from the input, names with commas, or `backbone`")
    probe: float = Field(0.0, ge=0, le=1, description="share of the run that trains the head alone first (linear probe, then fine-tune)")
    unfreeze: float = Field(0.0, ge=0, le=1, description="share of the run over which stages thaw one by one from the head (gradual unfreezing)")
    freeze_bn: bool = Field(False, description="keep batch-norm statistics as loaded")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the moving average of weights; 0: off")
    ema_every: int = Field(1, ge=1, description="steps between updates of the moving average")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of probability spread over all classes")
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient; None: not clipped")
    patience: int | None = Field(None, ge=1, description="stop after this many epochs without a better primary number")
    augment: list[str] | str | None = Field(None, description="augmentations, as `name` or `name(key=value, …)`; `none`; None: the task's default")
    enhance: list[str] | str = Field(default_factory=list, description="steps that pictures take first, in training and for good, as `name` or `name(key=value, …)` (`vidi list enhancements`); `none`")
    canvas: float = Field(1.0, ge=1, le=2, description="pictures are cached this much larger than `imgsz`, so that crops keep detail")
    tile: int | tuple[int, int] | None = Field(None, description="train on tiles of this many pixels, one side or [height, width]; None: whole pictures")
    tile_overlap: float = Field(0.2, ge=0, le=0.9, description="share of a tile that its neighbor shows as well")
    tile_empty: float = Field(1.0, ge=0, le=1, description="share of the tiles without anything on them that are kept")
    multi_scale: float = Field(0.0, ge=0, le=0.9, description="the input size varies by this share, in multiples of 32, every 10 batches")
    close_mix: float = Field(0.0, ge=0, le=1, description="share of the run at its end without mixing augmentations")
    balance: Literal["none", "sqrt", "equal", "repeat"] = Field("none", description="draw samples by class: as they are, by square root, equally, or rare ones repeated")
    repeat_threshold: float = Field(0.001, gt=0, le=1, description="share of samples below which a class counts as rare, for balance=repeat")
    per_class: int = Field(1, ge=1, description="samples of a class that a batch holds together, for losses that compare batch mates; all classes come equally often; 1: off")
    val: float = Field(0.2, ge=0, lt=1, description="share of training samples kept for validation where the data has none; 0: none")
    test: float = Field(0.0, ge=0, lt=1, description="share of training samples kept for the final test where the data has none")
    split_by: Literal["sample", "class"] = Field("sample", description="what is drawn for `val` and `test`: samples (or their groups), or whole classes, which training then never sees")
    val_every: int = Field(1, ge=1, description="epochs between validations")
    seed: int = Field(0, ge=0, description="seed of everything random")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="arithmetic; auto: measured on the CPU, bf16 on a GPU that has it")
    channels_last: bool = Field(True, description="memory order of convolutions")
    compile: bool = Field(False, description="compile the net (slow start)")
    threads: int | None = Field(None, ge=1, description="CPU threads; None: torch's choice")
    workers: int = Field(0, ge=0, description="processes that decode pictures; 0: threads in this process")
    cache: Literal["auto", "memory", "disk", "none"] = Field("auto", description="keep decoded pictures")
    checkpoint_every: int | None = Field(None, ge=1, description="steps between checkpoints; None: about every minute and at each epoch's end")
    bad_samples: Literal["stop", "skip"] = Field("stop", description="what to do with a picture that cannot be decoded")
    max_bad: float = Field(0.001, ge=0, le=1, description="share of bad pictures above which `skip` stops all the same")
    loggers: list[str] = Field(default_factory=list, description="further loggers: tensorboard, mlflow, wandb")
    verbose: bool = Field(True, description="progress on the terminal")

    @classmethod
    def describe(cls) -> list[tuple[str, str, str, str]]:
        """One row per key: key, type and range, default, meaning."""
        rows = []
        for key, field in cls.model_fields.items():
            kind = str(field.annotation) if not isinstance(field.annotation, type) else field.annotation.__name__
            kind = kind.replace("typing.", "").replace("NoneType", "None")
            limits = ", ".join(str(m).replace("Ge(", "≥").replace("Gt(", ">").replace("Le(", "≤").replace("Lt(", "<") for m in field.metadata)
            default = field.get_default(call_default_factory=True)
            rows.append((key, f"{kind} {limits}".strip(), repr(default), field.description or ""))
        return rows


def load_recipe(name: str | Path) -> dict[str, Any]:
    """The settings in a recipe file: a path, or the name of one that comes with vidi (``recipes/``).

    Raises:
        RecipeError: no such recipe, or not a flat table.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = room_path("recipes") / f"{name}.yaml"
        if not path.is_file():
            known = sorted(p.stem for p in room_path("recipes").glob("*.yaml"))
            raise RecipeError("no such recipe", value=name, fix=f"one of: {', '.join(known)}; or a path to a .yaml file")
    values = read_yaml(path) or {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise RecipeError("a recipe is one flat table of `key: value` lines", file=path)
    return values


def make_recipe(values: dict[str, Any], *, net_keys: dict[str, inspect.Parameter] | None = None, file: Any = None) -> Recipe:
    """A checked recipe from settings; text values are converted to the key's type.

    Args:
        values: settings by key.
        net_keys: the chosen net's own settings; keys that are not the recipe's go to ``net_options``.

    Raises:
        RecipeError: unknown key (with the nearest known ones), wrong type or out of range.
    """
    own: dict[str, Any] = {}
    options = dict(values.get("net_options") or {})
    known = set(Recipe.model_fields)
    for key, value in values.items():
        if key == "net_options":
            continue
        if key in known:
            own[key] = _plain(value, Recipe.model_fields[key].annotation)
        elif net_keys is None or key in net_keys:
            options[key] = _plain(value, net_keys[key].annotation if net_keys else None)
        else:
            close = nearest(key, known | set(net_keys))
            raise RecipeError(
                "unknown key", file=file, at=key, fix=f"did you mean {', '.join(close)}?" if close else "`vidi list recipe` shows all keys"
            )
    try:
        return Recipe(**own, net_options=options)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        raise RecipeError(first["msg"], file=file, at=key, value=first["input"], fix=Recipe.model_fields[key].description) from None


def _plain(value: Any, annotation: Any) -> Any:
    """Text from a command line as the YAML value it spells, unless text is what the key wants."""
    if not isinstance(value, str):
        return value
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) else (annotation,)
    if value in ("None", "null") and type(None) in options:
        return None
    if options == (str,) or set(options) == {str, type(None)} or annotation in ("str", "str | None"):
        return value
    if any(typing.get_origin(option) is list for option in (*options, annotation)):
        return split_list(value) if value != "none" else value
    if any(typing.get_origin(option) is tuple for option in options) and re.fullmatch(r"\s*\d+\s*[,x×]\s*\d+\s*", value):
        return [int(part) for part in re.split("[,x×]", value)]
    from vidi.core.files import parse_yaml

    parsed = parse_yaml(value)
    return parsed if isinstance(parsed, (int, float, bool, list, dict, str)) else value


def split_list(text: str) -> list[str]:
    """Items of ``a, b(x=1, y=2), c``: commas inside brackets do not count.

    Raises:
        RecipeError: a bracket without its partner, which would swallow items.
    """
    items, depth, start = [], 0, 0
    for i, character in enumerate(text + ","):
        depth += character in "([" 
        depth -= character in ")]"
        if character == "," and depth == 0:
            items.append(text[start:i].strip())
            start = i + 1
    if depth:
        raise RecipeError("brackets that do not match", value=text)
    return [item for item in items if item]
