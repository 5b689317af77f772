"""Attacks: promises by the kit, linear nets with known answers, goals and aims, whole data sets as files."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

import vidi
from vidi.core.dataset import Sample
from vidi.core.discovery import names
from vidi.core.kinds import Pixels
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.data import read
from vidi.engine.held import held
from vidi.errors import ChoiceError, DataError, InputError, RecipeError
from vidi.labels import Classification, Detections, Embedding, Regression, Segmentation, Text
from vidi.methods.attack._base import Budget, make_attack
from vidi.methods.attack._goal import Apart, Away, Toward, exclusive_margin, goal_for
from vidi.methods.attack._report import parse_method
from vidi.methods.attack._search import Best, climb, dlr
from vidi.model import Model, build_net, make_card
from vidi.nets.heads.regression import Values
from vidi.nets.heads.sigmoid import Sigmoid
from vidi.nets.heads.softmax import Softmax
from vidi.testing.attack import check_attack, toy_classifier, toy_pictures

EVERYWHERE = ["multilabel", "regress", "embed", "detect", "semantic", "instance"]
PLACED = ["detect", "semantic", "instance"]
KIT = {
    "fgsm": ({}, EVERYWHERE), "pgd": ({"steps": 6}, EVERYWHERE), "mifgsm": ({"steps": 5}, EVERYWHERE), "apgd": ({"steps": 6}, EVERYWHERE),
    "deepfool": ({"steps": 8}, []), "cw": ({"steps": 15, "search": 2}, ["multilabel"]), "square": ({"steps": 25}, EVERYWHERE),
    "auto": ({"steps": 4, "queries": 3}, EVERYWHERE), "universal": ({"steps": 6}, EVERYWHERE), "patch": ({"steps": 40, "lr": 0.1}, EVERYWHERE),
    "spatial": ({"turns": 3, "places": 3}, ["multilabel", "regress", "embed"]),
}  # fmt: skip
HEADS = {"Softmax": (Softmax, Classification), "Sigmoid": (Sigmoid, Classification), "Values": (Values, Regression)}


class Linear(Net):
    """Raw outputs that are linear in the pixels of pictures of 3×4×4."""

    def __init__(self, kind="Softmax", outputs=3, seed=0):
        super().__init__()
        maker, family = HEADS[kind]
        self.inputs, self.head = {"image": Pixels(3)}, maker(48, outputs)
        self.space = Space(family.family, tuple("abcdefghij"[:outputs]), exclusive=kind != "Sigmoid")
        self.kinds = dict(self.head.kinds) | {"features": "aux"}
        with torch.no_grad():
            self.head.linear.weight.copy_(torch.randn(outputs, 48, generator=torch.Generator().manual_seed(seed)))

    def forward(self, inputs):
        features = inputs["image"].flatten(1)
        return self.head(features) | {"features": features}

    def loss(self, raw, labels):
        return self.head.loss(raw, labels)

    def decode(self, raw):
        return self.head.decode(raw)

    def stages(self):
        return {"head": self.head}


def pictures(count=6, seed=1):
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 0.4 + 0.3


def draw(count, seed=0):
    return Draw.samples(seed, 0, np.arange(count))


def own_goal(net, images, **more):
    """Away from what the net says, as labels."""
    with torch.no_grad():
        labels = [Classification.one_hot(found.top, len(net.space)) for found in net.decode(net({"image": images}))]
    return goal_for(net, images, labels, **more)


def logits_of(net, images):
    with torch.no_grad():
        return net({"image": images})["logits"]


def test_every_method_is_checked():
    assert sorted(KIT) == names("methods/attack")


@pytest.mark.parametrize("name", KIT)
def test_kit(name):
    settings, works = KIT[name]
    assert check_attack(name, **settings) == works


def test_outside_methods_and_wrong_names(tmp_path):
    (tmp_path / "mine.py").write_text("from vidi.methods.attack.pgd import Pgd\n\ndef attack(*, steps=3):\n    return Pgd(steps=steps)\n")
    assert make_attack(str(tmp_path / "mine.py"), steps=2).steps == 2
    with pytest.raises(ChoiceError, match="pgd"):
        make_attack("pdg")
    with pytest.raises(InputError, match="stepps"):
        make_attack("pgd", stepps=3)
    for name, settings in (("pgd", {"steps": 0}), ("apgd", {"loss": "x"}), ("patch", {"size": 0.0}), ("patch", {"place": "moon"}), ("square", {"share": 2.0})):
        with pytest.raises(InputError):
            make_attack(name, **settings)


def test_budgets_as_they_are_written():
    assert Budget.parse("8/255").size == pytest.approx(8 / 255) and Budget.parse("0.5", "l2") == Budget("l2", 0.5) and Budget.parse(None, "l1").size == 12
    for size, norm in (("x", "linf"), ("-1", "l2"), ("nan", "l2"), ("inf", "l1"), ("1/0", "linf"), ("8", "linf"), ("0.5", "l3")):
        with pytest.raises(InputError):
            Budget.parse(size, norm)


@pytest.mark.parametrize("norm, size", [("linf", 0.05), ("l2", 0.7), ("l1", 6.0)])
def test_noise_and_starts_fill_the_budget(norm, size):
    budget, clean = Budget(norm, size), torch.full((5, 3, 8, 8), 0.5)
    torch.testing.assert_close(budget.spent(budget.noise(clean, draw(5)), clean), torch.full((5,), size), rtol=0.02, atol=0)
    begun = budget.start(clean, draw(5))
    assert (budget.spent(begun, clean) <= size * 1.0001).all() and len(torch.unique(begun)) > 100


@pytest.mark.parametrize("name, settings", [("fgsm", {}), ("pgd", {"steps": 20}), ("mifgsm", {}), ("apgd", {"steps": 20}), ("universal", {"steps": 40})])
def test_the_corner_is_found_on_a_linear_regression(name, settings):
    """Pushing a linear value up by linf ends in the corner of signs, by l2 along the weights."""
    net, images = Linear("Values", 1), pictures()
    goal = goal_for(net, images, net.decode(net({"image": images})), "up")
    weights = net.head.linear.weight.detach().view(1, 3, 4, 4)
    for norm, size, best in (("linf", 0.05, weights.sign()), ("l2", 0.2, weights / weights.norm())):
        found = make_attack(name, **settings).run(net, images, goal, Budget(norm, size), draw(6))
        gained = ((found - images) * weights).sum((1, 2, 3)) / (size * best * weights).sum()
        assert (gained > (0.9 if name == "universal" else 0.97)).all(), norm


def test_the_square_attack_climbs_without_gradients():
    net, images = Linear("Values", 1), pictures()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    goal = goal_for(net, images, net.decode(net({"image": images})), "up")
    weights = net.head.linear.weight.view(1, 3, 4, 4)
    for norm, size, most in (("linf", 0.05, weights.abs().sum()), ("l2", 0.2, weights.norm())):
        found = make_attack("square", steps=300).run(net, images, goal, Budget(norm, size), draw(6))
        gained = ((found - images) * weights).sum((1, 2, 3)) / (size * most)
        assert (gained > (0.6 if norm == "linf" else 0.4)).all(), norm


def border(net, images, order):
    """The distance of each picture to the nearest border between classes of a linear net."""
    logits, weights = logits_of(net, images).double(), net.head.linear.weight.detach().double()
    tops, found = logits.argmax(1), []
    for row, top in zip(logits, tops):
        found.append(min(float((row[top] - row[k]) / torch.linalg.vector_norm(weights[top] - weights[k], order)) for k in range(len(row)) if k != top))
    return torch.tensor(found)


@pytest.mark.parametrize("norm, dual", [("l2", 2), ("linf", 1)])
def test_deepfool_goes_to_the_nearest_border(norm, dual):
    net, images = Linear(outputs=5), pictures()
    found = make_attack("deepfool").run(net, images, own_goal(net, images), Budget(norm, 1.0), draw(6))
    assert (logits_of(net, found).argmax(1) != logits_of(net, images).argmax(1)).all()
    ratio = Budget(norm, 1.0).spent(found, images).double() / border(net, images, dual)
    assert (ratio > 1).all() and (ratio < 1.05).all()


def test_carlini_and_wagner_find_the_smallest_change():
    net, images = Linear(outputs=5), pictures()
    found = make_attack("cw", steps=100, search=7).run(net, images, own_goal(net, images), Budget("l2", 1.0), draw(6))
    ratio = Budget("l2", 1.0).spent(found, images).double() / border(net, images, 2)
    assert (ratio > 0.99).all() and (ratio < 1.1).all()


def test_a_smaller_budget_holds_smallest_changes_back():
    net, images = Linear(outputs=5), pictures()
    size = 0.5 * float(border(net, images, 2).min())
    for name in ("deepfool", "cw", "pgd"):
        found = make_attack(name).run(net, images, own_goal(net, images), Budget("l2", size), draw(6))
        assert (logits_of(net, found).argmax(1) == logits_of(net, images).argmax(1)).all()


def test_the_ensemble_is_never_weaker_than_its_members():
    net, (images, labels) = toy_classifier(), toy_pictures("classify", 24, seed=2)
    goal, counts = goal_for(net, images, labels), {}
    assert torch.equal(make_attack("deepfool").run(net, images[:0], goal_for(net, images[:0], []), Budget("l2", 1.0), draw(0)), images[:0])
    for name, settings in (("pgd", {"steps": 10}), ("apgd", {"steps": 10}), ("apgd", {"steps": 10, "loss": "targeted"}), ("auto", {"steps": 10, "queries": 20})):
        found = make_attack(name, **settings).run(net, images, goal, Budget("linf", 0.012), draw(24))
        with torch.no_grad():
            counts[name, settings.get("loss")] = int(goal.fooled(net({"image": found})).sum())
    assert 0 < counts["pgd", None] < 24 and counts["auto", None] >= max(counts.values())


def test_more_steps_restarts_and_budget_never_help_the_defender():
    net, (images, labels) = toy_classifier(), toy_pictures("classify", 24, seed=2)
    goal = goal_for(net, images, labels)

    def fooled(size, **settings):
        with torch.no_grad():
            return int(goal.fooled(net({"image": make_attack("pgd", **settings).run(net, images, goal, Budget("linf", size), draw(24))})).sum())

    assert fooled(0.0, steps=3) <= fooled(0.01, steps=10) <= fooled(0.01, steps=10, restarts=3) <= fooled(0.3, steps=20) == 24


def test_pictures_that_are_wrong_already_are_left_alone():
    net, images = Linear(), pictures()
    wrong = [Classification.one_hot((found.top + 1) % 3, 3) for found in net.decode(net({"image": images}))]
    for name in ("fgsm", "pgd", "apgd", "deepfool", "square", "auto"):
        assert torch.equal(make_attack(name).run(net, images, goal_for(net, images, wrong), Budget("linf", 0.1), draw(6)), images), name


class Broken(nn.Module):
    """A net whose output is NaN for any but the pictures it was made with."""

    def __init__(self, net, images):
        super().__init__()
        self.net, self.images = net, images

    def forward(self, inputs):
        raw = self.net(inputs)
        same = (inputs["image"] == self.images[: len(inputs["image"])]).flatten(1).all(1)
        return {key: torch.where(same[:, None], value, torch.nan) for key, value in raw.items()}


@pytest.mark.parametrize("name", ["fgsm", "pgd(steps=5)", "mifgsm(steps=5)", "apgd(steps=5)", "square(steps=9)", "auto(steps=4,queries=5)"])
@pytest.mark.parametrize("kind", ["Values", "Softmax"])
def test_what_is_not_a_number_never_wins(name, kind):
    net, images = Linear(kind), pictures(4)
    found = parse_method(name, None)[0].run(Broken(net, images), images, goal_for(net, images, net.decode(net({"image": images}))), Budget("linf", 0.1), draw(4))
    assert torch.equal(found, images)


def test_unknown_truth_is_nothing_to_attack():
    net, images = Linear(), pictures(3)
    labels = [Classification(np.full(3, np.nan)), *own_goal(net, images[1:]).labels]
    found = make_attack("pgd", steps=5).run(net, images, goal_for(net, images, labels), Budget("linf", 0.2), draw(3))
    assert torch.equal(found[0], images[0]) and not torch.equal(found[1], images[1])


def test_frozen_nets_are_restored_after_errors():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    net[1].eval()
    with pytest.raises(ZeroDivisionError), held(net):
        assert not net[0].training and not net[0].weight.requires_grad
        raise ZeroDivisionError
    assert net[0].training and not net[1].training and net[0].weight.requires_grad


def test_a_run_inside_of_inference_mode():
    net, images = Linear(), pictures(2)
    with torch.inference_mode():
        goal = own_goal(net, images.clone())
    with torch.no_grad():
        assert not torch.equal(make_attack("pgd", steps=3).run(net, images, goal, Budget("linf", 0.1), draw(2)), images)


# goals


def test_margins():
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.0, 5.0, 4.0], [1.0, 1.0, 1.0], [2.0, 0.0, 0.0]])
    classes = torch.tensor([0, 2, 1, -1])
    torch.testing.assert_close(exclusive_margin(logits, classes), torch.tensor([-2.0, 1.0, 0.0, -torch.inf]))
    torch.testing.assert_close(exclusive_margin(logits, classes, toward=True), torch.tensor([2.0, -1.0, 0.0, -torch.inf]))
    net = Linear()
    scaled = dlr(Away(net, [Classification.one_hot(i, 3) for i in (0, 2, 1, 0)]), {"logits": logits * 7})
    torch.testing.assert_close(scaled, torch.tensor([-2 / 3, 1 / 5, 0.0, -1.0]))


def test_independent_classes_are_fooled_in_any_of_the_known():
    net = Linear("Sigmoid")
    labels = [Classification(np.array(row, np.float32)) for row in ([1, 0, np.nan], [1, 0, np.nan], [1, 0, 0], [np.nan] * 3)]
    raw = {"logits": torch.tensor([[2.0, -3.0, 9.0], [2.0, 3.0, -9.0], [-1.0, -3.0, -2.0], [1.0, 1.0, 1.0]])}
    assert Away(net, labels).fooled(raw).tolist() == [False, True, True, False]
    assert Toward(net, labels, labels).fooled(raw).tolist() == [True, False, False, False]


@pytest.mark.parametrize("kind", ["Softmax", "Sigmoid", "Values"])
def test_parts_of_goals(kind):
    net, images = Linear(kind), pictures(5)
    labels = net.decode(net({"image": images.flip(0)}))
    rows = torch.tensor([3, 1])
    for goal in (Away(net, labels), Toward(net, labels, labels), Apart(net, net({"image": images.flip(2)}))):
        raw = net({"image": images})
        part = {key: value[rows] for key, value in raw.items()}
        assert len(goal[rows]) == 2 and torch.allclose(goal[rows](part), goal(raw)[rows]) and torch.equal(goal[rows].fooled(part), goal.fooled(raw)[rows])


def test_goals_without_labels():
    net, images = Linear("Values", 2), pictures(3)
    goal = goal_for(net, images, None)
    assert isinstance(goal, Apart) and goal.flat and not climb(net, images, goal).gradient.any()
    found = make_attack("fgsm").run(net, images, goal, Budget("linf", 0.1), draw(3))
    assert (goal(net({"image": found})) > 1).all()
    for kind in ("Softmax", "Sigmoid"):
        net = Linear(kind)
        goal = goal_for(net, images, None)
        found = make_attack("fgsm").run(net, images, goal, Budget("linf", 0.25), draw(3))
        assert not goal.flat and goal.fooled(net({"image": found})).all() and not goal.fooled(net({"image": images})).any()


def test_refused_goals():
    net, images = Linear(), pictures(2)
    with pytest.raises(InputError, match="without a label"):
        goal_for(net, images, [Classification.one_hot(0, 3), None])
    with pytest.raises(InputError, match="away, next, class=K"):
        goal_for(net, images, None, "vanish")
    vectors = build_net("small", "embedding", Space("Classification", ("a", "b")), {"widths": [4]}).eval()
    with pytest.raises(InputError, match="labels=false"):
        goal_for(vectors, torch.rand(2, 3, 16, 16), [Classification.one_hot(0, 2)] * 2)


def test_the_best_candidates_are_kept():
    net, images = Linear("Values", 1), pictures(3)
    goal = goal_for(net, images, net.decode(net({"image": images})))
    best = Best(net, images, goal)
    assert torch.equal(best.images, images) and best.standing().tolist() == [0, 1, 2]
    none = torch.zeros(2, dtype=torch.bool)
    best.offer(torch.tensor([0, 2]), images[[0, 2]] + 0.1, torch.tensor([1.0, torch.nan]), none)
    best.offer(torch.tensor([0, 1]), images[[0, 1]] + 0.2, torch.tensor([0.5, torch.inf]), none)
    torch.testing.assert_close(best.images, images + torch.tensor([0.1, 0.0, 0.0]).view(3, 1, 1, 1))


# labels


def test_contradictions():
    def yes(*values):
        return Classification(np.array(values, np.float32))

    cases = [
        (yes(0.6, 0.4), yes(0.9, 0.1), False), (yes(0.6, 0.4), yes(0.4, 0.6), True), (yes(1, 0), yes(0.9, 0.7), True), (yes(1, np.nan), yes(0.8, 0.8), False),
        (yes(np.nan, np.nan), yes(0.5, 0.5), False), (yes(), yes(), False),
        (Regression(np.array([10.0])), Regression(np.array([10.9])), False), (Regression(np.array([10.0])), Regression(np.array([12.0])), True),
        (Regression(np.array([np.nan])), Regression(np.array([12.0])), False),
        (Detections.empty(), Detections.empty(), False), (Detections.empty(), Detections([[0, 0, 4, 4]]), True),
        (Detections([[0, 0, 4, 4]]), Detections([[0, 0, 4, 3]]), False), (Detections([[0, 0, 4, 4]]), Detections([[0, 0, 4, 4]], classes=[1]), True),
        (Segmentation(np.zeros((4, 4))), Segmentation(np.zeros((4, 4))), False), (Segmentation(np.zeros((4, 4))), Segmentation(np.ones((4, 4))), True),
        (Embedding(np.array([1.0, 0])), Embedding(np.array([1.0, 1])), False), (Embedding(np.array([1.0, 0])), Embedding(np.array([0, 1.0])), True),
        (Text("a"), Text("a"), False), (Text("a"), Text("b"), True),
    ]  # fmt: skip
    for one, other, expected in cases:
        assert one.contradicts(other) is expected, (one.to_dict(), other.to_dict())


def test_leeway_of_values_is_half_their_spread():
    values = [Regression(np.array([0.0, np.nan, np.nan])), Regression(np.array([4.0, 1.0, np.nan]))]
    assert Regression.leeway([]) is None and Regression.leeway(values) is None and Classification.leeway([]) is None
    leeway = Regression.leeway([Regression(label.values[:2]) for label in values])
    assert leeway.tolist() == [1.0, 0.0]
    assert not Regression(np.array([0.0])).contradicts(Regression(np.array([1.0])), leeway[:1]) and Regression(np.array([0.0])).contradicts(Regression(np.array([1.1])), leeway[:1])


def test_aims_of_families():
    names = ("a", "b", "c")
    label, near = Classification.one_hot(2, 3).aimed("next", names)
    assert label.top == 0 and near
    assert Classification.one_hot(2, 3).aimed("class=b", names)[0].top == Classification.one_hot(2, 3).aimed("class=1", names)[0].top == 1
    things = Detections([[0, 0, 4, 4], [1, 1, 3, 3]], classes=[0, 2])
    assert things.aimed("mislabel", names)[0].classes.tolist() == [1, 0] and len(things.aimed("vanish", names)[0]) == 0
    assert [things.aimed(aim, names)[1] for aim in ("vanish", "fabricate", "mislabel")] == [True, False, True]
    assert Detections.empty().aimed("mislabel", names)[0].to_dict() == Detections.empty().to_dict() and Detections.aims(("one",)) == ("vanish", "fabricate")
    chart = Segmentation(np.array([[0, 2], [255, 1]]))
    assert chart.aimed("mislabel", names)[0].classes.tolist() == [[1, 0], [255, 2]] and chart.aimed("class=c", names)[0].classes.tolist() == [[2, 2], [255, 2]]
    up, down = (Regression(np.array([3.0, -40.0])).aimed(aim)[0].values for aim in ("up", "down"))
    assert up.tolist() == [33.0, 360.0] and down.tolist() == [-27.0, -440.0]
    for label, aim in ((things, "next"), (chart, "up"), (Embedding(np.ones(2)), "next"), (Text("a"), "up"), (Classification.one_hot(0, 3), "class=x"), (things, "class=a")):
        with pytest.raises(InputError, match="aim"):
            label.aimed(aim, names)


# whole data sets


def classifier(side=24):
    net = toy_classifier()
    return Model(net, make_card(net, task="classify", name="small", options={"widths": [8, 16, 16]}, head="softmax", preprocess=Preprocess((side, side))))


def toy_data(task, count=16):
    from vidi.core.discovery import load

    data = load("tasks", task).task.toy(count, 5)
    for sample in data:
        sample.split = "test"
    return data


def other_model(task, net, options, side, fit="letterbox"):
    from vidi.core.discovery import load

    described = load("tasks", task).task
    torch.manual_seed(0)
    made = build_net(net, described.head, described.toy(1, 0).space, options).eval()
    return Model(made, make_card(made, task=task, name=net, options=options, head=described.head, preprocess=Preprocess((side, side), fit)))


@pytest.mark.parametrize("method, norm", [("pgd(steps=10)", "linf"), ("deepfool", "l2"), ("pgd(steps=10)", "l1")])
def test_attacked_files_are_scored_as_attacked(tmp_path, method, norm):
    model = classifier()
    found = vidi.attack(model, toy_data("classify"), method=method, norm=norm, budget={"linf": "12/255", "l2": "1.2", "l1": "25"}[norm], out=str(tmp_path / "out"))
    facts = found.extra["attack"]
    assert facts["exceeded"] == 0 and facts["clean"] >= facts["noisy"] - 0.1 and facts["attacked"] < 0.4 < facts["clean"] and facts["fooled"] > 0.5
    assert vidi.val(model, str(tmp_path / "out"), intervals=0).numbers["accuracy"] == facts["attacked"]
    assert all(sample.file.suffix == ".png" for sample in found) and read(tmp_path / "out").splits == {"test": 16}
    assert any("exceeded in the files, read again by 0" in note for note in found.notes)


def test_pictures_of_other_sizes_come_out_as_canvases(tmp_path):
    data = toy_data("classify", 4)
    data = data.with_samples(Sample(f"{i}#a.jpg", {"image": np.kron(s.inputs["image"], np.ones((2, 3, 1), np.uint8))}, s.label) for i, s in enumerate(data))
    found = vidi.attack(classifier(), data, method="fgsm", out=str(tmp_path / "out"), limit=3)
    assert len(found) == 3 and {read_size(sample.file) for sample in found} == {(24, 24)}


def read_size(file):
    from PIL import Image

    with Image.open(file) as picture:
        return picture.size


Case = namedtuple("Case", "task net options side")
CASES = [
    Case("multilabel", "small", {"widths": [4, 8]}, 24), Case("regress", "small", {"widths": [4, 8]}, 24), Case("embed", "small", {"widths": [4, 8]}, 24),
    Case("detect", "fcos", {"backbone": "small(widths=[4,8,8])", "width": 8}, 64), Case("semantic", "unet", {"backbone": "classic", "width": 4, "depth": 2}, 64),
    Case("instance", "yolo", {"backbone": "small(widths=[4,8,8])", "width": 8}, 64), Case("track", "fcos", {"backbone": "small(widths=[4,8,8])", "width": 8}, 64),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)
def test_labels_of_every_family_are_written_and_scored(tmp_path, case):
    model = other_model(*case)
    found = vidi.attack(model, toy_data(case.task, 6), method="pgd(steps=2)", out=str(tmp_path / "out"))
    facts = found.extra["attack"]
    assert facts["exceeded"] == 0 and facts["n"] == len(found) == 6 and 0.5 * 8 / 255 < facts["mean_size"] < 8.01 / 255
    again = vidi.val(model, str(tmp_path / "out"), intervals=0).numbers[facts["primary"]]
    assert again == facts["attacked"] or again == pytest.approx(facts["attacked"])


@pytest.mark.parametrize("case, format", [(CASES[3], "coco"), (CASES[4], "masks"), (CASES[3], "yolo")])
def test_other_formats(tmp_path, case, format):
    model = other_model(*case)
    found = vidi.attack(model, toy_data(case.task, 4), method="fgsm", format=format, out=str(tmp_path / "out"))
    assert vidi.val(model, str(tmp_path / "out"), intervals=0).numbers[found.extra["attack"]["primary"]] == pytest.approx(found.extra["attack"]["attacked"])


def test_pictures_without_labels():
    model, data = classifier(), toy_data("classify", 6)
    bare = data.with_samples(Sample(s.id, s.inputs) for s in data)
    bare.space = None
    with pytest.raises(DataError, match="no labels"):
        vidi.attack(model, bare)
    facts = vidi.attack(model, bare, labels=False, method="pgd(steps=10)").extra["attack"]
    assert facts["clean"] is None and facts["fooled"] > 0
    some = data.with_samples(Sample(s.id, s.inputs, s.label if i else None) for i, s in enumerate(data))
    found = vidi.attack(model, some, method="fgsm")
    assert len(found) == 5 and found.notes[0].startswith("left out 1 pictures")


def test_aims_of_a_data_set():
    model, data = classifier(), toy_data("classify", 9)
    facts = vidi.attack(model, data, method="pgd(steps=15)", aim="class=cross", budget="30/255").extra["attack"]
    assert facts["aim"] == "class=cross" and facts["right_before"] < 9 and facts["fooled"] > 0.5
    with pytest.raises(InputError, match="aim"):
        vidi.attack(model, data, aim="class=nothing")


@pytest.mark.parametrize("wrong, words", [
    ({"method": "pgd(steps=2)", "steps": 3}, "given twice"), ({"method": "fgsm", "steps": 3}, "does not go in steps"), ({"method": "patch", "budget": "0.1"}, "bounded by its own"),
    ({"method": "deepfool", "norm": "l1"}, "norm"), ({"method": "cw"}, "norm=l2"), ({"limit": 0}, "limit"), ({"method": "pgd(3)"}, "key=value"), ({"budget": "x"}, "budget"),
    ({"method": "apgd(loss=z)"}, "loss"), ({"batch": 0}, "batch"),
])  # fmt: skip
def test_refused(wrong, words):
    with pytest.raises((InputError, RecipeError), match=words.replace("(", r"\(")):
        vidi.attack(classifier(), toy_data("classify", 2), **wrong)


def test_an_attack_is_the_same_by_seed_and_batch():
    model, data = classifier(), toy_data("classify", 6)
    one, two, other = (vidi.attack(model, data, method="square(steps=10)", batch=batch, seed=seed) for batch, seed in ((2, 0), (6, 0), (6, 1)))
    same = [np.array_equal(a.inputs["image"], b.inputs["image"]) for a, b in zip(one, two)]
    assert all(same) and not all(np.array_equal(a.inputs["image"], b.inputs["image"]) for a, b in zip(two, other))


def test_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(InputError, match="new or empty"):
        vidi.attack(classifier(), toy_data("classify", 2), method="fgsm", out=str(tmp_path))


def test_a_sticker_changes_only_its_place():
    net, images = Linear(), pictures(3)
    found = make_attack("patch", size=0.5, place="top-left", shift=0.0, steps=3).run(net, images, own_goal(net, images), Budget("linf", 0.0), draw(3))
    changed = (found != images).any(1)
    assert changed[:, :2, :2].all() and not changed[:, 2:].any() and not changed[:, :, 2:].any()
    assert torch.equal(found[0, :, :2, :2], found[1, :, :2, :2])


def test_a_learned_change_is_the_same_for_all_pictures():
    net, images = Linear(), pictures(8)
    method, budget = make_attack("universal", steps=10), Budget("linf", 0.05)
    method.fit(net, lambda: [(images[:4], own_goal(net, images[:4])), (images[4:], own_goal(net, images[4:]))], budget, draw(1))
    found = method.run(net, images, own_goal(net, images), budget, draw(8))
    torch.testing.assert_close(found - images, (found - images)[:1].expand(8, -1, -1, -1))


