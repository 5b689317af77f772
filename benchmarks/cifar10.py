"""CIFAR-10 by recipe, last-epoch test accuracy within a time budget on this machine.

    python benchmarks/cifar10.py --minutes 30
"""

import subprocess
import time

from common import DATA, WORK, arguments, finish, vidi

chosen = arguments(__doc__, minutes=30)
data = WORK / "cifar10"
if not data.exists():
    WORK.mkdir(parents=True, exist_ok=True)
    unpacked = WORK / "cifar10.part"
    unpacked.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xJf", str(DATA / "cifar10.tar.xz"), "-C", str(unpacked)], check=True)
    inside = next(path.parent for path in sorted(unpacked.rglob("train")) if path.is_dir())
    inside.rename(data)

start = time.perf_counter()
result = vidi("train", data, "--recipe", "cifar10", f"minutes={chosen.minutes}", f"project={WORK / 'runs'}", f"name=cifar{chosen.minutes:g}", "exist_ok=true", "doctor=false")
numbers = {"vidi.accuracy": result["numbers"]["test.accuracy"], "vidi.wall_seconds": time.perf_counter() - start}
finish("cifar10", numbers, chosen, minutes=chosen.minutes, recipe="cifar10", protocol="50,000 training pictures, last epoch, 10,000 test pictures, no test-time augmentation")
