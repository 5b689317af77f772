"""Divergence and evidence against torch's own losses, and the promises that methods rely on."""

import pytest
import torch
import torch.nn.functional as F

from vidi.ops.divergence import divergence, evidence

SHAPES = {"categorical": (4, 5), "bernoulli": (4, 3), "euclidean": (4, 2), "vector": (4, 6)}
DENSE = {"categorical": (4, 5, 3, 2), "bernoulli": (4, 3, 3), "euclidean": (4,), "vector": (4, 6, 2)}


def raws(shapes, seed, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    return {kind: torch.randn(shape, generator=generator) * scale for kind, shape in shapes.items()}


def own_kinds(shapes):
    return {kind: kind for kind in shapes}


@pytest.mark.parametrize("shapes", [SHAPES, DENSE], ids=["flat", "dense"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_equal_outputs_have_exactly_no_divergence(shapes, scale, dtype):
    a = {name: value.to(dtype) for name, value in raws(shapes, 0, scale).items()}
    for kind in shapes:
        result = divergence(a, {name: value.clone() for name, value in a.items()}, {kind: kind})
        assert result.shape == (4,) and (result == 0).all()


def test_an_empty_batch_and_no_outputs():
    empty = {"logits": torch.zeros(0, 3)}
    assert divergence(empty, empty, {"logits": "categorical"}).shape == (0,)
    assert evidence(empty, empty, {"logits": "categorical"}).shape == (0,)
    features = {"features": torch.randn(3, 2)}
    assert divergence(features, features, {"features": "aux"}).tolist() == [0, 0, 0]
    assert divergence({"v": torch.zeros(2, 0)}, {"v": torch.zeros(2, 0)}, {"v": "euclidean"}).tolist() == [0, 0]
    zero = {"v": torch.zeros(2, 3)}
    assert divergence(zero, zero, {"v": "vector"}).tolist() == [0, 0]


@pytest.mark.parametrize("shapes", [SHAPES, DENSE], ids=["flat", "dense"])
def test_against_torchs_losses(shapes):
    a, b = raws(shapes, 1), raws(shapes, 2)
    c, d = a["categorical"], b["categorical"]
    expected = F.kl_div(d.log_softmax(1), c.log_softmax(1), reduction="none", log_target=True).sum(1).reshape(4, -1).mean(1)
    torch.testing.assert_close(divergence(a, b, {"categorical": "categorical"}), expected)
    p, logits = a["bernoulli"].sigmoid(), b["bernoulli"]
    cross = F.binary_cross_entropy_with_logits(logits, p, reduction="none") - F.binary_cross_entropy(p, p, reduction="none")
    torch.testing.assert_close(divergence(a, b, {"bernoulli": "bernoulli"}), cross.reshape(4, -1).mean(1), rtol=1e-4, atol=1e-5)
    expected = F.mse_loss(a["euclidean"], b["euclidean"], reduction="none").reshape(4, -1).mean(1)
    torch.testing.assert_close(divergence(a, b, {"euclidean": "euclidean"}), expected)
    expected = (1 - F.cosine_similarity(a["vector"], b["vector"], dim=1)).reshape(4, -1).mean(1)
    torch.testing.assert_close(divergence(a, b, {"vector": "vector"}), expected)
    total = sum(divergence(a, b, {kind: kind}) for kind in shapes)
    torch.testing.assert_close(divergence(a, b, own_kinds(shapes)), total)


def test_divergence_is_positive_invariant_and_per_sample():
    a, b = raws(SHAPES, 3), raws(SHAPES, 4)
    kinds = own_kinds(SHAPES)
    assert (divergence(a, b, kinds) > 0).all()
    shifted = {"categorical": a["categorical"] + 7}
    assert divergence(a, shifted, {"categorical": "categorical"}).abs().max() < 1e-6
    alone = {name: value[2:3] for name, value in a.items()}, {name: value[2:3] for name, value in b.items()}
    torch.testing.assert_close(divergence(*alone, kinds)[0], divergence(a, b, kinds)[2])


@pytest.mark.parametrize("measure", [divergence, evidence])
@pytest.mark.parametrize("shapes", [SHAPES, DENSE], ids=["flat", "dense"])
def test_gradients_are_right_and_finite(measure, shapes):
    for kind in shapes:
        a, b = ({kind: raws(shapes, seed)[kind].double()} for seed in (5, 6))
        assert torch.autograd.gradcheck(lambda x, k=kind, other=b: measure({k: x}, other, {k: k}), a[kind].requires_grad_())
    huge = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    measure({"x": huge}, {"x": -huge.detach()}, {"x": "categorical"}).sum().backward()
    assert torch.isfinite(huge.grad).all()


def test_evidence_has_a_gradient_where_the_loss_has_none():
    logits = torch.tensor([[60.0, 0.0, -5.0]], requires_grad=True)
    F.cross_entropy(logits, torch.tensor([0])).backward()
    assert logits.grad.abs().max() < 1e-20
    logits.grad = None
    evidence({"y": logits}, {"y": logits}, {"y": "categorical"}).sum().backward()
    assert logits.grad[0, 0] == 1 and logits.grad[0, 1] < -0.9


def test_evidence_by_hand():
    kinds = {"y": "categorical"}
    raw, reference = {"y": torch.tensor([[1.0, 2.0, 3.0]])}, {"y": torch.tensor([[0.0, 9.0, 0.0]])}
    expected = 2 - torch.tensor([1.0, 3.0]).logsumexp(0)
    torch.testing.assert_close(evidence(raw, reference, kinds)[0], expected)
    p = raw["y"].softmax(1)[0, 1]
    torch.testing.assert_close(evidence(raw, reference, kinds)[0], (p / (1 - p)).log())
    assert evidence({"y": torch.tensor([[4.0]])}, {"y": torch.tensor([[-1.0]])}, kinds).item() == 4
    both = evidence({"y": torch.tensor([[2.0, -4.0]])}, {"y": torch.tensor([[1.0, -1.0]])}, {"y": "bernoulli"})
    assert both.item() == 3
    along = evidence(
        {"y": torch.tensor([[3.0, 4.0], [3.0, 4.0]])}, {"y": torch.tensor([[0.0, 2.0], [0.0, 0.0]])}, {"y": "euclidean"}
    )
    torch.testing.assert_close(along, torch.tensor([4.0, 7 / 2**0.5]))
    turned = evidence({"y": torch.tensor([[1.0, 0.0]])}, {"y": torch.tensor([[-2.0, 0.0]])}, {"y": "vector"})
    assert turned.item() == pytest.approx(-1)


def test_evidence_gives_the_reference_no_gradient():
    raw, reference = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    evidence({"y": raw}, {"y": reference}, {"y": "euclidean"}).sum().backward()
    assert raw.grad is not None and reference.grad is None


def test_mistakes_are_named():
    one = {"y": torch.zeros(2, 3)}
    with pytest.raises(ValueError, match="kind of 'y'"):
        divergence(one, one, {"y": "logits"})
    with pytest.raises(ValueError, match="'z' is declared"):
        divergence(one, one, {"z": "vector"})
    with pytest.raises(ValueError, match="differ"):
        divergence(one, {"y": torch.zeros(2, 4)}, {"y": "vector"})
