"""PGD of the Adversarial Robustness Toolbox on a vidi model: robust accuracy, and pictures per second.

    python art_attack.py MODEL.vidi PICTURES.npz SIZE STEP STEPS BATCH
"""

import json
import sys
import time

import numpy as np
import torch
from art.attacks.evasion import ProjectedGradientDescentPyTorch
from art.estimators.classification import PyTorchClassifier

from vidi.model import load

file, stack, size, step, steps, batch = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])


class Logits(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net({"image": images})["logits"]


values = np.load(stack)
images, labels = values["images"].astype(np.float32) / 255, values["labels"]
torch.manual_seed(0)
np.random.seed(0)
net = Logits(load(file).net).eval()
classifier = PyTorchClassifier(
    net, torch.nn.CrossEntropyLoss(), images.shape[1:], int(labels.max()) + 1, clip_values=(0.0, 1.0), device_type="gpu" if torch.cuda.is_available() else "cpu"
)
settings = {"norm": np.inf, "eps": size, "eps_step": step, "num_random_init": 1, "batch_size": batch, "verbose": False}
ProjectedGradientDescentPyTorch(classifier, max_iter=2, **settings).generate(images[:batch], labels[:batch])
attack = ProjectedGradientDescentPyTorch(classifier, max_iter=steps, **settings)
begun = time.perf_counter()
found = attack.generate(images, labels)
spent = time.perf_counter() - begun
print(json.dumps({"robust": float((classifier.predict(found, batch_size=batch).argmax(1) == labels).mean()), "per_second": len(images) / spent}))
