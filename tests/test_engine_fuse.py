"""Norms folded into convolutions: the same answers, or the net as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import vidi
from vidi.core.space import Space
from vidi.engine import predictor
from vidi.engine.fuse import Fused, fused
from vidi.model import build_net
from vidi.tasks import classify, detect

CLASSES, BOXES = Space("Classification", ("a", "b")), Space("Detections", ("a", "b"))
NETS = [
    ("small", "softmax", CLASSES, {"widths": [4, 8]}), ("resnet", "softmax", CLASSES, {"depth": 18, "width": 8}), ("densenet", "softmax", CLASSES, {}),
    ("efficientnet", "softmax", CLASSES, {"variant": "lite0"}), ("mobilenet", "softmax", CLASSES, {}), ("yolo", "boxes", BOXES, {"width": 16}),
    ("retinanet", "boxes", BOXES, {"backbone": "small(widths=[4,8,8])", "width": 8}),
]  # fmt: skip


def stirred(net: nn.Module) -> nn.Module:
    """Norms that are not those of a new net."""
    draw = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low in ((module.running_mean, -0.5), (module.running_var, 0.5), (module.weight.data, 0.5), (module.bias.data, -0.5)):
                values.copy_(torch.rand(values.shape, generator=draw) + low)
    return net.eval()


def norms(net: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())


@pytest.mark.parametrize(("name", "head", "space", "options"), NETS, ids=[row[0] for row in NETS])
def test_answers_stay_and_norms_go(name, head, space, options):
    net = stirred(build_net(name, head, space, options))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    quick = fused(net, (64, 64))
    assert isinstance(quick, Fused) and norms(quick.swift) < norms(net)
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = net({"image": images}), quick({"image": images})
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-3 * max(1e-3, float(value.abs().max())))
        assert quick({"image": images[:0]}).keys() == expected.keys()
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


class Twice(nn.Module):
    """What a convolution gives goes to a norm and around it."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + y


def test_a_net_whose_answers_would_change_is_left_as_it_is():
    net = build_net("small", "softmax", CLASSES, {"widths": [4]})
    before = net.normalize
    net.normalize = nn.Sequential(before, Twice())
    assert fused(stirred(net), (32, 32)) is net


def test_a_net_without_norms_is_left_as_it_is():
    net = build_net("vgg", "softmax", CLASSES, {"bn": False, "width": 4})
    assert fused(net.eval(), (32, 32)) is net


@pytest.mark.parametrize("task", [classify, detect], ids=["classify", "detect"])
def test_many_pictures_are_predicted_as_few_are(task, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "MANY", 32)
    data = task.task.toy(40, 0)
    name = task.__name__.rpartition(".")[2]
    model = vidi.train(data, task=name, epochs=1, batch=8, imgsz=32, verbose=False, doctor=False, project=str(tmp_path))
    many = vidi.predict(model, data, conf=0.0 if name == "detect" else None)
    few = [vidi.predict(model, data.with_samples(data.samples[i : i + 10]), conf=0.0 if name == "detect" else None) for i in range(0, 40, 10)]
    pairs = zip(many, (sample for part in few for sample in part))
    assert all(not one.label.contradicts(other.label) for one, other in pairs)
    assert norms(model.net) > 0
