"""Fashion-MNIST in a fixed time on this machine: vidi, fastai and a Keras script, last-epoch test accuracy.

    python benchmarks/fashion_mnist.py --setup --minutes 10
    python benchmarks/fashion_mnist.py --minutes 60 --peers none
"""

import subprocess

from common import WORK, arguments, finish, peer, setup, vidi

chosen = arguments(__doc__, minutes=10, peers=("fastai", "keras"))
if chosen.setup:
    for name, packages in (("fastai", ["fastai"]), ("keras", ["tensorflow-cpu", "keras"])):
        if name in chosen.peers:
            setup(name, packages)

data = WORK / "fashion-mnist"
if not data.exists():
    subprocess.run(["vidi", "samples", "get", "fashion-mnist", str(data)], check=True, stdout=subprocess.DEVNULL)

recipe = "fashion_mnist"
result = vidi("train", data, "--recipe", recipe, f"minutes={chosen.minutes}", f"project={WORK / 'runs'}", f"name=fashion{chosen.minutes:g}", "exist_ok=true", "doctor=false")
numbers = {"vidi.accuracy": result["numbers"]["test.accuracy"]}
for name in chosen.peers:
    found = peer(name, f"{name}_fashion_mnist.py", data, chosen.minutes)
    numbers |= {f"{name}.{key}": value for key, value in found.items()}
    numbers[f"vidi/{name}.error_ratio"] = (1 - numbers["vidi.accuracy"]) / (1 - numbers[f"{name}.accuracy"])
finish("fashion_mnist", numbers, chosen, minutes=chosen.minutes, recipe=recipe, protocol="60,000 training pictures, last epoch, 10,000 test pictures, no test-time augmentation")
