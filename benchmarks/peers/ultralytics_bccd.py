"""ultralytics' yolo11n from random weights on BCCD for some minutes; scored by pycocotools."""

import json
import shutil
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from ultralytics import YOLO, settings

settings.update({"sync": False})
NAMES = ["Platelets", "RBC", "WBC"]
source, minutes, side = Path(sys.argv[1]).resolve(), float(sys.argv[2]), int(sys.argv[3])
work = source.parent / "bccd-ultralytics"
shutil.rmtree(work, ignore_errors=True)

images, annotations = [], []
counts = {}
for split in ("train", "val", "test"):
    stems = (source / "ImageSets" / "Main" / f"{split}.txt").read_text().split()
    counts[split] = len(stems)
    for kind in ("images", "labels"):
        (work / kind / split).mkdir(parents=True)
    for stem in stems:
        shutil.copyfile(source / "JPEGImages" / f"{stem}.jpg", work / "images" / split / f"{stem}.jpg")
        tree = ElementTree.parse(source / "Annotations" / f"{stem}.xml")
        wide, tall = int(tree.findtext("size/width")), int(tree.findtext("size/height"))
        lines = []
        for thing in tree.iter("object"):
            x1, y1, x2, y2 = (float(thing.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax"))
            x1, y1, x2, y2 = max(0.0, x1 - 1), max(0.0, y1 - 1), min(float(wide), x2), min(float(tall), y2)
            kind = NAMES.index(thing.findtext("name"))
            lines.append(f"{kind} {(x1 + x2) / 2 / wide} {(y1 + y2) / 2 / tall} {(x2 - x1) / wide} {(y2 - y1) / tall}")
            if split == "test":
                box = [x1, y1, x2 - x1, y2 - y1]
                annotations.append({"id": len(annotations) + 1, "image_id": stem, "category_id": kind, "bbox": box, "area": box[2] * box[3], "iscrowd": 0})
        (work / "labels" / split / f"{stem}.txt").write_text("\n".join(lines))
        if split == "test":
            images.append({"id": stem, "width": wide, "height": tall})
(work / "data.yaml").write_text(json.dumps({"path": str(work), "train": "images/train", "val": "images/val", "names": dict(enumerate(NAMES))}))

model = YOLO("yolo11n.yaml")
progress = {"epochs": 0, "start": 0.0}
model.add_callback("on_train_start", lambda trainer: progress.update(start=time.perf_counter()))
model.add_callback("on_train_epoch_end", lambda trainer: progress.update(epochs=progress["epochs"] + 1, seconds=time.perf_counter() - progress["start"]))
model.train(data=str(work / "data.yaml"), imgsz=side, batch=16, time=minutes / 60, val=False, plots=False, project=str(work), name="run", workers=2, device="cpu", verbose=False)
trained = YOLO(work / "run" / "weights" / "last.pt")

files = sorted((work / "images" / "test").glob("*.jpg"))
results = []
for file, found in zip(files, trained.predict([str(file) for file in files], imgsz=side, conf=0.001, max_det=100, batch=16, device="cpu", verbose=False)):
    for box, score, kind in zip(found.boxes.xyxy.numpy(), found.boxes.conf.numpy(), found.boxes.cls.numpy()):
        x1, y1, x2, y2 = map(float, box)
        results.append({"image_id": file.stem, "category_id": int(kind), "bbox": [x1, y1, x2 - x1, y2 - y1], "score": float(score)})
truth = COCO()
truth.dataset = {"images": images, "annotations": annotations, "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)]}
truth.createIndex()
scored = COCOeval(truth, truth.loadRes(results), "bbox")
scored.evaluate()
scored.accumulate()
scored.summarize()

every = [str(path) for path in sorted((source / "JPEGImages").glob("*.jpg"))]
trained.predict(every[:16], imgsz=side, batch=16, device="cpu", verbose=False)
start = time.perf_counter()
trained.predict(every, imgsz=side, batch=16, device="cpu", verbose=False)
print(json.dumps({
    "box_ap50": float(scored.stats[1]), "box_ap": float(scored.stats[0]), "epochs": progress["epochs"],
    "train_per_second": progress["epochs"] * counts["train"] / progress["seconds"], "predict_per_second": len(every) / (time.perf_counter() - start),
}))  # fmt: skip
