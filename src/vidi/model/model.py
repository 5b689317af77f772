"""The Model noun: a net with its weights, its labels' meaning and its preprocessing, in one file."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import vidi
from vidi.core import discovery
from vidi.core.batch import Frame, check_batch
from vidi.core.calls import parse_call
from vidi.core.container import Container, write_container
from vidi.core.files import parse_json
from vidi.core.kinds import kind_to_dict
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.core.tensors import dump, first_nonfinite, parse
from vidi.errors import InputError, ModelError
from vidi.labels import Label
from vidi.model.card import Card, parse_card
from vidi.model.runners.torch import Runner
from vidi.nets.enhance._steps import calls_of, set_steps, split_steps

Picture = Path | str | bytes | np.ndarray


def build_net(net: str, head: str, space: Space, options: Mapping[str, Any], enhance: Sequence[str] | str = ()) -> Net:
    """A net by name or path, with its head and settings, with random weights.

    Args:
        enhance: steps (`vidi list enhancements`) that pictures take first, such as ``clahe(clip=2.0)``.

    Raises:
        ChoiceError: no such net or step.
        InputError: settings the net or a step does not have or refuses, or a net without a layer for steps.
    """
    maker = discovery.member(discovery.load("nets", net), "net", "nets")
    try:
        built = maker(space, head, **options)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise InputError(f"the net refuses its settings: {error}", at=net, value=dict(options), fix="see `vidi list nets`") from error
    set_steps(built, enhance)
    return built


class Model:
    """A trained model: call it with pictures, get labels in the pictures' own pixels.

    Args:
        net: the net, holding its weights.
        card: what the file says about it.
        device: where it runs, such as ``cpu`` or ``cuda``.
    """

    def __init__(self, net: Net, card: Card, *, device: str = "cpu", reports: Mapping[str, bytes] | None = None):
        self.net, self.card = net, card
        self.reports = dict(reports or {})
        self.runner = Runner(net, device)

    @property
    def names(self) -> tuple[str, ...]:
        """Class or value names."""
        return self.card.label_space.names

    @property
    def preprocess(self) -> Preprocess:
        return self.card.canvas

    def __call__(self, pictures: Picture | Sequence[Picture], *, batch: int = 32) -> list[Label]:
        """One label per picture, in the picture's own pixels. Things under their class's threshold in the card are left out.

        Args:
            pictures: files, encoded bytes or (H, W, 3) uint8 arrays; one or several.
            batch: pictures per step.
        """
        many = [pictures] if isinstance(pictures, (str, Path, bytes, np.ndarray)) else list(pictures)
        check_batch(batch)
        labels: list[Label] = []
        for start in range(0, len(many), batch):
            images, frames = self.load(many[start : start + batch])
            decoded = self.net.decode(self.runner({"image": images}))
            labels.extend(frame.home(label) for frame, label in zip(frames, decoded))
        least = self.card.thresholds
        return labels if least is None else [label.confident(np.asarray(least, np.float64)) for label in labels]

    def load(self, pictures: Sequence[Picture]) -> tuple[Tensor, list[Frame]]:
        """Pictures on the net's canvas, (B, 3, H, W) float32 in 0..1, and where they came from."""
        canvases, frames = [], []
        for i, picture in enumerate(pictures):
            source = Path(picture) if isinstance(picture, str) else picture
            canvas, size, matrix = self.preprocess.load(source)
            canvases.append(canvas)
            frames.append(Frame(str(source) if isinstance(source, Path) else f"#{i}", size, matrix))
        stacked = np.stack(canvases) if canvases else np.zeros((0, *self.preprocess.size, 3), np.uint8)
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().div_(255), frames

    def features(self, pictures: Picture | Sequence[Picture], *, layers: Sequence[str] = ("features",), batch: int = 32) -> dict[str, np.ndarray]:
        """Activations of named layers for pictures, by layer, each (N, …) float32.

        Args:
            pictures: as for calling the model.
            layers: raw keys such as ``features``, stage names, or module paths; see `layers`.
        """
        many = [pictures] if isinstance(pictures, (str, Path, bytes, np.ndarray)) else list(pictures)
        check_batch(batch)
        parts: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
        for start in range(0, len(many), batch):
            images, _ = self.load(many[start : start + batch])
            for layer, values in self.runner.activations({"image": images}, layers).items():
                parts[layer].append(values.float().cpu().numpy())
        return {layer: np.concatenate(values) if values else np.zeros((0,), np.float32) for layer, values in parts.items()}

    def layers(self) -> list[str]:
        """Names that `features` takes: raw outputs, then stages from input to output."""
        return [*(key for key in self.card.raw if key not in self.net.stages()), *self.net.stages()]

    def save(self, path: str | Path) -> Path:
        """Write the model file, whole or not at all.

        Raises:
            ModelError: a weight is NaN or infinite.
            ResourceError: the disk is full; an older file stays as it was.
        """
        path = Path(path)
        state = self.net.state_dict()
        bad = first_nonfinite(state)
        if bad is not None:
            raise ModelError("a weight is NaN or infinite; not saved", file=path, at=bad)
        weights = dump(state)
        card = self.card.model_copy(update={"weights_sha256": sha256(weights)})
        members = {
            "model.json": json.dumps(card.model_dump(), indent=1, ensure_ascii=False, allow_nan=False).encode(),
            "weights.safetensors": weights,
            "README.md": readme(card).encode(),
            **{f"reports/{name}": data for name, data in self.reports.items()},
        }
        write_container(path, members)
        return path

    def save_new(self, path: str | Path, source: Any) -> Path:
        """The same, but never over the model that this one was made from.

        Args:
            source: that model, or its file.

        Raises:
            InputError: it would be the same file.
        """
        target = Path(path)
        if isinstance(source, (str, Path)) and target.exists() and Path(source).exists() and target.samefile(source):
            raise InputError("the old model would be lost", at="out", value=path, fix="another file")
        return self.save(target)

    def summary(self) -> dict[str, Any]:
        """Plain JSON values: kind, numbers (those measured on the test split, else the validation split, and all by split), about."""
        splits = self.card.numbers
        main = splits.get("test") or splits.get("val") or {}
        numbers = {**main, **{f"{split}.{key}": value for split, row in splits.items() for key, value in row.items()}}
        return {"kind": "model", "numbers": numbers, "about": {**self.describe(), "created": self.card.created, "data": self.card.data, "lineage": self.card.lineage}}

    def text(self) -> str:
        """The model in a few lines."""
        facts = self.describe()
        lines = [f"{facts['task']} model: net {facts['net']}, {facts['parameters'] / 1e6:.2f} M parameters, input {facts['input'][0]}×{facts['input'][1]} ({facts['fit']})"]
        if self.card.enhance:
            lines.append(f"pictures are enhanced first: {', '.join(self.card.enhance)}")
        if self.card.alarm:
            lines.append(f"pictures are called suspect whose answers move by more than {self.card.alarm.threshold:.4g} under {', '.join(self.card.alarm.steps)}")
        lines.append(f"{len(self.names)} labels: {', '.join(self.names[:20])}{' …' if len(self.names) > 20 else ''}")
        for split, row in self.card.numbers.items():
            lines.append(f"{split}: " + ", ".join(f"{key} {value:.4f}" for key, value in row.items() if isinstance(value, float)))
        return "\n".join(lines)

    def describe(self) -> dict[str, Any]:
        """Numbers for people: parameters, size, stages, classes."""
        parameters = sum(p.numel() for p in self.net.parameters())
        return {
            "task": self.card.task, "net": self.card.net, "head": self.card.head, "parameters": parameters,
            "classes": list(self.names), "input": list(self.preprocess.size), "fit": self.preprocess.fit, "enhance": list(self.card.enhance),
            "stages": {name: sum(p.numel() for p in stage.parameters()) for name, stage in self.net.stages().items()},
        }  # fmt: skip


def sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def load(path: str | Path | Model, *, device: str = "cpu", code: Sequence[str | Path] = (), allow_nonfinite: bool = False) -> Model:
    """Open a model file. Nothing in the file is ever run.

    Args:
        path: a ``.vidi`` file (or a Model, which is returned as it is).
        device: where the model will run.
        code: Python files of the model's own task, net, head, backbone, neck or steps from outside vidi; they are only imported when named
            here, and found by their path, else by their file's name.
        allow_nonfinite: accept NaN or infinite weights.

    Raises:
        ModelError: not a model file, damaged, changed, or its weights do not fit its net.
    """
    if isinstance(path, Model):
        return path
    path = Path(path)
    if path.is_dir():
        inside = path / "weights" / "best.vidi"
        if not inside.is_file():
            raise ModelError("a folder without weights/best.vidi", file=path, fix="give the .vidi file")
        path = inside
    with Container(path) as container:
        card = parse_card(_json(container), path)
        weights = container.read("weights.safetensors")
        reports = {name[8:]: container.read(name) for name in container.names if name.startswith("reports/")}
    if card.weights_sha256 and sha256(weights) != card.weights_sha256:
        raise ModelError("the weights are not those the model was saved with", file=path, at="weights.safetensors", fix="get the file again")
    named = [str(one) for one in code]
    task, net = (_named(text, named, path, call=False) for text in (card.task, card.net))
    head = _named(card.head, named, path)
    options = {key: _named(value, named, path) if isinstance(value, str) else value for key, value in card.net_options.items()}
    enhance = [_named(call, named, path) for call in _whole(card.enhance, path)]
    alarm = card.alarm and card.alarm.model_copy(update={"steps": [_named(call, named, path) for call in _whole(card.alarm.steps, path)]})
    with discovery.only(named):
        built = build_net(net, head, card.label_space, options, enhance)
    fit_weights(built, parse(weights, path), path, allow_nonfinite)
    return Model(built, card.model_copy(update={"task": task, "alarm": alarm}), device=device, reports=reports)


def code_of(card: Card) -> list[str]:
    """The Python files from outside vidi that a model is made of."""
    texts = [card.head, *card.enhance, *(card.alarm.steps if card.alarm else ()), *(value for value in card.net_options.values() if isinstance(value, str))]
    files = [*(_file(text, call=False) for text in (card.task, card.net)), *map(_file, texts)]
    return [file for file in files if file is not None]


def _file(text: str, call: bool = True) -> str | None:
    """The Python file that a setting names, as ``./mine.py`` or, in a call, ``./mine.py(width=32)``."""
    name = text.partition("(")[0].strip() if call else text
    return name if discovery.is_path(name) else None


def _named(text: str, named: Sequence[str], path: Path, call: bool = True) -> str:
    """A setting with the file it names replaced by the one the caller allows.

    Raises:
        ModelError: the caller does not name this file.
    """
    file = _file(text, call)
    if file is None:
        return text
    same = [one for one in named if Path(one).resolve() == Path(file).resolve()] or [one for one in named if Path(one).name == Path(file).name]
    if not same:
        raise ModelError("a part of the model is a Python file outside vidi, which is not run unless named", file=path, value=file, fix=f"code={file}")
    return same[0] + text.strip().removeprefix(file)


def _whole(calls: Sequence[str], path: Path) -> Sequence[str]:
    """The calls of steps.

    Raises:
        ModelError: one of them would read another file.
    """
    for call in split_steps(calls):
        if "file" in parse_call(call, "enhance")[1]:
            raise ModelError("a model file has all it needs inside, but a step of this one names another file", file=path, at="model.json/enhance", value=call)
    return calls


def _json(container: Container) -> Any:
    data = container.read("model.json")
    try:
        return parse_json(data.decode("utf-8"), container.path, limit=1 << 24)
    except UnicodeDecodeError:
        raise ModelError("model.json is not UTF-8", file=container.path) from None
    except ModelError:
        raise
    except InputError as error:
        raise ModelError(f"model.json: {error.rule}", file=container.path, at=error.at, value=error.value) from None


def fit_weights(net: Net, state: dict[str, Tensor], file: Any, allow_nonfinite: bool = False) -> None:
    """Load tensors that must fit the net exactly.

    Raises:
        ModelError: missing, extra or misshapen tensors (the first five are named), or NaN and infinity.
    """
    wanted = net.state_dict()
    faults = [f"{name}: expected {tuple(value.shape)}, missing" for name, value in wanted.items() if name not in state]
    faults += [f"{name}: not part of the net" for name in state if name not in wanted]
    faults += [
        f"{name}: expected {tuple(value.shape)}, got {tuple(state[name].shape)}"
        for name, value in wanted.items()
        if name in state and value.shape != state[name].shape
    ]
    if faults:
        raise ModelError(f"weights do not fit the net ({len(faults)} tensors)", file=file, at="; ".join(faults[:5]), fix="net, options and weights must belong together")
    bad = None if allow_nonfinite else first_nonfinite(state)
    if bad is not None:
        raise ModelError("a weight is NaN or infinite", file=file, at=bad, fix="allow_nonfinite loads it all the same")
    net.load_state_dict(state)


def make_card(net: Net, *, task: str, name: str, options: Mapping[str, Any], head: str, preprocess: Preprocess, **more: Any) -> Card:
    """The card of a net: its steps are read off it, its raw outputs are found by running it once on gray."""
    training = net.training
    net.eval()
    with torch.no_grad():
        probe = {key: torch.full((2, kind.channels, *preprocess.size), 0.5) for key, kind in net.inputs.items() if hasattr(kind, "channels")}
        device = next(net.parameters()).device
        raw = net({key: value.to(device) for key, value in probe.items()})
    net.train(training)

    return Card(
        task=task, net=name, net_options=dict(options), head=head, enhance=calls_of(net), space=net.space.to_dict(),
        inputs={key: kind_to_dict(kind) for key, kind in net.inputs.items()},
        raw={key: {"kind": net.kinds.get(key, "aux"), "shape": list(value.shape[1:])} for key, value in raw.items()},
        preprocess=preprocess.to_dict(),
        versions={"vidi": vidi.__version__, "torch": str(torch.__version__), "python": platform.python_version()},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **more,
    )  # fmt: skip


def readme(card: Card) -> str:
    """The page inside a model file, for people."""
    numbers = "\n".join(
        f"| {split} | {key} | {value:.4g} |" for split, row in card.numbers.items() for key, value in row.items() if isinstance(value, (int, float))
    )
    names = ", ".join(card.label_space.names[:50])
    steps = f"Pictures are enhanced first: {', '.join(f'`{call}`' for call in card.enhance)}.\n\n" if card.enhance else ""
    return (
        f"# {card.task} model\n\nNet `{card.net}`, input {card.preprocess['size'][0]}×{card.preprocess['size'][1]} pixels ({card.preprocess['fit']}), "
        f"trained with vidi {card.versions.get('vidi', '')} on {card.data.get('name', 'unknown data')} ({card.data.get('samples', '?')} samples).\n\n"
        f"{steps}Labels: {names}\n\n| split | number | value |\n|---|---|---|\n{numbers}\n\n"
        "```python\nimport vidi\nmodel = vidi.load('this-file.vidi')\nlabels = model('picture.jpg')\n```\n"
    )
