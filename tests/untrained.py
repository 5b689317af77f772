"""Models with random weights, for tests that do not need to know more."""

import torch

from vidi.core import discovery
from vidi.core.preprocess import Preprocess
from vidi.model import Model, build_net, make_card
from vidi.testing.attack import FAMILIES


def untrained(task, count):
    """A small model of a task, and so many of its toy pictures."""
    room, (name, options) = discovery.load("tasks", task).task, FAMILIES.get(task, ("small", {"widths": [4, 8]}))
    torch.manual_seed(0)
    data = room.toy(count, seed=0)
    net = build_net(name, room.head, data.space, options)
    return Model(net, make_card(net, task=task, name=name, options=options, head=room.head, preprocess=Preprocess((32, 32)))), data
