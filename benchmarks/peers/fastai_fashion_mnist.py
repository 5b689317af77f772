"""fastai's usual way, as many epochs of fit_one_cycle as fit into the minutes."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    Learner,
    PILImageBW,
    RandomCrop,
    accuracy,
    aug_transforms,
    xresnet18,
)  # fmt: skip

sys.path.insert(0, str(Path(__file__).parent))
from idx import load

folder, minutes = Path(sys.argv[1]), float(sys.argv[2])
torch.manual_seed(0)
(train_x, train_y), (test_x, test_y) = load(folder)
images, labels = np.concatenate([train_x, test_x]), np.concatenate([train_y, test_y])
test = list(range(len(train_x), len(images)))

block = DataBlock(
    blocks=(ImageBlock(PILImageBW), CategoryBlock(vocab=list(range(10)))),
    get_x=lambda i: PILImageBW.create(images[i]), get_y=lambda i: int(labels[i]),
    splitter=lambda items: (list(range(len(train_x))), test),
    item_tfms=RandomCrop(28), batch_tfms=aug_transforms(do_flip=True, max_rotate=5, max_zoom=1.05, max_lighting=0.1, max_warp=0),
)  # fmt: skip
loaders = block.dataloaders(list(range(len(images))), bs=128, num_workers=0)
learner = Learner(loaders, xresnet18(c_in=1, n_out=10, ks=3), metrics=accuracy)

start, steps = time.perf_counter(), 0
learner.model.train()
optimizer = torch.optim.SGD(learner.model.parameters(), 0.0)
for x, y in loaders.train:
    learner.loss_func(learner.model(x), y).backward()
    optimizer.step()
    optimizer.zero_grad()
    steps += 1
    if steps == 5:
        start = time.perf_counter()
    if steps == 25:
        break
per_step = (time.perf_counter() - start) / 20
epochs = max(1, int(minutes * 60 / (per_step * len(loaders.train)) * 0.97))
learner = Learner(loaders, xresnet18(c_in=1, n_out=10, ks=3), metrics=accuracy)
begun = time.perf_counter()
with learner.no_bar(), learner.no_logging():
    from fastai.callback.core import CancelValidException

    class NoValidation(__import__("fastai.callback.core", fromlist=["Callback"]).Callback):
        def before_validate(self):
            raise CancelValidException

    learner.fit_one_cycle(epochs, 1e-2, cbs=NoValidation())
seconds = time.perf_counter() - begun
predicted, truth = learner.get_preds(dl=loaders.valid)
print(json.dumps({"accuracy": float((predicted.argmax(1) == truth).float().mean()), "epochs": epochs, "seconds": seconds}))
