"""The engine's small parts, one by one."""

import json
import math
import multiprocessing
import os

import numpy as np
import pytest
import torch
from torch import nn

from vidi.core.calls import parse_call
from vidi.core.recipe import Recipe, load_recipe, make_recipe, split_list
from vidi.core.space import Space
from vidi.engine import checkpoint, optimizers, schedule
from vidi.engine.ema import Average
from vidi.engine.loop import even_batch
from vidi.engine.optimizers import orthogonalize
from vidi.engine.run import RunFolder
from vidi.engine.transfer import Thaw
from vidi.errors import InputError, ModelError, RecipeError, ResourceError
from vidi.model import build_net
from vidi.nets import fcos
from vidi.nets._transfer import freeze


def small():
    torch.manual_seed(0)
    return build_net("small", "softmax", Space("Classification", ("a", "b")), {"widths": [8, 8]})


def test_schedules_start_peak_and_end_where_they_should():
    for shape in schedule.SHAPES:
        values = [schedule.factor(i / 1000, shape=shape, warmup=0.1, final=0.05) for i in range(1001)]
        assert max(values) == pytest.approx(1.0, abs=0.02) and min(values) > 0
        assert values[50] < values[99]
    assert schedule.factor(1.0, shape="cosine", final=0.05) == pytest.approx(0.05)
    assert schedule.factor(1.0, shape="triangle", warmup=0.23, final=0.07) == pytest.approx(0.07)
    assert schedule.factor(0.0, shape="triangle", warmup=0.23) == pytest.approx(0.2)
    assert schedule.factor(0.5, shape="cosine", warmup=0, final=0) == pytest.approx(0.5)
    assert schedule.factor(2.0) == schedule.factor(1.0)


def test_batches_are_even_and_never_leave_one_sample_alone():
    assert even_batch(0, 8) == 1 and even_batch(5, 8) == 5 and even_batch(1, 1) == 1
    for count in range(2, 400):
        for batch in (2, 3, 7, 64):
            size = even_batch(count, batch)
            assert size <= batch and (count % size != 1 or size <= 2)


def test_the_average_equals_its_formula():
    net = nn.Linear(2, 1, bias=False)
    average = Average(net, 0.9)
    expected = net.weight.detach().clone()
    for update in range(1, 30):
        with torch.no_grad():
            net.weight.add_(update)
        average.update(net)
        decay = min(0.9, update / (update + 9))
        expected = decay * expected + (1 - decay) * net.weight.detach()
    torch.testing.assert_close(average.values["weight"], expected)
    own = net.weight.detach().clone()
    with average.swapped(net):
        torch.testing.assert_close(net.weight.detach(), expected)
    assert torch.equal(net.weight, own)


def test_orthogonalize_gives_singular_values_near_one():
    for shape in ((8, 20), (20, 8), (5, 5)):
        values = torch.linalg.svdvals(orthogonalize(torch.randn(*shape, generator=torch.Generator().manual_seed(1)), steps=6))
        assert 0.5 < values.min() and values.max() < 1.3


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_every_optimizer_lowers_a_loss_and_spares_biases_the_decay(name):
    net = small()
    optimizer = optimizers.build(net, Recipe(optimizer=name, lr={"sgd": 0.2}.get(name, 0.02)))
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decays) == len(list(net.parameters()))
    assert all(decays[id(p)] == 0 for p in net.parameters() if p.ndim == 1)
    images, target = torch.rand(16, 3, 16, 16), torch.arange(16) % 2
    losses = []
    for _ in range(15):
        loss = nn.functional.cross_entropy(net({"image": images})["logits"], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_layer_decay_and_bias_rate_set_each_groups_peak():
    net = small()
    optimizer = optimizers.build(net, Recipe(lr=1.0, layer_decay=0.5, bias_lr=4.0))
    peaks = {id(p): group["peak_lr"] for group in optimizer.param_groups for p in group["params"]}
    stages = [stage for stage in net.stages().values() if list(stage.parameters())]
    matrices = [[peaks[id(p)] for p in stage.parameters() if p.ndim > 1] for stage in stages]
    assert set(matrices[-1]) == {1.0}
    assert set(matrices[-2]) == {0.5}
    optimizers.set_progress(optimizer, 0.25)
    assert all(group["lr"] == pytest.approx(0.25 * group["peak_lr"]) for group in optimizer.param_groups)


def test_stages_thaw_from_the_head():
    net = small()
    thaw = Thaw(net, Recipe(probe=0.2, unfreeze=0.4))
    seen = []
    for share in np.linspace(0, 1, 21):
        thaw.apply(float(share))
        seen.append(sum(p.requires_grad for p in net.parameters()))
        assert net.head.linear.weight.requires_grad
    assert seen[0] < seen[-1] == len(list(net.parameters())) and seen == sorted(seen)


def test_a_new_neck_learns_with_the_head_when_the_backbone_does_not():
    net = fcos.net(Space("Detections", ("a",)), backbone="small(widths=[4, 8, 8])", width=8)
    neck = next(net.neck.parameters())
    thaw = Thaw(net, Recipe(probe=0.5))
    thaw.apply(0.1)
    assert neck.requires_grad and not any(p.requires_grad for p in net.backbone.parameters())
    thaw.apply(0.5)
    assert all(p.requires_grad for p in net.parameters())
    assert "neck" not in freeze(net, "backbone") and neck.requires_grad


def test_a_checkpoint_restores_everything(tmp_path):
    def step(net, optimizer):
        loss = net({"image": torch.rand(4, 3, 16, 16)})["logits"].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    net = small()
    optimizer = optimizers.build(net, Recipe())
    average = Average(net, 0.9)
    for _ in range(3):
        step(net, optimizer)
        average.update(net)
    checkpoint.save(tmp_path, 3, net, optimizer, average, {"epoch": 1})
    step(net, optimizer)
    after = {key: value.clone() for key, value in net.state_dict().items()}
    torch.manual_seed(99)
    other = build_net("small", "softmax", Space("Classification", ("a", "b")), {"widths": [8, 8]})
    again = optimizers.build(other, Recipe())
    fresh = Average(other, 0.9)
    plain, tensors = checkpoint.latest(tmp_path)
    checkpoint.restore(plain, tensors, other, again, fresh)
    step(other, again)
    assert plain["epoch"] == 1 and fresh.updates == 3
    assert all(torch.equal(after[key], value) for key, value in other.state_dict().items())


@pytest.mark.parametrize("fault", ["cut", "flip", "empty", "gone"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, fault, capsys):
    net = small()
    optimizer = optimizers.build(net, Recipe())
    for step in (10, 20, 30):
        checkpoint.save(tmp_path, step, net, optimizer, None, {})
    assert [path.name for path in sorted(tmp_path.glob("*.ckpt"))] == ["step-000000020.ckpt", "step-000000030.ckpt"]
    newest = tmp_path / "step-000000030.ckpt"
    data = bytearray(newest.read_bytes())
    if fault == "cut":
        newest.write_bytes(data[: len(data) // 2])
    elif fault == "flip":
        data[len(data) // 2] ^= 255
        newest.write_bytes(data)
    elif fault == "empty":
        newest.write_bytes(b"")
    else:
        newest.unlink()
    assert checkpoint.latest(tmp_path)[0]["step"] == 20
    if fault != "gone":
        assert "10 steps earlier" in capsys.readouterr().err


def test_no_checkpoint_and_no_whole_checkpoint_differ(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    (tmp_path / "step-000000001.ckpt").write_bytes(b"x")
    with pytest.raises(ModelError, match="no checkpoint is whole"):
        checkpoint.latest(tmp_path)


def test_nan_weights_are_never_checkpointed(tmp_path):
    net = small()
    with torch.no_grad():
        net.head.linear.weight[0, 0] = math.nan
    with pytest.raises(ModelError, match="NaN"):
        checkpoint.save(tmp_path, 1, net, optimizers.build(net, Recipe()), None, {})
    assert list(tmp_path.iterdir()) == []


def _hold(path, ready, done):
    with RunFolder(path) as run:
        run.open()
        ready.set()
        done.wait(20)


def test_two_processes_cannot_share_a_run_folder(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "r", ready, done))
    process.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ResourceError, match="another process") as caught:
            RunFolder(tmp_path / "r").open()
        assert json.loads(caught.value.value)["pid"] == process.pid
    finally:
        done.set()
        process.join()
    run = RunFolder(tmp_path / "r")
    run.open()
    run.close()


def test_run_folders_are_not_overwritten(tmp_path):
    for expected in ("train", "train2", "train3"):
        with RunFolder.create(tmp_path, "classify", None) as run:
            assert run.path.name == expected
            run.save_args({"data": None})
    with pytest.raises(InputError, match="already holds a run"):
        RunFolder.create(tmp_path, "classify", "train2")
    RunFolder.create(tmp_path, "classify", "train2", exist_ok=True).close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError, match="cannot write"):
        RunFolder.create(tmp_path, "classify", "x")


def test_recipes_are_checked():
    keys = {"depth": type("P", (), {"annotation": int})()}
    recipe = make_recipe({"epochs": "3", "lr": "1e-3", "augment": "hflip, crop(pad=2, fill=0)", "depth": "34"}, net_keys=keys)
    assert (recipe.epochs, recipe.lr, recipe.net_options) == (3, 1e-3, {"depth": 34})
    assert recipe.augment == ["hflip", "crop(pad=2, fill=0)"]
    with pytest.raises(RecipeError, match="unknown key") as caught:
        make_recipe({"epoch": 3}, net_keys={})
    assert "epochs" in caught.value.fix
    with pytest.raises(RecipeError) as caught:
        make_recipe({"lr": -1})
    assert caught.value.at == "lr"
    assert split_list("a, b(x=1, y=[2, 3]), c") == ["a", "b(x=1, y=[2, 3])", "c"] and split_list("") == []
    for wrong in ("a, b(x=1, c", "a(x=[1,2), b", "a), b"):
        with pytest.raises(RecipeError, match="brackets"):
            split_list(wrong)
    with pytest.raises(RecipeError, match="twice"):
        parse_call("small(width=8, width=16)", "backbone")
    with pytest.raises(RecipeError, match="positive"):
        build_net("fcos", "boxes", Space("Detections", ("a",)), {"backbone": "small(widths=[8,8,8])", "width": 0})


def test_recipes_that_come_with_the_package_are_valid():
    from vidi.core.discovery import room_path
    from vidi.engine.prepare import net_keys

    for path in room_path("recipes").glob("*.yaml"):
        values = load_recipe(path.stem)
        make_recipe(values, net_keys=net_keys(values["net"]), file=path)
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe("nothing")


def test_every_recipe_key_is_explained():
    for key, kind, _, meaning in Recipe.describe():
        assert kind and len(meaning) > 5, key
