"""How fast pictures reach a training loop: vidi's loader against torchvision's ImageFolder and torch's DataLoader.

    python benchmarks/loader.py [--json] [--peers torchvision|none] [--photos DIR] [--workers 2] [--enlarge 1.0714]

Photos of 640x480 (JPEG, quality 90) become normalized float batches of 64 at 224 px, cropped at random, resized and flipped.
torchvision does it the usual way: RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize in DataLoader processes, in every
epoch alike. vidi decodes once in its first epoch and reads its cache in later ones. Every contender runs in a process of
its own; rounds alternate, and each number is the median over rounds. Without ``--photos`` the pictures are crops of the two
photographs that come with scikit-learn, with sensor noise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

BATCH = 64
SIZE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_photos(folder: Path, count: int) -> None:
    """Crops of real photographs, scaled to 640x480, mirrored, brightened, with noise."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_sample_images

    sources, rng = load_sample_images().images, np.random.default_rng(0)
    for i in range(count):
        source = sources[i % len(sources)]
        tall = int(rng.integers(320, source.shape[0] + 1))
        wide = min(source.shape[1], tall * 4 // 3)
        y, x = rng.integers(0, source.shape[0] - tall + 1), rng.integers(0, source.shape[1] - wide + 1)
        crop = Image.fromarray(source[y : y + tall, x : x + wide]).resize((640, 480), Image.Resampling.BICUBIC)
        pixels = np.asarray(crop).astype(np.float32)[:, :: rng.choice([-1, 1])] * rng.uniform(0.8, 1.2)
        pixels = (pixels + rng.normal(0, 3, pixels.shape)).clip(0, 255).astype(np.uint8)
        path = folder / str(i % len(sources)) / f"{i:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90)


class Clock:
    """Wall seconds and processor seconds, children's included, since the last lap."""

    def __init__(self) -> None:
        self._last = self._now()

    def lap(self) -> tuple[float, float]:
        now, last = self._now(), self._last
        self._last = now
        return now[0] - last[0], now[1] - last[1]

    @staticmethod
    def _now() -> tuple[float, float]:
        import psutil

        own = psutil.Process()
        times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        return time.perf_counter(), sum(part.user + part.system for part in times)


def run_vidi(folder: Path, workers: int, enlarge: float, epochs: int) -> list[tuple[float, float]]:
    """Wall and processor seconds of each epoch."""
    import torch

    from vidi.augmentations._pipeline import Pipeline, parse
    from vidi.core.dataset import Dataset, Sample
    from vidi.core.preprocess import Preprocess
    from vidi.core.seeds import Draw, sample_keys
    from vidi.data.loader import Loader
    from vidi.data.pixels import PixelStore
    from vidi.data.samplers import shuffled

    data = Dataset([Sample(str(path.relative_to(folder)), {"image": path}) for path in sorted(folder.rglob("*.jpg"))], root=folder)
    pipeline = Pipeline(parse(["random_resized_crop", "hflip"]), (SIZE, SIZE))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    seconds = []
    with PixelStore(data, Preprocess((SIZE, SIZE)).enlarged(enlarge), cache="memory", workers=workers) as store:
        loader = Loader(store, data, batch=BATCH)
        for epoch in range(epochs):
            clock = Clock()
            for batch in loader.batches(shuffled(len(data), 0, epoch)):
                images = batch.inputs["image"].float().div_(255)
                images, _ = pipeline.apply(images, Draw(sample_keys(0, epoch, batch.indices)))
                used((images - mean).div_(std))
            seconds.append(clock.lap())
    return seconds


def run_torchvision(folder: Path, workers: int, epochs: int) -> list[float]:
    import torch
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    steps = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    data = ImageFolder(str(folder), transforms.Compose([*steps, transforms.Normalize(MEAN, STD)]))
    loader = torch.utils.data.DataLoader(data, BATCH, shuffle=True, num_workers=workers, persistent_workers=True)
    seconds = []
    for _ in range(epochs):
        clock = Clock()
        for images, _ in loader:
            used(images)
        seconds.append(clock.lap())
    return seconds


def used(images) -> None:
    assert images.shape[1:] == (3, SIZE, SIZE) and str(images.dtype) == "torch.float32"


def contend(name: str, options: argparse.Namespace, folder: Path) -> list[float]:
    """Seconds per epoch of one contender in a fresh process."""
    command = [sys.executable, __file__, "--run", name, "--photos", str(folder), "--workers", str(options.workers)]
    command += ["--enlarge", str(options.enlarge), "--threads", str(options.threads)] + ["--processes"] * options.processes
    source = str(Path(__file__).resolve().parent.parent / "src")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def measure(options: argparse.Namespace, folder: Path) -> dict:
    count = sum(1 for _ in folder.rglob("*.jpg"))
    contenders = ["vidi"] + ([] if options.peers == "none" else options.peers.split(","))
    first, later = {name: [] for name in contenders}, {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name in contenders:
            seconds = contend(name, options, folder)
            first[name].append(count / seconds[0])
            later[name].append(count / median(seconds[1:]))
    numbers = {}
    for name in contenders:
        numbers[f"{name}.first_epoch_pictures_per_second"] = round(median(first[name]), 1)
        numbers[f"{name}.pictures_per_second"] = round(median(later[name]), 1)
    for name in contenders[1:]:
        for key in ("first_epoch_pictures_per_second", "pictures_per_second"):
            numbers[f"vidi.{key}_over_{name}"] = round(numbers[f"vidi.{key}"] / numbers[f"{name}.{key}"], 2)
    mean_bytes = round(sum(path.stat().st_size for path in folder.rglob("*.jpg")) / count)
    about = {
        "pictures": count, "bytes_per_picture": mean_bytes, "batch": BATCH, "size": SIZE, "canvas": round(SIZE * options.enlarge),
        "workers": options.workers, "processes": options.processes, "threads": options.threads, "rounds": options.rounds, "cores": os.cpu_count(),
        "per_round": {name: {"first": [round(x, 1) for x in first[name]], "later": [round(x, 1) for x in later[name]]} for name in contenders},
    }  # fmt: skip
    return {"kind": "loader", "numbers": numbers, "about": about}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--peers", default="torchvision", help="torchvision or none")
    parser.add_argument("--photos", type=Path, help="a folder of class folders of JPEG files, instead of the generated ones")
    parser.add_argument("--count", type=int, default=600, help="pictures to generate")
    parser.add_argument("--workers", type=int, default=2, help="DataLoader's processes; vidi decodes in as many threads or processes")
    parser.add_argument("--processes", action="store_true", help="vidi decodes in processes, not threads")
    parser.add_argument("--threads", type=int, default=2, help="torch's threads in the main process")
    parser.add_argument("--enlarge", type=float, default=15 / 14, help="vidi's canvas over the input size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="accepted for uniformity; nothing is trained here")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.run:
        import torch

        torch.set_num_threads(options.threads)
        if options.run == "torchvision":
            seconds = run_torchvision(options.photos, options.workers, 3)
        else:
            seconds = run_vidi(options.photos, options.workers if options.processes else 0, options.enlarge, 3)
        print(json.dumps(seconds))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.photos or Path(temporary)
        if not options.photos:
            make_photos(folder, options.count)
        result = measure(options, folder)
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result["numbers"].items():
        print(f"{key:55s} {value:10.2f}")


if __name__ == "__main__":
    main()
