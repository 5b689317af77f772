"""Fashion-MNIST, a small net under attack within L∞ 0.1, before and after `vidi defend`.

    python benchmarks/defend.py --minutes 40
    python benchmarks/defend.py --minutes 10 --json

A VGG of 0.6 million parameters is trained for a tenth of the time, then defended for the rest with PGD of two steps on one CPU thread: the
budget is small for more, and two steps of 1.25 budgets do not overfit as single ones do. Both models are attacked by `auto`, the strongest
attack offered, on the same 1,000 test pictures, chosen at random. There are no peers: what is compared is the model with itself.
"""

import os
import subprocess

os.environ.setdefault("OMP_NUM_THREADS", "1")

from common import WORK, arguments, finish, vidi

BUDGET, LIMIT = "0.1", 1000
NET = ["--net", "vgg", "width=16"]
RECIPE = ["batch=128", "optimizer=adamw", "lr=0.004", "schedule=triangle", "warmup=0.2", "final_lr=0", "ema=0.998", "augment=hflip", "val=0", "threads=1", "precision=bf16"]
METHOD = "pgd(steps=2)"

chosen = arguments(__doc__, minutes=40)
data = WORK / "fashion-mnist"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "fashion-mnist", str(data)], check=True, stdout=subprocess.DEVNULL)
place = [f"project={WORK / 'runs'}", "exist_ok=true", "doctor=false"]
plain = WORK / "runs" / "classify" / "undefended" / "weights" / "last.vidi"
vidi("train", data, *NET, f"minutes={chosen.minutes / 10}", "name=undefended", *RECIPE, *place)
result = vidi("defend", plain, data, "--method", METHOD, "--budget", BUDGET, "--limit", LIMIT, f"minutes={chosen.minutes * 0.9}", "name=defended", *RECIPE, *place)
found, about = result["numbers"], result["about"]
numbers = {f"{when}.{key}": found[f"{when}.{key}"] for key in ("accuracy", "robust_accuracy") for when in ("before", "after")}
if not chosen.json:
    print(f"{'':10s} {'clean':>8s} {'robust':>8s}   interval of robust")
    for when in ("before", "after"):
        low, high = about["intervals"][f"{when}.robust_accuracy"]
        print(f"{when:10s} {numbers[f'{when}.accuracy']:8.4f} {numbers[f'{when}.robust_accuracy']:8.4f}   {low:.4f} to {high:.4f}")
finish(
    "defend", numbers, chosen, minutes=chosen.minutes, verdict=about["verdict"], cost=about["cost"], checks=about["checks"], attack=about["attack"], method=METHOD,
    protocol=f"L∞ {BUDGET}, {LIMIT} test pictures, 8-bit pictures, one thread",
)  # fmt: skip
