"""PGD of foolbox on a vidi model: robust accuracy, and pictures per second.

    python foolbox_attack.py MODEL.vidi PICTURES.npz SIZE STEP STEPS BATCH
"""

import json
import sys
import time

import foolbox
import numpy as np
import torch

from vidi.model import load

file, stack, size, step, steps, batch = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])


class Logits(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net({"image": images})["logits"]


values = np.load(stack)
images, labels = torch.from_numpy(values["images"].astype(np.float32) / 255), torch.from_numpy(values["labels"])
torch.manual_seed(0)
wrapped = foolbox.PyTorchModel(Logits(load(file).net).eval(), bounds=(0, 1), device="cuda" if torch.cuda.is_available() else "cpu")
foolbox.attacks.LinfPGD(abs_stepsize=step, steps=2)(wrapped, images[:batch].to(wrapped.device), labels[:batch].to(wrapped.device), epsilons=size)
attack, right = foolbox.attacks.LinfPGD(abs_stepsize=step, steps=steps, random_start=True), 0
begun = time.perf_counter()
for start in range(0, len(images), batch):
    part, truth = images[start : start + batch].to(wrapped.device), labels[start : start + batch].to(wrapped.device)
    _, _, fooled = attack(wrapped, part, truth, epsilons=size)
    right += int((~fooled).sum())
spent = time.perf_counter() - begun
print(json.dumps({"robust": right / len(images), "per_second": len(images) / spent}))
