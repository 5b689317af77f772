"""Handwritten digits under stress: a model as it is, adapted by unlabeled pictures, and with a denoiser or a median in front.

    python benchmarks/adapt.py --minutes 0.5

A small net is trained on 1,000 of the digits, the denoiser for as long on the same. The other 797 are put under each stress at severity 5;
`vidi adapt` sees them without labels and is scored on them, as in the papers.
"""

from dataclasses import replace

import numpy as np
import torch
from common import WORK, arguments, finish

import vidi
from vidi.core.console import set_quiet
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.data.sets.digits import load
from vidi.labels import Classification
from vidi.methods.stress._choose import load_stress

STRESSES = ("gaussian_noise", "shot_noise", "impulse_noise", "contrast", "brightness", "fog")
SEVERITY, SIDE, TRAINED = 5, 16, 1000

chosen = arguments(__doc__, minutes=0.5)
set_quiet(chosen.json)


def digits() -> vidi.Dataset:
    """The digits at 16×16 pixels, the first thousand for training."""
    pixels, classes = load()
    wide = torch.nn.functional.interpolate(torch.from_numpy(pixels[:, None]).float(), size=SIDE, mode="bilinear").round().byte()
    samples = [
        vidi.Sample(f"{i:04d}", {"image": one.expand(3, -1, -1).permute(1, 2, 0).numpy().copy()}, Classification.one_hot(int(label), 10), "train" if i < TRAINED else "test")
        for i, (one, label) in enumerate(zip(wide, classes))
    ]
    return vidi.Dataset(samples, Space("Classification", tuple("0123456789")), "digits")


def stressed(data: vidi.Dataset, name: str) -> vidi.Dataset:
    """The data set with every picture under a stress."""
    images = torch.from_numpy(np.stack([sample.inputs["image"] for sample in data])).permute(0, 3, 1, 2).float() / 255
    changed = load_stress(name).levels[SEVERITY - 1].pixels(images, Draw.samples(0, 0, np.arange(len(images))))
    rows = (changed * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return data.with_samples(replace(sample, inputs={"image": row}) for sample, row in zip(data, rows))


data = digits()
held = data.split("test")
model = vidi.train(data, net="small", widths=[32, 64, 128], imgsz=SIDE, minutes=chosen.minutes, batch=32, augment=["translate(share=0.06)"], verbose=False,
                   project=str(WORK / "runs"), name="adapt", exist_ok=True)  # fmt: skip
file = WORK / "digits.safetensors"
noise = vidi.denoiser(data.split("train"), out=str(file), minutes=chosen.minutes, imgsz=SIDE)
fronts = {"denoise": vidi.enhance(model, steps=f"denoise(file={file})"), "median": vidi.enhance(model, steps="median")}
numbers: dict[str, float] = {f"denoiser.{name}": value for name, value in noise.numbers.items() if name.endswith("_25") and value is not None}
numbers |= {f"{name}.accuracy_clean": vidi.val(one, held, intervals=0).numbers["accuracy"] for name, one in {"as_it_is": model, **fronts}.items()}
for stress in STRESSES:
    bad = stressed(held, stress)
    for method in ("bn", "tent"):
        found = vidi.adapt(model, bad, method=method, intervals=0).numbers
        numbers |= {f"as_it_is.accuracy_{stress}": found["accuracy.before"], f"{method}.accuracy_{stress}": found["accuracy.after"]}
    numbers |= {f"{name}.accuracy_{stress}": vidi.val(one, bad, intervals=0).numbers["accuracy"] for name, one in fronts.items()}
finish("adapt", numbers, chosen, minutes=chosen.minutes, severity=SEVERITY, pictures=len(held))
