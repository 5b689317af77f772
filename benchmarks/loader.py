"""How fast pictures reach a training loop: vidi's loader against torchvision's ImageFolder and torch's DataLoader.

    python benchmarks/loader.py [--json] [--peers torchvision|none] [--photos DIR] [--workers 2] [--enlarge 1.0714]

Photos of 640x480 (JPEG, quality 90) become normalized float batches of 64 at 224 px, in two ways:

    resized   RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize  |  random_resized_crop, hflip
    crop      Resize, RandomCrop, RandomHorizontalFlip, ToTensor, Normalize |  crop, hflip

torchvision decodes in every epoch, in DataLoader processes. vidi decodes once, in its first epoch, and reads its cache in later
ones. Every contender runs in a fresh process, after a pass over 64 pictures, not counted, through a loader of its own; rounds
alternate, each number is the median over rounds. Processor time, which other programs disturb less, is given beside the rate. Without ``--photos`` the pictures are crops of the two
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
WAYS = ("resized", "crop")
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


def run_vidi(files: list[Path], way: str, workers: int, enlarge: float, epochs: int) -> list[tuple[float, float]]:
    """Wall and processor seconds of each epoch."""
    import torch

    from vidi.augmentations._pipeline import Pipeline, parse
    from vidi.core.dataset import Dataset, Sample
    from vidi.core.memory import keep_freed_memory
    from vidi.core.preprocess import Preprocess
    from vidi.core.seeds import Draw, sample_keys
    from vidi.data.loader import Loader
    from vidi.data.pixels import PixelStore
    from vidi.data.samplers import shuffled

    keep_freed_memory()
    data = Dataset([Sample(path.name, {"image": path}) for path in files])
    pipeline = Pipeline(parse(["random_resized_crop" if way == "resized" else "crop", "hflip"]), (SIZE, SIZE))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    seconds = []
    with PixelStore(data, Preprocess((SIZE, SIZE)).enlarged(enlarge), cache="memory", workers=workers) as store:
        loader = Loader(store, data, batch=BATCH)
        for epoch in range(epochs):
            clock = Clock()
            for batch in loader.batches(shuffled(len(data), 0, epoch)):
                images = batch.inputs["image"].float().div_(255)
                images, _ = pipeline.apply(images, Draw(sample_keys(0, epoch, batch.indices)))
                used(images.sub_(mean).div_(std))
            seconds.append(clock.lap())
    return seconds


def run_torchvision(files: list[Path], way: str, workers: int, enlarge: float, epochs: int) -> list[tuple[float, float]]:
    import torch
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    if way == "resized":
        steps = [transforms.RandomResizedCrop(SIZE)]
    else:
        steps = [transforms.Resize(round(SIZE * enlarge)), transforms.RandomCrop(SIZE)]
    steps += [transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    chosen = {str(path) for path in files}
    data = ImageFolder(str(files[0].parent.parent), transforms.Compose(steps), is_valid_file=chosen.__contains__)
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


def contend(name: str, way: str, options: argparse.Namespace, folder: Path) -> list[list[float]]:
    """Wall and processor seconds of each epoch of one contender in a fresh process."""
    command = [sys.executable, __file__, "--run", name, "--way", way, "--photos", str(folder), "--workers", str(options.workers)]
    command += ["--enlarge", str(options.enlarge), "--threads", str(options.threads)] + ["--processes"] * options.processes
    source = str(Path(__file__).resolve().parent.parent / "src")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout)


def measure(options: argparse.Namespace, folder: Path) -> dict:
    count = sum(1 for _ in folder.rglob("*.jpg"))
    contenders = ["vidi"] + ([] if options.peers == "none" else options.peers.split(","))
    numbers, rounds = {}, {}
    for way in WAYS:
        runs = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name in contenders:
                runs[name].append(contend(name, way, options, folder))
        prefix = "" if way == "resized" else "crop_"
        for name, found in runs.items():
            later = [[median(epoch[k] for epoch in run[1:]) for k in (0, 1)] for run in found]
            for key, seconds in ((f"{prefix}first_epoch_", [run[0] for run in found]), (prefix, later)):
                numbers[f"{name}.{key}pictures_per_second"] = round(median(count / wall for wall, _ in seconds), 1)
                numbers[f"{name}.{key}cpu_ms_per_picture"] = round(median(1e3 * cpu / count for _, cpu in seconds), 3)
        rounds[way] = {name: [[[round(x, 2) for x in epoch] for epoch in run] for run in found] for name, found in runs.items()}
    about = {
        "pictures": count, "bytes_per_picture": round(sum(path.stat().st_size for path in folder.rglob("*.jpg")) / count),
        "batch": BATCH, "size": SIZE, "canvas": round(SIZE * options.enlarge), "workers": options.workers,
        "processes": options.processes, "threads": options.threads, "cores": os.cpu_count(), "rounds": rounds,
    }  # fmt: skip
    return {"kind": "loader", "numbers": numbers | ratios(numbers, contenders[1:]), "about": about}


def ratios(numbers: dict, peers: list[str]) -> dict:
    """How many times vidi is as fast, and how many times its processor time a peer needs."""
    found = {}
    for peer in peers:
        for key in [key.partition(".")[2] for key in numbers if key.startswith("vidi.")]:
            a, b = numbers[f"vidi.{key}"], numbers[f"{peer}.{key}"]
            found[f"vidi.{key}_against_{peer}"] = round(b / a if "cpu_ms" in key else a / b, 2)
    return found


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
    parser.add_argument("--way", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.run:
        import torch

        torch.set_num_threads(options.threads)
        contender = {"vidi": run_vidi, "torchvision": run_torchvision}[options.run]
        workers = options.workers if options.run != "vidi" or options.processes else 0
        files = sorted(options.photos.rglob("*.jpg"))
        contender(files[:: max(1, len(files) // BATCH)], options.way, workers, options.enlarge, 1)  # imports and first calls
        seconds = contender(files, options.way, workers, options.enlarge, 3)
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
        print(f"{key:65s} {value:10.2f}")


if __name__ == "__main__":
    main()
