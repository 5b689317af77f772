"""Adversarial training: the ascent, the objectives against closed forms, the guard, weight perturbation, signs of hidden gradients."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from vidi.core.batch import Batch
from vidi.core.dataset import Dataset
from vidi.core.discovery import load, names
from vidi.core.seeds import Draw
from vidi.engine.loop import Position
from vidi.errors import ChoiceError, InputError, RecipeError
from vidi.labels import Classification, Regression
from vidi.methods.attack._base import Budget, make_attack
from vidi.methods.attack._goal import goal_for
from vidi.methods.defend._ascent import Ball, ascend, loss_of, near
from vidi.methods.defend._awp import Perturbation
from vidi.methods.defend._base import Work, make_defense
from vidi.methods.defend._best import RobustBest
from vidi.methods.defend._masking import checks, limitless
from vidi.methods.defend._places import folder_of
from vidi.methods.defend._watch import Sight, Watch
from vidi.methods.defend.fast import Guarded
from vidi.methods.defend.mart import Margins, mart
from vidi.methods.defend.pgd import Attacked
from vidi.methods.defend.trades import Traded
from vidi.model import Model, build_net, make_card
from vidi.testing.attack import FAMILIES, toy_classifier, toy_pictures

LINF = Budget("linf", 16 / 255)
TASKS = {"classify": ("small", {"widths": [4, 8]}), **FAMILIES}


def draw(count, seed=0):
    return Draw.samples(seed, 0, np.arange(count))


def loop_of(net, tmp_path, share=1.0, batch=0):
    return SimpleNamespace(
        net=net, module=net, share=share, position=Position(batch=batch), batches_per_epoch=100, run=SimpleNamespace(path=tmp_path), device=torch.device("cpu")
    )  # fmt: skip


def batch_of(task="classify", count=12, seed=1):
    images, labels = toy_pictures(task, count, seed)
    return Batch({"image": images}, labels, [], np.arange(count))


def net_of(task, seed=0):
    torch.manual_seed(seed)
    name, options = TASKS[task]
    room = load("tasks", task).task
    return build_net(name, room.head, room.toy(1, 0).space, options)


def state_of(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def plain(net, batch):
    return sum(net.loss(net(batch.inputs), batch.labels).values())


def summed(parts):
    return torch.stack(list(parts.values())).sum(0)


# -- the ascent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm, size", [("linf", 0.05), ("l2", 0.7), ("l1", 6.0)])
def test_the_ascent_stays_in_the_ball_raises_the_loss_and_leaves_the_net_alone(norm, size):
    net, batch = toy_classifier(), batch_of()
    ball, clean = Ball(Budget(norm, size), 0.5), batch.inputs["image"]
    net.train()
    before = state_of(net)
    found = ascend(net, net, batch, ball.start(clean, draw(12)), loss_of(net, batch.labels), ball, steps=5, length=size / 4)
    assert net.training and same(before, state_of(net)) and all(p.requires_grad and p.grad is None for p in net.parameters())
    net.eval()
    assert (Budget(norm, size).spent(found, clean) <= size / 2 * 1.0001).all() and found.min() >= 0 and found.max() <= 1 and not found.requires_grad
    assert plain(net, Batch({"image": found}, batch.labels, [])).mean() > plain(net, batch).mean() + 0.01


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_ascent_of_no_pictures_and_of_no_steps(norm):
    net = toy_classifier()
    none = Batch({"image": torch.zeros(0, 3, 32, 32)}, [], [])
    rise = lambda raw: raw["logits"].sum(1)  # noqa: E731
    assert ascend(net, net, none, none.inputs["image"], rise, Ball(Budget(norm, 0.1)), steps=2, length=0.05).shape == (0, 3, 32, 32)
    batch = batch_of()
    begin = near(batch.inputs["image"], draw(12))
    assert torch.equal(ascend(net, net, batch, begin, rise, Ball(Budget(norm, 0.1)), steps=0, length=0.05), begin)


def test_the_ascent_equals_the_attack_of_the_same_steps():
    """Without keeping the best, and from the clean pictures: the final point of `vidi attack --method "pgd(start=false)"`."""
    net, batch = toy_classifier(), batch_of()
    clean = batch.inputs["image"]
    found = ascend(net, net, batch, clean, loss_of(net, batch.labels), Ball(LINF), steps=6, length=2.5 * LINF.size / 6)
    other = make_attack("pgd", steps=6, start=False, stop=False).run(net, clean, goal_for(net, clean, batch.labels), LINF, draw(12))
    fooled = plain(net, Batch({"image": other}, batch.labels, [])).mean()
    torch.testing.assert_close(plain(net, Batch({"image": found}, batch.labels, [])).mean(), fooled, rtol=0.02, atol=0)


# -- objectives ------------------------------------------------------------------------------------------------------


def test_nothing_attacked_is_the_plain_loss(tmp_path):
    net, batch = net_of("classify").eval(), batch_of()
    wanted = plain(net, batch)
    nothing = Budget("linf", 0.0)
    for objective in (
        Attacked(LINF, steps=0), Attacked(nothing, steps=3), Traded(LINF, beta=0.0, steps=3), Traded(LINF, beta=6.0, steps=0), Traded(nothing, beta=6.0, steps=2),
        Attacked(LINF, steps=3, ramp=0.5), Guarded(nothing, guard=1),
    ):  # fmt: skip
        loop = loop_of(net, tmp_path, share=0.0 if objective.ramp else 1.0)
        torch.testing.assert_close(summed(objective.parts(loop, batch, draw(12))), wanted, rtol=0, atol=0)


def test_the_budget_grows_over_the_ramp():
    objective = Attacked(LINF, steps=2, ramp=0.5)
    sizes = [objective.ball(SimpleNamespace(share=share)).size / LINF.size for share in (0.0, 0.1, 0.25, 0.5, 0.9)]
    assert sizes == pytest.approx([0, 0.2, 0.5, 1, 1])


def test_pgd_is_the_loss_of_attacked_pictures_and_trades_adds_the_distance_of_classes(tmp_path):
    net, batch = toy_classifier(), batch_of()
    loop = loop_of(net, tmp_path)
    assert Attacked(LINF, steps=4).parts(loop, batch, draw(12))["cross_entropy"].mean() > plain(net, batch).mean() + 0.01
    objective = Traded(LINF, beta=3.0, steps=4)
    attacked = objective.aimed(loop, batch, draw(12))
    parts = objective.lowered(loop, batch, attacked)
    with torch.no_grad():
        clean, moved = (net(one.inputs)["logits"].log_softmax(1) for one in (batch, attacked))
    torch.testing.assert_close(parts["robust"].detach(), 3 * nn.functional.kl_div(moved, clean, log_target=True, reduction="none").sum(1))
    torch.testing.assert_close(parts["cross_entropy"], plain(net, batch))
    noise = LINF.noise(batch.inputs["image"], draw(12))
    by_chance = objective.lowered(loop, batch, Batch({"image": noise}, batch.labels, []))["robust"].mean()
    assert parts["robust"].mean() > 2 * by_chance


def test_mart_is_the_paper_s_formula():
    generator = torch.Generator().manual_seed(0)
    clean, moved = (torch.randn(6, 4, generator=generator) for _ in range(2))
    classes = torch.tensor([0, 1, 2, 3, 0, 1])
    parts = mart(clean, moved, nn.functional.one_hot(classes, 4).float(), 5.0)
    for i, own in enumerate(classes.tolist()):
        p, q = clean[i].softmax(0), moved[i].softmax(0)
        wrong = max(q[k] for k in range(4) if k != own)
        assert parts["boosted"][i] == pytest.approx(float(-math.log(q[own]) - math.log(1.0001 - wrong)), rel=1e-5)
        distance = sum(float(p[k]) * math.log(p[k] / q[k]) for k in range(4))
        assert parts["robust"][i] == pytest.approx(5 * distance * (1 - float(p[own])), rel=1e-4)
    unknown = mart(clean, moved, torch.full((6, 4), math.nan), 5.0)
    assert not any(part.any() for part in unknown.values())
    empty = mart(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0, 3), 5.0)
    assert all(part.shape == (0,) for part in empty.values())


@pytest.mark.parametrize("task", TASKS)
def test_every_task_makes_a_step_of_each_method_or_is_refused(task, tmp_path):
    batch = batch_of(task, 6)
    loop = loop_of(net_of(task).train(), tmp_path)
    for objective in (Attacked(LINF, steps=2, awp=0.01), Traded(LINF, beta=2.0, steps=2), Guarded(LINF, guard=1), Margins(LINF, beta=2.0, steps=2)):
        before = {name: value.clone() for name, value in loop.net.named_parameters()}
        try:
            parts = objective.parts(loop, batch, draw(6))
        except InputError as error:
            assert objective.name == "mart" and task != "classify" and error.fix
            continue
        assert all(part.shape == (6,) and part.isfinite().all() for part in parts.values()), (task, objective.name)
        summed(parts).mean().backward()
        objective.after_backward(loop)
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in loop.net.parameters())
        assert all(torch.equal(value, before[name]) for name, value in loop.net.named_parameters())
        loop.net.zero_grad()


def test_mart_is_refused_where_maps_hold_classes():
    room = load("tasks", "semantic").task
    model = Model(net_of("semantic"), card_of("semantic"))
    work = Work(model, "semantic", room, room.toy(4, 0), LINF, attack=None)
    with pytest.raises(InputError, match="one class") as caught:
        make_defense("mart")[0].check(work)
    assert "trades" in caught.value.fix


def card_of(task):
    from vidi.core.preprocess import Preprocess

    name, options = TASKS[task]
    return make_card(net_of(task), task=task, name=name, options=options, head=load("tasks", task).task.head, preprocess=Preprocess((32, 32)))


# -- weight perturbation ---------------------------------------------------------------------------------------------


def test_weights_move_uphill_by_their_share_and_come_back_bit_for_bit(tmp_path):
    net, batch = net_of("classify").train(), batch_of()
    before = state_of(net)
    moved = Perturbation(0.02)
    moved.apply(net, lambda: plain(net, batch).mean())
    after = state_of(net)
    for name, weight in net.named_parameters():
        change = (after[name] - before[name]).norm()
        wanted = 0.02 * before[name].norm() if weight.ndim > 1 else torch.zeros(())
        torch.testing.assert_close(change, wanted, rtol=1e-3, atol=1e-7)
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())
    higher = plain(net.eval(), batch).mean()
    moved.restore()
    assert same(before, state_of(net)) and higher > plain(net, batch).mean()


def test_gradients_are_those_of_the_moved_weights(tmp_path):
    net, batch = net_of("classify").eval(), batch_of()
    loop = loop_of(net, tmp_path)

    def gradient(objective):
        net.zero_grad()
        summed(objective.parts(loop, batch, draw(12))).mean().backward()
        objective.after_backward(loop)
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    near_by, far, none = (gradient(Attacked(LINF, steps=1, awp=share)) for share in (1e-6, 0.05, 0.0))
    torch.testing.assert_close(near_by, none, rtol=1e-2, atol=1e-5)
    assert (far - none).norm() > 0.01 * none.norm()


# -- the guard -------------------------------------------------------------------------------------------------------


class SeenThrough(Guarded):
    """Its single steps lead nowhere."""

    def climb(self, loop, batch, draw, *, steps=None, beside=False):
        if steps == 1:
            return Batch({"image": batch.inputs["image"].clone()}, batch.labels, batch.frames, batch.indices)
        return super().climb(loop, batch, draw, steps=steps, beside=beside)


def test_the_guard_takes_more_steps_once_single_ones_are_seen_through(tmp_path):
    net, batch = toy_classifier(), batch_of()

    def run(objective, folder, *ratios):
        watch = Watch(folder / "guard.jsonl", 0)
        for at, ratio in enumerate(ratios):
            watch.add(Sight(at, ratio, 0.5, 1))
        losses = [summed(objective.parts(loop_of(net, folder, batch=at), batch, draw(12))).mean().item() for at in range(11, 15)]
        return losses, Watch(folder / "guard.jsonl", 100)

    _, watch = run(Guarded(LINF, guard=2), tmp_path / "good", 0.1)
    assert [sight.at for sight in watch.sights] == [0, 12, 14] and watch.steps == 1
    assert all(sight.ratio > 0 and -1 <= sight.alignment <= 1 for sight in watch.sights[1:])
    losses, watch = run(SeenThrough(LINF, guard=2), tmp_path / "bad", 0.1, 0.9)
    assert watch.steps == 2 and watch.sights[2].ratio < 0.1 and min(losses[1:]) > losses[0] + 0.01
    assert run(SeenThrough(LINF, guard=2), tmp_path / "new", 0.1)[1].steps == 1
    assert run(SeenThrough(LINF, guard=2), tmp_path / "old", *[0.1] * 10)[1].steps == 2


def test_what_the_guard_saw_after_the_checkpoint_is_forgotten(tmp_path):
    path = tmp_path / "guard.jsonl"
    watch = Watch(path, 0)
    for at, steps in ((0, 1), (50, 2), (100, 4)):
        watch.add(Sight(at, 0.3, 0.5, steps))
    path.write_text(path.read_text() + '{"at": 1')
    assert Watch(path, 101).steps == 4
    assert Watch(path, 100).steps == 2 and len(path.read_text().splitlines()) == 2
    assert Watch(path, 0).steps == 1 and path.read_text() == ""


# -- names, settings, signs ------------------------------------------------------------------------------------------


def test_every_training_method_says_what_it_is_and_refuses_what_it_lacks():
    assert {"pgd", "trades", "mart", "fast"} <= set(names("methods/defend"))
    budget = SimpleNamespace(budget=LINF)
    told = [make_defense(text)[0].objective(budget).to_dict() for text in ("pgd", "pgd(steps=3)", "trades(beta=1)", "mart", "fast", "fast(guard=0)", "pgd(awp=0.01)")]
    assert len({str(one) for one in told}) == len(told) and all(one["budget"] == LINF.size for one in told)
    with pytest.raises(ChoiceError, match="trades"):
        make_defense("trade")
    for text in ("pgd(stepps=3)", "pgd(beta=1)"):
        with pytest.raises(InputError):
            make_defense(text)
    for text in ("pgd(steps=-1)", "pgd(steps=1.5)", "pgd(step=0)", "pgd(step=x)", "trades(beta=-1)", "pgd(ramp=2)", "fast(guard=-3)", "pgd(awp=x)"):
        with pytest.raises(InputError):
            make_defense(text)[0].check(budget)
    with pytest.raises(RecipeError):
        make_defense("pgd(7)")


def test_the_epoch_that_stands_best_is_kept_and_the_later_of_equals():
    keeper = RobustBest(Dataset([]), attack=None)
    assert keeper.best is None
    keeper.rows = [{"epoch": epoch, "standing": standing} for epoch, standing in enumerate((0.2, 0.6, 0.5, 0.6, 0.4), 1)]
    assert keeper.best == {"epoch": 4, "standing": 0.6}
    keeper.on_train_start(SimpleNamespace(run=SimpleNamespace(path=folder_of("nowhere", "t", "x")), position=Position()))
    assert keeper.best is None


def test_signs_of_hidden_gradients():
    def outcome(table, right=50):
        return checks(lambda method, size: (table[method] if size < 0.4 else table["far"], right), LINF, 3072, True)

    honest = {"pgd(steps=1)": 20, "pgd(steps=10)": 30, "pgd(steps=50)": 31, "square(steps=300)": 15, "far": 50}
    assert [check.verdict for check in outcome(honest)] == ["pass"] * 3
    assert [check.passed for check in outcome(honest | {"square(steps=300)": 40})] == [False, True, True]
    assert [check.passed for check in outcome(honest | {"pgd(steps=50)": 20})] == [True, False, True]
    assert [check.passed for check in outcome(honest | {"far": 40})] == [True, True, False]
    assert [check.passed for check in outcome(honest, 0)] == [None] * 3
    assert checks(lambda method, size: (9, 10), Budget("l1", 12.0), 3072, False)[0].passed is None
    assert limitless(LINF, 3072) == 0.5 and limitless(Budget("linf", 0.7), 3) == 1.0 and limitless(Budget("l2", 0.5), 400) == 10


def test_folders_of_runs(tmp_path):
    first = folder_of(tmp_path, "t", None)
    (first / "weights").mkdir(parents=True)
    assert first == tmp_path / "t" / "defend" and folder_of(tmp_path, "t", None).name == "defend2"
    with pytest.raises(InputError, match="no run to resume"):
        folder_of(tmp_path, "t", None, resume=True)
    (first / "args.yaml").write_text("")
    assert folder_of(tmp_path, "t", None, resume=True) == folder_of(first, "t", None, resume=True) == first
    with pytest.raises(InputError, match="already holds"):
        folder_of(tmp_path, "t", "defend")
    assert folder_of(tmp_path, "t", "defend", exist_ok=True) == first


def test_an_empty_data_set_and_labels_that_are_no_classes():
    assert Dataset([]).splits == {}
    assert Regression(np.zeros(1)).decision() is None and Classification.one_hot(1, 3).decision() is not None
