"""How long ``vidi --help`` and ``import vidi`` take, and whether they import torch.

    python benchmarks/startup.py
"""

import subprocess
import sys
import time

from common import arguments, finish


def best(words: list[str], runs: int = 10) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


chosen = arguments(__doc__)
python = best([sys.executable, "-c", "pass"])
numbers = {
    "python.seconds": python,
    "import_vidi.seconds": best([sys.executable, "-c", "import vidi"]),
    "import_vidi.over_python_seconds": best([sys.executable, "-c", "import vidi"]) - python,
    "help.seconds": best([sys.executable, "-m", "vidi", "--help"]),
    "train_help.seconds": best([sys.executable, "-m", "vidi", "train", "--help"]),
    "import_vidi.torch_imported": float(subprocess.run([sys.executable, "-c", "import vidi, sys; sys.exit('torch' in sys.modules)"]).returncode),
}
finish("startup", numbers, chosen)
