"""segmentation-models-pytorch's U-Net with a ResNet-18 encoder on the membranes: a plain training loop for some minutes, then tiles."""

import json
import math
import random
import sys
import time
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image

source, minutes, tile, batch = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.manual_seed(0)
random.seed(0)


def load(split):
    files = sorted((source / split / "images").glob("*.png"))
    pictures = [torch.from_numpy(np.asarray(Image.open(file).convert("L"))).float()[None] / 255 for file in files]
    return pictures, [torch.from_numpy((np.asarray(Image.open(source / split / "masks" / file.name).convert("L")) > 127).astype(np.int64)) for file in files]


pictures, maps = load("train")
mean, std = torch.stack(pictures).mean(), torch.stack(pictures).std()
net = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=2)
net = net.to(memory_format=torch.channels_last)
dice = smp.losses.DiceLoss("multiclass")
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)


def sample():
    i = random.randrange(len(pictures))
    y, x = random.randrange(pictures[i].shape[1] - tile + 1), random.randrange(pictures[i].shape[2] - tile + 1)
    image, truth = pictures[i][:, y : y + tile, x : x + tile], maps[i][y : y + tile, x : x + tile]
    turns = random.randrange(4)
    image, truth = torch.rot90(image, turns, (1, 2)), torch.rot90(truth, turns, (0, 1))
    if random.random() < 0.5:
        image, truth = image.flip(2), truth.flip(1)
    image = ((image - 0.5) * random.uniform(0.8, 1.2) + 0.5 + random.uniform(-0.1, 0.1)).clamp(0, 1)
    return (image - mean) / std, truth


net.train()
start, steps = time.perf_counter(), 0
while (spent := time.perf_counter() - start) < minutes * 60:
    share = spent / (minutes * 60)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3 * min(1.0, share / 0.05) * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
    images, truth = zip(*(sample() for _ in range(batch)))
    images, truth = torch.stack(images).contiguous(memory_format=torch.channels_last), torch.stack(truth)
    logits = net(images)
    loss = torch.nn.functional.cross_entropy(logits, truth) + dice(logits, truth)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
    optimizer.step()
    steps += 1
seconds = time.perf_counter() - start

net.eval()
starts = [0, 128, 256]
bump = torch.outer(*[torch.exp(-(((torch.arange(tile) + 0.5 - tile / 2) / (tile / 4)) ** 2) / 2)] * 2)


@torch.inference_mode()
def predict(file):
    image = torch.from_numpy(np.asarray(Image.open(file).convert("L"))).float()[None] / 255
    image = (image - mean) / std
    tiles = torch.stack([image[:, y : y + tile, x : x + tile] for y in starts for x in starts])
    chances, total = net(tiles.contiguous(memory_format=torch.channels_last)).softmax(1), torch.zeros(2, *image.shape[1:])
    for k, (y, x) in enumerate((y, x) for y in starts for x in starts):
        total[:, y : y + tile, x : x + tile] += chances[k] * bump
    return total.argmax(0).numpy()


files = sorted((source / "test" / "images").glob("*.png"))
predict(files[0])
begun = time.perf_counter()
found = [predict(file) for file in files]
rate = len(files) / (time.perf_counter() - begun)
truth = np.stack([one.numpy() for one in load("test")[1]])
found = np.stack(found)
counts = np.bincount((truth * 2 + found).ravel(), minlength=4).reshape(2, 2)
both, rows, columns = np.diag(counts), counts.sum(1), counts.sum(0)
iou, score = both / (rows + columns - both), 2 * both / (rows + columns)
print(json.dumps({"miou": iou.mean(), "dice_cell": score[1], "train_per_second": steps * batch / seconds, "predict_per_second": rate}))
