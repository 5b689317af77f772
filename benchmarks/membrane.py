"""Cell membranes (ISBI electron microscopy): vidi's semantic nets and segmentation-models-pytorch's U-Net in a plain loop, on this machine.

    python benchmarks/membrane.py --setup --minutes 20
    python benchmarks/membrane.py --only unet --minutes 5 --peers none

Pictures 0–23 train, 24–29 test, 512×512, trained and predicted in tiles of 256 pixels. Mean IoU, Dice of the class cell, training tiles per
second (over the whole training time) and test pictures per second from files to class maps; the scores once more with flips as further views.
All start from random weights; the peer has unet's encoder (ResNet-18), tiles, batch, optimizer and minutes. classic is the U-Net of the paper,
a quarter as wide.
"""

import json
import shutil
import subprocess
import sys

from common import DATA, WORK, arguments, finish, peer, setup, vidi

TILE, BATCH = 256, 8
NETS = {
    "unet": (BATCH, ["--net", "unet"]),
    "classic": (4, ["--net", "unet", "backbone=classic", "width=16", "lr=2e-3"]),
    "fcn": (BATCH, ["--net", "fcn", "backbone=resnet(depth=18)"]),
    "deeplab": (BATCH, ["--net", "deeplab", "backbone=resnet(depth=18)"]),
    "lraspp": (BATCH, ["--net", "lraspp"]),
}
AUGMENT = "hflip,vflip,scale_jitter(low=0.8,high=1.25),rotate(degrees=45),elastic,brightness,contrast"

chosen = arguments(__doc__, minutes=20, peers=("smp",), parts=("unet", "classic", "fcn", "deeplab"))
if chosen.setup and "smp" in chosen.peers:
    setup("smp", ["segmentation-models-pytorch"])

data = WORK / "membrane"
if not data.exists():
    part = WORK / "membrane.part"
    shutil.rmtree(part, ignore_errors=True)
    (part / "raw").mkdir(parents=True)
    subprocess.run(["tar", "-xJf", str(DATA / "membrane.tar.xz"), "-C", str(part / "raw")], check=True)
    source = part / "raw" / "membrane" / "train"
    for number in range(30):
        split = "train" if number < 24 else "test"
        for kind, folder in (("image", "images"), ("label", "masks")):
            (part / split / folder).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / kind / f"{number}.png", part / split / folder / f"{number:02d}.png")
    (part / "data.yaml").write_text("names: [membrane, cell]\nids: [0, 255]\nvalues: classes\n")
    shutil.rmtree(part / "raw")
    part.rename(data)

PREDICT = """
import sys, time, json
from pathlib import Path
import vidi
from vidi.core.console import quiet
from vidi.model import load
model, files = load(sys.argv[1]), sorted(Path(sys.argv[2]).glob("*.png"))
with quiet():
    vidi.predict(model, files[:1], batch=9, whole=False)
    start = time.perf_counter()
    vidi.predict(model, files, batch=9, whole=False)
print(json.dumps(len(files) / (time.perf_counter() - start)))
"""

numbers: dict[str, float] = {}
for name in chosen.only:
    batch, words = NETS[name]
    vidi(
        "train", data, "--task", "semantic", *words, f"batch={batch}", f"tile={TILE}", f"minutes={chosen.minutes}", "val=0",
        f"augment={AUGMENT}", "val_every=1000000", f"project={WORK / 'runs'}", f"name=membrane-{name}", "exist_ok=true",
    )  # fmt: skip
    run = WORK / "runs" / "semantic" / f"membrane-{name}"
    status = json.loads((run / "status.json").read_text())
    for ending, views in (("", []), ("_flip", ["--tta", "flip"])):
        scored = vidi("val", run / "weights" / "last.vidi", data, "--split", "test", "--intervals", "0", *views)["numbers"]
        numbers |= {f"{name}.{key}{ending}": scored[key] for key in ("miou", "dice_cell")}
    numbers[f"{name}.train_per_second"] = status["step"] * batch / status["seconds"]
    done = subprocess.run([sys.executable, "-c", PREDICT, str(run / "weights" / "last.vidi"), str(data / "test" / "images")], stdout=subprocess.PIPE, text=True, check=True)
    numbers[f"{name}.predict_per_second"] = float(done.stdout.strip().splitlines()[-1])
for name in chosen.peers:
    found = peer(name, f"{name}_membrane.py", data, chosen.minutes, TILE, BATCH)
    numbers |= {f"{name}.{key}": value for key, value in found.items()}
    for net in chosen.only:
        numbers |= {f"{net}/{name}.{key}_ratio": numbers[f"{net}.{key}"] / numbers[f"{name}.{key}"] for key in ("train_per_second", "predict_per_second")}
finish("membrane", numbers, chosen, minutes=chosen.minutes, tile=TILE, protocol="pictures 0-23 train, 24-29 test, last epoch, whole test pictures put together from tiles")
