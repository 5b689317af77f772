"""Steps in front of the net as a defense, judged by an attacker who knows of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from untrained import untrained

import vidi
from vidi.errors import InputError
from vidi.nets.enhance._steps import make_step
from vidi.ops.straight import straight_through
from vidi.tasks import classify

STEPS = ["bit_depth", "jpeg", "shrink"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    data = classify.toy(120, seed=0)
    runs = str(tmp_path_factory.mktemp("runs"))
    return vidi.train(data, net="small", widths=[8, 16], epochs=4, lr=0.02, batch=32, verbose=False, doctor=False, project=runs), data


@pytest.mark.parametrize("step", STEPS)
def test_steps_keep_shape_and_range_and_have_gradients(step):
    layer = make_step(step)
    x = torch.rand(4, 3, 17, 23, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.shape == x.shape and 0 <= y.detach().min() and y.detach().max() <= 1
    assert x.grad is not None and x.grad.isfinite().all() and float(x.grad.abs().sum()) > 0
    torch.testing.assert_close(layer(x)[1:2], layer(x[1:2]))
    assert layer(x[:0]).shape == (0, 3, 17, 23)
    assert layer(torch.zeros(1, 3, 1, 1)).shape == (1, 3, 1, 1)


def test_bit_depth_has_as_many_levels_as_bits_say():
    shown = make_step("bit_depth(bits=2)")(torch.linspace(0, 1, 300).expand(1, 3, 1, 300))
    np.testing.assert_allclose(shown.unique().numpy(), [0, 1 / 3, 2 / 3, 1], atol=1e-6)


def test_straight_through_gives_the_gradient_of_the_picture():
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    weight = torch.rand(1, 3, 8, 8)
    (make_step("bit_depth(bits=1)")(x) * weight).sum().backward()
    torch.testing.assert_close(x.grad, weight)
    changed = torch.rand(100_000)
    assert torch.equal(straight_through(torch.rand(100_000, requires_grad=True), changed), changed)


@pytest.mark.parametrize("call", ["bit_depth(bits=9)", "bit_depth(bits=0)", "jpeg(quality=0)", "jpeg(quality=1.5)", "shrink(factor=0)", "shrink(factor=2)"])
def test_settings_out_of_range_are_refused(call):
    with pytest.raises(InputError):
        make_step(call)


def test_purified_model_carries_its_steps_and_is_judged_through_them(trained, tmp_path):
    model, data = trained
    out = tmp_path / "purified.vidi"
    report = vidi.defend(
        model, data, method="purify(steps=bit_depth(bits=2)+median)", budget="12/255", attack="pgd(steps=5)", checks=False, intervals=20, out=str(out), project=str(tmp_path / "runs"),
    )  # fmt: skip
    kept = vidi.load(out)
    assert [call.partition("(")[0] for call in kept.card.enhance] == ["bit_depth", "median"]
    assert not model.card.enhance and len(model.net.normalize.enhance) == 0
    unaware, aware = report.numbers["after.fooled_unaware"], report.numbers["after.fooled"]
    assert unaware is not None and aware is not None and report.n["after.fooled_unaware"] == report.n["after.fooled"]
    assert f"{unaware:.3f} of {report.n['after.fooled']}" in " ".join(report.about["notes"])
    assert report.about["verdict"] in ("better", "not better") and any("do" in note and "steps" in note for note in report.about["notes"])


@pytest.mark.parametrize("name", ["classify", "detect", "embed"])
def test_the_unaware_attack_is_the_one_on_the_undefended_model(name, tmp_path):
    """Steps that leave 8-bit pictures as they are leave the share that is fooled as it was."""
    model, data = untrained(name, 12)
    report = vidi.defend(
        model, data, method="purify(steps=bit_depth(bits=8))", budget="4/255", attack="pgd(steps=2)", limit=5, intervals=20, checks=False, out=str(tmp_path / "p.vidi"), project=str(tmp_path),
    )  # fmt: skip
    assert report.numbers["after.fooled_unaware"] == report.numbers["before.fooled"]
    assert report.n["after.fooled_unaware"] == report.n["before.fooled"] == report.n["after.fooled"]


@pytest.mark.parametrize("method", ["purify(steps=none)", "purify(steps=no_such_step)", "purify(pictures=0)", "purify(strength=3)"])
def test_bad_settings_are_refused_before_anything_is_attacked(trained, tmp_path, method):
    model, data = trained
    with pytest.raises(vidi.errors.VidiError):
        vidi.defend(model, data, method=method, out=str(tmp_path / "x.vidi"), project=str(tmp_path / "runs"))
    assert not (tmp_path / "x.vidi").exists()


def test_a_training_setting_for_a_method_that_does_not_train_is_refused(trained, tmp_path):
    model, data = trained
    with pytest.raises(InputError, match="does not train"):
        vidi.defend(model, data, method="purify", epochs=3, out=str(tmp_path / "x.vidi"), project=str(tmp_path / "runs"))


@pytest.mark.parametrize("name", ["regress", "multilabel", "detect", "semantic", "instance", "embed"])
def test_every_family_can_be_purified(name, tmp_path):
    model, data = untrained(name, 12)
    report = vidi.defend(
        model, data, method="purify(steps=shrink)", budget="4/255", attack="pgd(steps=2)", limit=3, intervals=20, checks=False, out=str(tmp_path / "p.vidi"), project=str(tmp_path),
    )  # fmt: skip
    assert "after.fooled_unaware" in report.numbers
