"""What the training loop costs: vidi's loop against a bare PyTorch loop on the same net and the same batches.

    python benchmarks/overhead.py

Both sides train the same net from the same weights on pictures already in memory, without augmentation, in turns; the ratio of their best
seconds per step is printed, for a small net (28x28, batch 128) and for ResNet-18 (96x96, batch 32).
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import arguments, finish

from vidi.augmentations._pipeline import Pipeline
from vidi.core.console import quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.preprocess import Preprocess
from vidi.core.recipe import Recipe
from vidi.core.space import Space
from vidi.data.loader import Loader
from vidi.data.pixels import PixelStore
from vidi.engine import optimizers
from vidi.engine.loop import Loop
from vidi.engine.run import RunFolder
from vidi.labels import Classification
from vidi.model import build_net

SPACE = Space("Classification", tuple("abcdefghij"))


def dataset(count: int, side: int) -> Dataset:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 255, (count, side, side, 3), dtype=np.uint8)
    return Dataset([Sample(str(i), {"image": pixels[i]}, Classification.one_hot(i % 10, 10), "train") for i in range(count)], SPACE)


def fresh(net: str, options: dict):
    torch.manual_seed(0)
    return build_net(net, "softmax", SPACE, options)


def bare(net: str, options: dict, data: Dataset, batch: int, recipe: Recipe) -> float:
    model = fresh(net, options).to(memory_format=torch.channels_last).train()
    optimizer = optimizers.build(model, recipe)
    pixels = torch.from_numpy(np.stack([sample.inputs["image"] for sample in data])).permute(0, 3, 1, 2)
    target = torch.tensor([sample.label.top for sample in data])
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(data)))
    start = time.perf_counter()
    for i in range(0, len(data), batch):
        index = order[i : i + batch]
        images = pixels[index].to(torch.float32, memory_format=torch.channels_last).div_(255)
        loss = torch.nn.functional.cross_entropy(model({"image": images})["logits"], target[index])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
    return time.perf_counter() - start


def ours(net: str, options: dict, data: Dataset, batch: int, recipe: Recipe, folder: Path) -> float:
    side = data[0].inputs["image"].shape[0]
    store = PixelStore(data, Preprocess((side, side)), cache="memory")
    store.fetch(np.arange(len(data)))
    run = RunFolder(folder)
    run.open()
    loop = Loop(
        fresh(net, options), Loader(store, data, batch=batch), lambda epoch: np.random.default_rng(0).permutation(len(data)), Pipeline([], (side, side)),
        recipe, run, device=torch.device("cpu"), precision="fp32", batch=batch, validate=None, save=lambda which, row: None,
    )  # fmt: skip
    start = time.perf_counter()
    with quiet():
        loop.fit()
    seconds = loop.position.seconds
    run.close()
    store.close()
    return seconds if seconds > 0 else time.perf_counter() - start


chosen = arguments(__doc__)
numbers = {}
for name, net, options, side, batch, count in (("small", "small", {}, 28, 128, 2560), ("resnet18", "resnet", {"depth": 18}, 96, 32, 480)):
    data, recipe = dataset(count, side), Recipe(epochs=1, batch=batch, optimizer="sgd", lr=1e-3, verbose=False)
    times: dict[str, list[float]] = {"bare": [], "vidi": []}
    for _ in range(4):
        times["bare"].append(bare(net, options, data, batch, recipe))
        with tempfile.TemporaryDirectory() as folder:
            times["vidi"].append(ours(net, options, data, batch, recipe, Path(folder)))
    steps = -(-count // batch)
    for side_name, values in times.items():
        numbers[f"{side_name}.{name}_ms_per_step"] = 1000 * min(values[1:]) / steps
    numbers[f"vidi/bare.{name}_ratio"] = min(times["vidi"][1:]) / min(times["bare"][1:])
finish("overhead", numbers, chosen)
