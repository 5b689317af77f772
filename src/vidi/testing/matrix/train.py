"""The trained net beats the same net with random weights on held-out pictures."""

from __future__ import annotations

import torch

import vidi
from vidi.model import Model, build_net
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row


def check(row: Row) -> Found:
    model, primary = row.model, row.task.primary
    torch.manual_seed(0)
    net = build_net(model.card.net, model.card.head, model.card.label_space, model.card.net_options)
    trained, untrained = (vidi.val(one, row.data, split="test", intervals=0).numbers[primary] for one in (model, Model(net, model.card)))
    shown = [f"{value:.3g}" if value is not None else "none" for value in (trained, untrained)]
    return Found(row.better(trained, untrained), f"{primary} {shown[0]} (untrained {shown[1]})", {primary: trained, f"untrained_{primary}": untrained})
