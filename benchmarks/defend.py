"""Fashion-MNIST, a small net under attack, before and after `vidi defend`.

    python benchmarks/defend.py --minutes 40
    python benchmarks/defend.py --minutes 10 --only plain,pgd --json

A VGG of 0.6 million parameters is trained for a tenth of the time (`plain`), then defended for the rest with PGD of two steps on one CPU thread
(`pgd`): the budget of L∞ 0.1 is small for more, and two steps of 1.25 budgets do not overfit as single ones do. Both models are attacked by `auto`,
the strongest attack offered, on the same 1,000 test pictures, chosen at random. `smooth` trains for a quarter of the time under noise and certifies
500 test pictures; `detect` gives the plain model an alarm. There are no peers: what is compared is the model with itself.
"""

import os
import subprocess

os.environ.setdefault("OMP_NUM_THREADS", "1")

from common import WORK, arguments, finish, vidi

NET = ["--net", "vgg", "width=16"]
RECIPE = ["batch=128", "optimizer=adamw", "lr=0.004", "schedule=triangle", "warmup=0.2", "final_lr=0", "ema=0.998", "augment=hflip", "val=0", "threads=1", "precision=bf16"]
DEFENSES = {
    "pgd": ("pgd(steps=2)", 0.9, ["--budget", "0.1", "--limit", "1000"]),
    "smooth": ("smooth(sigma=0.25, pictures=500)", 0.25, ["--norm", "l2", "--budget", "0.25", "--limit", "500"]),
    "detect": ("detect(pictures=200)", None, ["--budget", "0.1", "--limit", "1000"]),
}
"""The method, its share of the minutes, the attack."""

chosen = arguments(__doc__, minutes=40, parts=("plain", *DEFENSES))
data = WORK / "fashion-mnist"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "fashion-mnist", str(data)], check=True, stdout=subprocess.DEVNULL)
place = [f"project={WORK / 'runs'}", "exist_ok=true", "doctor=false"]
plain = WORK / "runs" / "classify" / "undefended" / "weights" / "last.vidi"
if "plain" in chosen.only:
    vidi("train", data, *NET, f"minutes={chosen.minutes / 10}", "name=undefended", *RECIPE, *place)
numbers: dict[str, float] = {}
about: dict[str, object] = {}
for name, (method, share, attack) in DEFENSES.items():
    if name not in chosen.only:
        continue
    training = [f"minutes={chosen.minutes * share}", *RECIPE] if share else []
    result = vidi("defend", plain, data, "--method", method, *attack, f"name=defended-{name}", *training, *place)
    numbers |= {f"{name}.{key}": value for key, value in result["numbers"].items() if value is not None and key.split(".")[-1] != "log_loss"}
    about[name] = {key: result["about"][key] for key in ("method", "norm", "budget", "attack", "samples", "verdict", "why", "cost", "checks", "notes", "intervals")}
finish("defend", numbers, chosen, minutes=chosen.minutes, protocol="8-bit pictures, one thread", **about)
