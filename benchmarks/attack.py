"""Fashion-MNIST, a small ResNet under attack: vidi beside ART and foolbox, at equal settings, on the same net and pictures.

    python benchmarks/attack.py --setup --minutes 10
    python benchmarks/attack.py --minutes 2 --peers none

PGD with 50 steps of 0.01 from a random place (L∞ 0.1), and with steps of 1/255 within 4/255, where a part of the pictures stands: robust
accuracy of the float pictures and pictures per second. vidi leaves pictures alone once they are fooled for good; `full` is its rate when
told not to. Then the parameter-free ensemble, which must leave no more standing than PGD, and the robust accuracy of the 8-bit files that
`vidi attack` writes. The peers run the same net from the same model file, in environments of their own.
"""

import shutil
import subprocess
import time

import numpy as np
import torch
from common import HERE, WORK, arguments, finish, peer, setup, vidi

from vidi.core.seeds import Draw
from vidi.data import read
from vidi.engine.evaluate import make_loader
from vidi.methods.attack._base import Budget, make_attack
from vidi.methods.attack._goal import goal_for
from vidi.model import load

MOST, ENSEMBLE, BATCH, STEPS = 1000, 200, 128, 50
BUDGETS = {"wide": (0.1, 0.01), "narrow": (4 / 255, 1 / 255)}

chosen = arguments(__doc__, minutes=10, peers=("art", "foolbox"))
if chosen.setup:
    for name, package in (("art", "adversarial-robustness-toolbox"), ("foolbox", "foolbox")):
        if name in chosen.peers:
            setup(name, [package, str(HERE.parent)])

data = WORK / "fashion-mnist"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "fashion-mnist", str(data)], check=True, stdout=subprocess.DEVNULL)
run = WORK / "runs" / "classify" / "attack"
trained = vidi(
    "train", data, "--net", "resnet", "stem=small", "width=16", f"minutes={chosen.minutes}", "val=0", "batch=128", f"project={WORK / 'runs'}", "name=attack", "exist_ok=true", "doctor=false"
)  # fmt: skip
file = run / "weights" / "last.vidi"
model = load(file)
test = read(data, split="test")
COUNT = min(MOST, len(test))
pictures = test.with_samples(test[i] for i in range(COUNT))
stack = WORK / "attack.npz"
images, labels = [], []
for batch in make_loader(pictures, model.preprocess, BATCH, cache="none").batches(np.arange(COUNT)):
    images.append(batch.inputs["image"].numpy())
    labels += batch.labels
levels = np.concatenate(images)
truth = np.array([label.top for label in labels])
np.savez(stack, images=levels, labels=truth)
clean = torch.from_numpy(levels).float().div(255)


def standing(shown: torch.Tensor) -> float:
    with torch.no_grad():
        tops = torch.cat([model.net({"image": part})["logits"].argmax(1) for part in shown.split(BATCH)])
    return float((tops.numpy() == truth[: len(shown)]).mean())


def attacked(name: str, size: float, count: int, **settings: object) -> tuple[float, float]:
    """Robust accuracy, and pictures per second."""
    method, budget, found = make_attack(name, **settings), Budget("linf", size), []
    begun = time.perf_counter()
    for start in range(0, count, BATCH):
        part = clean[start : min(start + BATCH, count)]
        goal = goal_for(model.net, part, labels[start : start + len(part)])
        found.append(method.run(model.net, part, goal, budget, Draw.samples(0, 0, np.arange(start, start + len(part)))))
    spent = time.perf_counter() - begun
    return standing(torch.cat(found)), count / spent


numbers: dict[str, float] = {"vidi.accuracy": trained["numbers"]["test.accuracy"], "vidi.clean": standing(clean)}
attacked("pgd", 0.1, BATCH, steps=2)
for kind, (size, step) in BUDGETS.items():
    settings = {"steps": STEPS, "step": step}
    numbers[f"vidi.{kind}.robust"], numbers[f"vidi.{kind}.per_second"] = attacked("pgd", size, COUNT, **settings)
    numbers[f"vidi.{kind}.full_robust"], numbers[f"vidi.{kind}.full_per_second"] = attacked("pgd", size, COUNT, stop=False, **settings)
    for name in chosen.peers:
        found = peer(name, f"{name}_attack.py", file, stack, size, step, STEPS, BATCH)
        numbers |= {f"{name}.{kind}.{key}": value for key, value in found.items()}
        numbers[f"vidi-{name}.{kind}.robust_difference"] = numbers[f"vidi.{kind}.robust"] - found["robust"]
        for rate in ("per_second", "full_per_second"):
            numbers[f"vidi/{name}.{kind}.{rate}_ratio"] = numbers[f"vidi.{kind}.{rate}"] / found["per_second"]
size, step = BUDGETS["narrow"]
numbers["vidi.ensemble.pgd"], _ = attacked("pgd", size, min(ENSEMBLE, COUNT), steps=STEPS, step=step)
numbers["vidi.ensemble.robust"], numbers["vidi.ensemble.per_second"] = attacked("auto", size, min(ENSEMBLE, COUNT))
shutil.rmtree(WORK / "attacked", ignore_errors=True)
written = vidi("attack", file, data, "--budget", "4/255", "--steps", STEPS, "--limit", COUNT, "--out", WORK / "attacked")
numbers["vidi.files.robust"] = vidi("val", file, WORK / "attacked", "intervals=0")["numbers"]["accuracy"]
notes = written["about"]["notes"]
finish("attack", numbers, chosen, minutes=chosen.minutes, notes=notes, protocol=f"first {COUNT} test pictures, batches of {BATCH}, PGD with {STEPS} steps and one random start, float pictures")
