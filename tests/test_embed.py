"""Vectors that tell identities apart: losses, head, batches by class, retrieval, crops and appearance."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import vidi
from vidi.core import discovery
from vidi.core.console import quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.images import decode
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.data import crops as cutting
from vidi.data.crops import crops, region
from vidi.data.samplers import grouped_batch, m_per_class
from vidi.data.split import assign
from vidi.engine.appearance import Appearance
from vidi.errors import ChoiceError, DataError, InputError, RecipeError, ResourceError
from vidi.labels import Classification, Detections, Embedding
from vidi.metrics import _neighbors, applicable, evaluate, paired
from vidi.model import Model, build_net, make_card
from vidi.nets.heads.embedding import Vectors, identities
from vidi.nets.metric_losses._base import Sum
from vidi.testing.net import check_net
from vidi.testing.task import check_task

LOSSES = discovery.names("nets/metric_losses")
FAST = {"widths": [8, 16], "device": "cpu", "threads": 1, "precision": "fp32", "doctor": False, "verbose": False}


def sphere(count, dim=6, seed=0):
    vectors = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1)


# -- losses against their formulas, written out ----------------------------------------------------------------------

WHO = np.array([0, 0, 1, 1, 1, 2, 3, -1, 0, 3])


def parts_of(text, vectors, who, classes=5, present=None, seed=0):
    torch.manual_seed(seed)
    loss = Sum(text, vectors.shape[1], classes).double()
    there = torch.ones(classes, dtype=torch.bool) if present is None else present
    found = loss(vectors, torch.from_numpy(np.asarray(who)), there)
    centers = next(iter(loss.parameters()), None)
    return {key: part.detach().numpy() for key, part in found.items()}, None if centers is None else centers.detach().numpy()


def others(i, who):
    same = [j for j in range(len(who)) if j != i and who[j] == who[i] >= 0]
    return same, [j for j in range(len(who)) if who[j] >= 0 and who[i] >= 0 and who[j] != who[i]]


def test_triplet_is_the_formula():
    v = sphere(len(WHO)).numpy()
    hard, soft = parts_of("triplet(margin=0.2)", sphere(len(WHO)), WHO)[0], parts_of("triplet(margin=null)", sphere(len(WHO)), WHO)[0]
    for i in range(len(WHO)):
        same, other = others(i, WHO)
        gap = max(np.linalg.norm(v[i] - v[j]) for j in same) - min(np.linalg.norm(v[i] - v[j]) for j in other) if same and other else None
        assert hard["triplet"][i] == pytest.approx(0 if gap is None else max(0, gap + 0.2), abs=1e-6)
        assert soft["triplet"][i] == pytest.approx(0 if gap is None else math.log1p(math.exp(gap)), abs=1e-6)


def test_supcon_is_the_formula():
    v = sphere(len(WHO)).numpy()
    found = parts_of("supcon(temperature=0.2)", sphere(len(WHO)), WHO)[0]["supcon"]
    for i in range(len(WHO)):
        same, other = others(i, WHO)
        total = sum(math.exp(v[i] @ v[j] / 0.2) for j in same + other)
        expected = -sum(math.log(math.exp(v[i] @ v[j] / 0.2) / total) for j in same) / len(same) if same else 0
        assert found[i] == pytest.approx(expected, abs=1e-9)


def test_multi_similarity_is_the_formula():
    v = sphere(len(WHO)).numpy()
    found = parts_of("multi_similarity", sphere(len(WHO)), WHO)[0]["multi_similarity"]
    for i in range(len(WHO)):
        same, other = others(i, WHO)
        expected = 0.0
        if same and other:
            most, least = max(v[i] @ v[j] for j in other), min(v[i] @ v[j] for j in same)
            pull, push = [v[i] @ v[j] for j in same if v[i] @ v[j] - 0.1 < most], [v[i] @ v[j] for j in other if v[i] @ v[j] + 0.1 > least]
            if pull and push:
                expected = math.log(1 + sum(math.exp(-2 * (s - 0.5)) for s in pull)) / 2 + math.log(1 + sum(math.exp(50 * (s - 0.5)) for s in push)) / 50
        assert found[i] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("centers", [1, 3])
def test_arcface_is_the_formula(centers):
    v = sphere(len(WHO)).numpy()
    present = torch.tensor([True, True, True, True, False])
    found, proxies = parts_of(f"arcface(margin=0.5,scale=8,centers={centers})", sphere(len(WHO)), WHO, present=present)
    units = proxies / np.linalg.norm(proxies, axis=-1, keepdims=True)
    for i, own in enumerate(WHO):
        cosines = [max(v[i] @ center for center in units[k]) for k in range(4)]
        angle = math.acos(cosines[own])
        turned = math.cos(angle + 0.5) if angle + 0.5 <= math.pi else cosines[own] - 0.5 * math.sin(0.5)
        logits = [8 * (turned if k == own else cosines[k]) for k in range(4)]
        expected = math.log(sum(map(math.exp, logits))) - logits[own] if own >= 0 else 0
        assert found["arcface"][i] == pytest.approx(expected, abs=1e-9)


def test_proxy_anchor_has_the_papers_mean_and_gradient():
    who, vectors = WHO[WHO >= 0], sphere(int((WHO >= 0).sum()))
    torch.manual_seed(0)
    loss = Sum("proxy_anchor(alpha=4,margin=0.2)", 6, 5).double()
    proxies = loss.parts["proxy_anchor"].proxies
    vectors.requires_grad_()
    found = loss(vectors, torch.from_numpy(who), torch.tensor([True] * 4 + [False]))["proxy_anchor"]
    ours = torch.autograd.grad(found.mean(), [vectors, proxies])
    cosine = vectors @ torch.nn.functional.normalize(proxies, dim=1).T
    pull = sum(torch.log(1 + sum(torch.exp(-4 * (cosine[i, k] - 0.2)) for i in range(len(who)) if who[i] == k)) for k in range(4))
    push = sum(torch.log(1 + sum(torch.exp(4 * (cosine[i, k] + 0.2)) for i in range(len(who)) if who[i] != k)) for k in range(4))
    expected = (pull + push) / 4
    torch.testing.assert_close(found.mean(), expected)
    torch.testing.assert_close(ours, torch.autograd.grad(expected, [vectors, proxies]))
    assert (found >= 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_batches_with_nobody_to_compare_are_finite(name):
    for who in ([], [0], [-1], [0, 0], [0, 1], [-1, -1, -1], [0, 0, 1, -1]):
        vectors = torch.zeros(0, 6) if not who else sphere(len(who)).float()
        vectors = vectors.clone().requires_grad_()
        loss = Sum(name, 6, 3)
        part = loss(vectors, torch.tensor(who, dtype=torch.int64), torch.ones(3, dtype=torch.bool))[name]
        assert part.shape == (len(who),) and part.isfinite().all() and part.dtype == torch.float32
        assert (part[torch.tensor(who, dtype=torch.int64) < 0] == 0).all()
        if who:
            part.sum().backward()
            assert vectors.grad.isfinite().all()
    same = torch.ones(4, 6).div(6**0.5).requires_grad_()  # a net that has collapsed to one point
    Sum(name, 6, 3)(same, torch.tensor([0, 0, 1, 1]), torch.ones(3, dtype=torch.bool))[name].sum().backward()
    assert same.grad.isfinite().all()


def test_sums_of_losses_and_their_errors():
    vectors, who = sphere(len(WHO)), WHO
    both = parts_of("arcface(scale=16) + 0.5*triplet(margin=0.2)", vectors, who)[0]
    assert list(both) == ["arcface", "triplet"]
    np.testing.assert_allclose(both["triplet"], 0.5 * parts_of("triplet(margin=0.2)", vectors, who)[0]["triplet"])
    for text, error in (("triplt", ChoiceError), ("triplet(margn=1)", RecipeError), ("triplet(margin=3)", RecipeError), ("supcon(temperature=x)", RecipeError), ("triplet+triplet", RecipeError),
                        ("triplet+", RecipeError), ("", RecipeError), ("supcon(temperature=0)", RecipeError), ("arcface(centers=0)", RecipeError)):  # fmt: skip
        with pytest.raises(error):
            Sum(text, 6, 3)


# -- the head --------------------------------------------------------------------------------------------------------


def test_the_task_and_its_head_keep_their_contracts():
    check_task("embed")
    check_net("small", heads=("embedding",), widths=(8, 12), side=28)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_keeps_the_contract_of_nets(name):
    neck = "bn" if name == "arcface" else "none"
    check_net("small", heads=("embedding",), widths=(8, 12), export=False, pool="gem", head_options={"dim": 16, "loss": name, "neck": neck})


def test_the_head_gives_unit_vectors_and_leaves_unseen_classes_out():
    torch.manual_seed(0)
    head = Vectors(10, 4, dim=8, neck="bn", loss="arcface")
    assert head.predicts == "Embedding" and head.kinds == {"embedding": "vector"}
    for training in (True, False):
        for count in (1, 5):
            raw = head.train(training)(torch.randn(count, 10))["embedding"]
            torch.testing.assert_close(raw.norm(dim=1), torch.ones(count))
    labels = [Classification.one_hot(i % 2, 4) for i in range(5)]
    head.fit_labels(labels)
    assert head.present.tolist() == [True, True, False, False] and "present" not in head.state_dict()
    raw = head(torch.randn(5, 10))
    before = head.loss(raw, labels)["arcface"]
    with torch.no_grad():
        head.losses.parts["arcface"].proxies[2:] += 1
    assert torch.equal(before, head.loss(raw, labels)["arcface"])
    assert head.loss(raw, [Classification.one_hot(3, 4)] * 5)["arcface"].sum() == 0
    assert all(isinstance(label, Embedding) for label in head.decode(raw))
    for options in ({"dim": 1}, {"neck": "x"}, {"loss": "none"}):
        with pytest.raises((RecipeError, ChoiceError)):
            Vectors(10, 4, **options)


def test_identities():
    assert identities([]).shape == (0,)
    rows = [[0, 1, 0], [0.5, 0.5, 0], [0.2, 0.2, 0.6], [np.nan] * 3, [np.nan, 1, np.nan]]
    assert identities([Classification(np.array(row)) for row in rows]).tolist() == [1, -1, 2, -1, 1]


# -- batches and splits by class --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counts", "m", "batch"), [([30] * 10, 4, 16), ([2, 50, 7, 1, 90], 4, 16), ([5, 5], 4, 24), ([100], 2, 8), ([1] * 40, 2, 10)])
def test_batches_hold_m_of_each_class(counts, m, batch):
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)) * 3, counts))
    turns = np.zeros(len(counts))
    for epoch in range(3):
        order = m_per_class(classes, m, batch, 7, epoch)
        assert len(order) == batch * max(1, round(len(classes) / batch)) and order.dtype == np.int64
        assert np.array_equal(order, m_per_class(classes, m, batch, 7, epoch))
        for start in range(0, len(order), batch):
            own = classes[order[start : start + batch]].reshape(-1, m)
            assert (own == own[:, :1]).all()
            assert len(np.unique(own[:, 0])) == min(batch // m, len(counts))
        visits = np.bincount(classes[order][::m] // 3, minlength=len(counts))
        assert visits.max() - visits.min() <= 2
        turns += visits
        for group in order.reshape(-1, m):
            assert len(np.unique(group)) == min(m, counts[classes[group[0]] // 3])
    everywhere = np.bincount(np.concatenate([m_per_class(classes, m, batch, 7, epoch) for epoch in range(40)]), minlength=len(classes))
    assert everywhere.min() > 0
    assert not np.array_equal(m_per_class(classes, m, batch, 7, 0), m_per_class(classes, m, batch, 8, 0)) or len(classes) < 11


def test_batches_by_class_of_little_or_nothing():
    assert m_per_class(np.zeros(0, np.int64), 2, 4).shape == (0,)
    assert set(m_per_class(np.array([-1, 0, 1, -1, 1]), 2, 4)) == {1, 2, 4}
    for bad in ({"m": 3, "batch": 4}, {"m": 0, "batch": 4}):
        with pytest.raises(ValueError, match="multiple of m"):
            m_per_class(np.zeros(5, np.int64), **bad)
    with pytest.raises(ValueError, match="known class"):
        m_per_class(np.full(5, -1), 2, 4)
    assert [grouped_batch(n, 64, 4) for n in (1000, 64, 30, 5)] == [64, 64, 28, 8] and grouped_batch(100, 30, 4) == 28


def labeled(classes, count=4, groups=False):
    samples = [Sample(f"{k}-{i}", {}, Classification.one_hot(k, classes), None, f"g{i}" if groups else None) for k in range(classes) for i in range(count)]
    return Dataset(samples, Space("Classification", tuple(f"c{k}" for k in range(classes))))


@pytest.mark.parametrize("groups", [False, True])
def test_whole_classes_are_kept_for_validation(groups):
    data = assign(labeled(20, groups=groups), val=0.2, test=0.1, by="class")
    found = {split: {sample.label.top for sample in data if sample.split == split} for split in ("train", "val", "test")}
    assert [len(found[split]) for split in ("train", "val", "test")] == [14, 4, 2]
    assert not found["train"] & found["val"] and not found["val"] & found["test"] and not found["train"] & found["test"]
    assert "whole classes (6 of 20)" in data.notes[-1]
    again = assign(labeled(20, groups=groups), val=0.2, test=0.1, by="class")
    assert [sample.split for sample in data] == [sample.split for sample in again]
    few = assign(labeled(4), val=0.2, by="class")
    assert few.splits == {"train": 8, "val": 8}
    with pytest.raises(DataError, match="too few classes"):
        assign(labeled(3), val=0.2, by="class")
    with pytest.raises(DataError, match="each sample has one"):
        assign(Dataset([Sample("a", {}, Detections(np.zeros((0, 4))))], Space("Detections", ("x",))), by="class")


# -- retrieval ---------------------------------------------------------------------------------------------------------


def cloud(count=60, classes=7, dim=5, seed=0, spread=0.8):
    random = np.random.default_rng(seed)
    who = random.integers(0, classes, count)
    vectors = random.normal(size=(classes, dim))[who] + spread * random.normal(size=(count, dim))
    return who, [Classification.one_hot(int(k), classes) for k in who], [Embedding(row) for row in vectors], Space("Classification", tuple("abcdefgh"[:classes]))


def brute(who, predicted, queries, gallery, skip=lambda i, j: i == j):
    rows = {}
    vectors = [label.vector.astype(np.float64) for label in predicted]
    for i in queries:
        near = [(-(vectors[i] @ vectors[j]) / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j]), j) for j in gallery if not skip(i, j)]
        hits = [who[j] == who[i] for _, j in sorted(near)]
        relevant = sum(hits)
        if relevant:
            precision = [sum(hits[: k + 1]) / (k + 1) for k in range(relevant)]
            rows[i] = {f"recall_at_{k}": float(any(hits[:k])) for k in (1, 5, 10)} | {
                "map_at_r": sum(p for p, hit in zip(precision, hits) if hit) / relevant, "r_precision": sum(hits[:relevant]) / relevant}  # fmt: skip
    return {name: np.mean([row[name] for row in rows.values()]) for name in next(iter(rows.values()))}, rows


@pytest.mark.parametrize("block", [1, 16_000_000])
def test_retrieval_equals_brute_force(block, monkeypatch):
    monkeypatch.setattr(_neighbors, "_BLOCK", block)
    who, truth, predicted, space = cloud()
    found = evaluate(["retrieval"], truth, predicted, space, intervals=50)
    expected, rows = brute(who, predicted, range(60), range(60))
    assert found.numbers == pytest.approx(expected, abs=1e-6)
    assert found.n["recall_at_1"] == len(rows) and set(found.intervals) == set(expected)
    for i in range(60):
        assert found.per_sample["badness"][i] == pytest.approx(1 - rows[i]["map_at_r"]) if i in rows else np.isnan(found.per_sample["badness"][i])
    table = found.figures[0]
    assert table["columns"][:3] == ["class", "queries", "recall_at_1"] and sum(row[1] for row in table["rows"]) == len(rows)
    json.dumps(found.to_dict(), allow_nan=False)


def test_queries_search_the_gallery_and_cameras_are_left_out():
    who, truth, predicted, space = cloud(80)
    query, camera = np.arange(80) % 4 == 0, np.arange(80) % 3
    asked, rest = np.flatnonzero(query), np.flatnonzero(~query)
    found = evaluate(["retrieval"], truth, predicted, space, settings={"query": query}, intervals=0)
    assert found.numbers == pytest.approx(brute(who, predicted, asked, rest)[0], abs=1e-6)
    found = evaluate(["retrieval"], truth, predicted, space, settings={"query": query, "cameras": camera}, intervals=0)
    expected = brute(who, predicted, asked, rest, lambda i, j: who[i] == who[j] and camera[i] == camera[j])[0]
    assert found.numbers == pytest.approx(expected, abs=1e-6)
    holes = [None if i in (0, 5, 7) else label for i, label in enumerate(truth)]
    kept = [i for i in range(80) if holes[i] is not None]
    found = evaluate(["retrieval"], holes, predicted, space, settings={"query": query.tolist()}, intervals=0)
    assert found.numbers == pytest.approx(brute(who, predicted, [i for i in asked if i in kept], [i for i in rest if i in kept])[0], abs=1e-6)
    with pytest.raises(InputError, match="one flag for each sample"):
        evaluate(["retrieval"], truth, predicted, space, settings={"query": query[:5]})


def test_retrieval_of_little_or_nothing():
    space = Space("Classification", ("a", "b"))
    a, b = Classification.one_hot(0, 2), Classification.one_hot(1, 2)
    vector = Embedding(np.ones(3))
    for truth in ([], [a], [a, a], [a, b], [None, a], [Classification(np.full(2, np.nan)), a]):
        found = evaluate(["retrieval", "nmi"], truth, [vector] * len(truth), space)
        assert set(found.numbers.values()) == {None} and found.intervals == {}, truth
    same = evaluate(["retrieval"], [a, a, b, b], [vector] * 4, space, intervals=0).numbers
    assert same["recall_at_1"] == 0 and same["recall_at_5"] == 1  # a net that says the same of everything finds nothing
    zero = evaluate(["retrieval"], [a, a, b, b], [Embedding(np.zeros(3))] * 4, space, intervals=0).numbers
    assert zero == same
    perfect = evaluate(["retrieval"], [a, a, b, b, b], [Embedding(label.probabilities) for label in (a, a, b, b, b)], space, intervals=0).numbers
    assert set(perfect.values()) == {1.0}


def test_clusters_that_are_the_classes():
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score

    who, truth, predicted, space = cloud(90, spread=0.3)
    found = evaluate(["nmi"], truth, predicted, space, intervals=20)
    unit = _neighbors.unit(Embedding.stack(predicted))
    clusters = KMeans(7, n_init=4, random_state=0).fit_predict(unit)
    assert found.numbers["nmi"] == pytest.approx(normalized_mutual_info_score(who, clusters))
    assert found.intervals["nmi"][0] < found.intervals["nmi"][1]


def test_metrics_of_vectors_stand_apart_from_those_of_classes():
    _, truth, predicted, space = cloud()
    assert not {"retrieval", "nmi"} & set(applicable(space))
    with pytest.raises(InputError, match="different families"):
        evaluate(["retrieval", "accuracy"], truth, predicted, space)
    with pytest.raises(InputError, match="a prediction must be a Embedding"):
        evaluate(["retrieval"], truth, truth, space)
    with pytest.raises(InputError, match="a prediction must have 5 values"):
        evaluate(["retrieval"], truth, [*predicted[:-1], Embedding(np.ones(4))], space)
    difference = paired(["retrieval"], truth, predicted, predicted, space, intervals=20)
    assert difference["map_at_r"] == (0.0, 0.0, 0.0)


# -- crops -------------------------------------------------------------------------------------------------------------


def street(frames=12, tracks=True, videos=("one", "two")):
    """Two videos in which a red and a blue box walk to the right; in frame 3 there is a crowd, and a speck that is too small."""
    samples = []
    for v, video in enumerate(videos):
        for t in range(frames):
            pixels = np.full((60, 80, 3), 100, np.uint8)
            boxes = np.array([[2 + t, 5, 22 + t, 45], [40, 10 + t, 60, 30 + t], [0, 0, 5, 5], [60, 40, 80, 60]], np.float32)
            pixels[5:45, 2 + t : 22 + t], pixels[10 + t : 30 + t, 40:60] = (200, 0, 0), (0, 0, 200)
            label = Detections(boxes, None, np.array([0, 1, 0, 0]), tracks=np.array([1, 2, 3, 4]) if tracks else None, crowd=np.arange(4) == 3)
            samples.append(Sample(f"{video}#{t:06d}", {"image": pixels}, label, ("train", "val")[v], video, None, {"frame": t, "seconds": t / 10}))
    return Dataset(samples, Space("Detections", ("red", "blue")), name="street")


def test_crops_of_tracks():
    data = street()
    made = crops(data, every=5)
    assert made.space.names == ("one:1", "one:2", "two:1", "two:2") and made.space.family == "Classification"
    assert [sample.id for sample in made][:4] == ["one#000000@1", "one#000000@2", "one#000005@1", "one#000005@2"] and len(made) == 12
    assert made[0].split == "train" and made[-1].split == "val" and made[-1].group == "two" and made[2].extra == {"frame": 5}
    assert made.notes[0] == "12 crops of 4 identities" and len(made.notes) == 4
    assert isinstance(made[0].inputs["image"], bytes)
    pixels = decode(made[2].inputs["image"])
    x1, y1, x2, y2 = region(data[5].label.boxes[0], (60, 80), 0.1)
    assert (x1, y1, x2, y2) == (5, 1, 29, 49)
    np.testing.assert_array_equal(pixels, data[5].inputs["image"][y1:y2, x1:x2])
    assert all(sample.label is made[0].label for sample in made if sample.label.top == 0)
    assert len(crops(data, every=1)) == 48 and made.fingerprint() == crops(street(), every=5).fingerprint()
    for sample in data:
        sample.group = "same"  # videos of one name in two splits are two videos
    assert crops(data).space.names == ("train/same:1", "train/same:2", "val/same:1", "val/same:2")
    small = crops(data, size=24, margin=0)
    assert decode(small[0].inputs["image"]).shape == (24, 12, 3)


def test_crops_of_classes_in_pictures_without_tracks():
    data = street(tracks=False)
    made = crops(data, by="class", every=4)
    assert made.space.names == ("red", "blue") and {sample.label.top for sample in made} == {0, 1} and len(made) == 12
    for sample in data:
        sample.extra, sample.group = {}, None
    assert len(crops(data, by="class")) == 48
    with pytest.raises(DataError, match="no things have a track") as caught:
        crops(data)
    assert caught.value.fix == "by=class"


def test_crops_that_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no boxes"):
        crops(labeled(2))
    with pytest.raises(DataError, match="no crop is left"):
        crops(street(), least=50)
    with pytest.raises(DataError, match="no crop is left"):
        crops(Dataset([], Space("Detections", ("a",))), by="class")
    for bad in ({"by": "color"}, {"margin": 3}, {"size": 2}, {"every": 0}):
        with pytest.raises(InputError):
            crops(street(), **bad)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    with pytest.raises(InputError, match="empty folder"):
        crops(street(), folder=tmp_path / "full")
    monkeypatch.setattr(cutting, "MEMORY", 1000)
    with pytest.raises(ResourceError, match="fit into memory"):
        crops(street())


def test_crops_as_class_folders_are_read_back(tmp_path):
    made = crops(street(videos=("a/one", "a_one")), folder=tmp_path / "crops")
    again = vidi.data.read(tmp_path / "crops")
    assert len(again) == len(made) == 12 and again.splits == made.splits and len(again.space) == 4
    for sample in made:
        assert sample.inputs["image"].is_file()


def test_regions_have_a_pixel_at_least():
    assert region(np.array([10, 10, 20, 30]), (100, 100), 0.1) == (9, 8, 21, 32)
    assert region(np.array([-50, -50, -10, -10]), (40, 30), 0.1) == (0, 0, 1, 1)
    assert region(np.array([500, 500, 510, 510]), (40, 30), 0.0) == (29, 39, 30, 40)
    assert region(np.array([5, 5, 5, 5]), (40, 30), 0.1) == (5, 5, 6, 6)


# -- appearance --------------------------------------------------------------------------------------------------------


def model_of(head="embedding", size=(32, 16)):
    torch.manual_seed(0)
    options = {"widths": (8, 12), "head_options": {"dim": 16}} if head == "embedding" else {"widths": (8, 12)}
    net = build_net("small", head, Space("Classification", ("a", "b")), options)
    card = make_card(net, task="embed", name="small", options=options, head=head, preprocess=Preprocess(size, "letterbox"))
    return Model(net, card)


@pytest.mark.parametrize("head", ["embedding", "softmax"])
def test_appearance_is_what_the_model_says_of_the_crops(head):
    look = Appearance(model_of(head), batch=3)
    frame = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    boxes = np.array([[2, 5, 22, 45], [40, 10, 60, 30], [-5, -5, 4, 90], [79, 59, 200, 200], [10, 10, 10, 10]], np.float32)
    found = look.vectors(frame, boxes)
    assert found.shape == (5, look.dim) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    cut = [frame[y1:y2, x1:x2] for x1, y1, x2, y2 in (region(box, (60, 80)) for box in boxes)]
    expected = look.model.features(cut, layers=[look.key])[look.key]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    assert look.vectors(frame, np.zeros((0, 4))).shape == (0, look.dim)
    np.testing.assert_allclose(look.vectors(frame, boxes[3:]), found[3:], atol=1e-5)
    for wrong in ((frame.astype(float), boxes), (frame[..., 0], boxes), (frame, boxes[:, :3]), (frame, boxes * np.nan)):
        with pytest.raises(InputError):
            look.vectors(*wrong)


# -- the whole way -----------------------------------------------------------------------------------------------------


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with quiet():
        yield


def test_from_training_to_identities_that_were_never_seen(in_folder):
    task = discovery.load("tasks", "embed")
    settings = FAST | {"task": "embed", "project": "runs"}
    before = vidi.train(task.toy(240), name="no", epochs=0.01, lr=1e-9, **settings)
    model = vidi.train(task.toy(480), name="yes", epochs=8, lr=5e-3, **settings)
    key = task.task.primary
    assert model.card.numbers["test"][key] > before.card.numbers["test"][key] + 0.1
    rows = [json.loads(line) for line in Path("runs/embed/yes/metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["train/loss"] < rows[0]["train/loss"] and rows[-1]["val/loss"] is None and rows[-1]["val/recall_at_1"] > 0.5
    worst = next(section for section in json.loads(Path("runs/embed/yes/report.json").read_text())["sections"] if section.get("title") == "Worst samples")
    assert ": nearest " in worst["items"][0]["caption"] and "average precision" in worst["items"][0]["note"]

    # Other people, known by other names.
    other = task.toy(96, 5)
    other.space = Space("Classification", tuple(f"person {i}" for i in range(30)))
    report = vidi.val(model, other, split="test", intervals=20)
    assert report.numbers["recall_at_1"] > 0.5 and report.n["recall_at_1"] == 24
    wrong = Dataset([Sample("x", {"image": np.zeros((8, 8, 3), np.uint8)}, Detections(np.zeros((0, 4))))], Space("Detections", ("a",)))
    with pytest.raises(DataError):
        vidi.val(model, wrong)

    predicted = vidi.predict(model, [sample.inputs["image"] for sample in other.samples[:3]], out="out")
    assert predicted.space == Space("Embedding") and all(isinstance(label, Embedding) for label in predicted.labels)
    again = vidi.load(model.save("copy.vidi"))
    np.testing.assert_allclose(again([other[0].inputs["image"]])[0].vector, predicted[0].label.vector, atol=1e-6)

    # Transfer to other people starts from the vectors; the proxies of the old ones go.
    fewer = other.filter(lambda sample: sample.label.top < 8)
    fewer = fewer.with_samples(Sample(s.id, s.inputs, Classification(s.label.probabilities[:8])) for s in fewer)
    fewer.space = Space("Classification", other.space.names[:8])
    moved = vidi.train(fewer, name="moved", epochs=1, weights="copy.vidi", imgsz=list(model.preprocess.size), **settings)
    assert moved.net.space.names == fewer.space.names and moved.net.head.losses.parts["proxy_anchor"].proxies.shape == (8, 128)


def test_settings_that_do_not_go_together(in_folder):
    toy = discovery.load("tasks", "embed").toy(48)
    with pytest.raises(RecipeError, match="equally often"):
        vidi.train(toy, task="embed", balance="equal", project="runs", **FAST)
    tags = discovery.load("tasks", "multilabel").toy(48)
    with pytest.raises(RecipeError, match="one class for each sample"):
        vidi.train(tags, per_class=4, project="runs", **FAST)


def test_digits_that_were_never_seen_are_told_apart(in_folder):
    from vidi.data.sets import digits

    pixels, classes = digits.load()
    names = tuple(str(i) for i in range(10))
    samples = [
        Sample(f"{i:04d}", {"image": np.repeat(np.kron(picture, np.ones((2, 2), np.uint8))[..., None], 3, 2)}, Classification.one_hot(int(k), 10), "train" if k < 7 else "test")
        for i, (picture, k) in enumerate(zip(pixels, classes))
    ]
    data = Dataset(samples, Space("Classification", names), name="digits")
    settings = FAST | {"task": "embed", "project": "runs", "imgsz": 16, "widths": [16, 32], "val": 0, "augment": ["rotate(degrees=10)", "translate(share=0.06)"]}
    before = vidi.train(data, name="no", epochs=0.01, lr=1e-9, **settings).card.numbers["test"]
    after = vidi.train(data, name="yes", epochs=8, lr=3e-3, **settings).card.numbers["test"]
    assert after["recall_at_1"] > before["recall_at_1"] + 0.15
    assert after["map_at_r"] > before["map_at_r"] + 0.1
