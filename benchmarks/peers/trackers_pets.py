"""The package trackers on given detections: `trackers_pets.py DETECTIONS.npz VIDEO FIRST OUT.npz`.

DETECTIONS has `boxes` (N, 4), `scores` (N,) and `counts` (T,), things per frame from frame FIRST of the video on. OUT gets, for each
tracker, `NAME_boxes`, `NAME_ids` and `NAME_counts`; the last line printed is a JSON object of frames per second without reading frames.
"""

import json
import sys
import time

import cv2
import numpy as np
import supervision as sv
from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker, SORTTracker

given, video, first, out = np.load(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
ends = np.cumsum(given["counts"])
starts = ends - given["counts"]
capture = cv2.VideoCapture(video)
rate = capture.get(cv2.CAP_PROP_FPS)
frames = []
while len(frames) < first + len(ends):
    read, frame = capture.read()
    if not read:
        break
    frames.append(frame)
frames = frames[first:]

found, numbers = {}, {}
for name, make in {"sort": SORTTracker, "bytetrack": ByteTrackTracker, "ocsort": OCSORTTracker, "botsort": BoTSORTTracker}.items():
    tracker, boxes, ids, counts, spent = make(frame_rate=rate), [], [], [], 0.0
    for start, end, frame in zip(starts, ends, frames):
        things = sv.Detections(xyxy=given["boxes"][start:end].astype(np.float32), confidence=given["scores"][start:end].astype(np.float32), class_id=np.zeros(end - start, int))
        begun = time.perf_counter()
        tracked = tracker.update(things, frame)
        spent += time.perf_counter() - begun
        known = tracked.tracker_id >= 0
        boxes.append(tracked.xyxy[known])
        ids.append(tracked.tracker_id[known])
        counts.append(int(known.sum()))
    found |= {f"{name}_boxes": np.concatenate(boxes), f"{name}_ids": np.concatenate(ids), f"{name}_counts": np.array(counts)}
    numbers[f"{name}.frames_per_second"] = len(frames) / spent
np.savez(out, **found)
print(json.dumps(numbers))
