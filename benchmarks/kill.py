"""Kill a training process without warning, many times, and compare the end with an uninterrupted run's.

    python benchmarks/kill.py --kills 40

A run on the handwritten digits writes a checkpoint every 3 steps, with a temporary folder on another path than the run's. It is killed by SIGKILL
at random moments and resumed until it ends by itself after at least that many kills. The weights must equal those of a run that nobody touched.
"""

import os
import random
import signal
import subprocess
import sys
import time

from common import WORK, arguments, finish, vidi

chosen = arguments(__doc__, kills=40)
folder = WORK / "kill"
subprocess.run(["rm", "-rf", str(folder)], check=True)
folder.mkdir(parents=True)
vidi("samples", "get", "digits", folder / "digits")
settings = [
    "net=small", "widths=[16,32]", "imgsz=16", "epochs=60", "batch=32", "checkpoint_every=3", "ema=0.9", "dropout=0.1", "precision=fp32", "threads=1",
    "augment=rotate(degrees=10),translate(share=0.06)", "doctor=false", f"project={folder}", "val_every=20",
]  # fmt: skip
whole = [sys.executable, "-m", "vidi", "train", str(folder / "digits"), "name=whole", *settings]
start = time.perf_counter()
subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seconds = time.perf_counter() - start

command = [sys.executable, "-m", "vidi", "train", str(folder / "digits"), "name=killed", *settings]
state, kills, rounds = folder / "classify" / "killed" / "state", 0, 0
chance = random.Random(0)
other = WORK / "other-tmp"
other.mkdir(exist_ok=True)
while True:
    rounds += 1
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(other)})
    command = [sys.executable, "-m", "vidi", "train", f"project={folder}", "name=killed", "--resume"]
    before = max((int(path.stem.split("-")[1]) for path in state.glob("step-*.ckpt")), default=0)
    deadline = time.monotonic() + 300
    while kills < chosen.kills and process.poll() is None and time.monotonic() < deadline:
        now = max((int(path.stem.split("-")[1]) for path in state.glob("step-*.ckpt")), default=0)
        if now >= before + 6:
            time.sleep(chance.random() * 0.3)
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    _, errors = process.communicate()
    if process.returncode == -signal.SIGKILL:
        kills += 1
        continue
    if process.returncode:
        raise SystemExit(f"round {rounds} failed: {errors.decode()[-500:]}")
    break

import vidi as package  # noqa: E402

first, second = (package.load(folder / "classify" / name / "weights" / "last.vidi").card.weights_sha256 for name in ("whole", "killed"))
orphans = len(list((folder / "classify" / "killed").rglob(".*.tmp")))
finish("kill", {"kills": kills, "rounds": rounds, "equal": float(first == second), "orphans": orphans, "whole.seconds": seconds}, chosen, sha256=first[:16])
sys.exit(first != second)
