import base64
import io

import captum.attr
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

import vidi
from vidi.core import discovery
from vidi.core.preprocess import Preprocess
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.engine.evaluate import make_loader
from vidi.errors import InputError
from vidi.methods.explain._aim import aim, blurred
from vidi.methods.explain._auto import choose
from vidi.methods.explain._base import make_explainer, parse_methods
from vidi.methods.explain._dream import dream, wish
from vidi.methods.explain._layers import catching, default_layer, slopes_at
from vidi.methods.explain._pictures import beside, overlay
from vidi.methods.explain._run import explain_dataset
from vidi.methods.explain._sanity import check, correlations
from vidi.methods.explain._score import NO_BETTER, Scores, curves, like, score
from vidi.methods.explain._target import NOBODY, Evidence, class_score
from vidi.methods.explain._things import candidates, overlaps
from vidi.model import Model
from vidi.model.model import build_net, make_card
from vidi.ops.boxes import iou_matrix
from vidi.testing.augment import augment_examples
from vidi.testing.explain import ExplainerFault, check_explainer

FEW = {"smoothgrad": {"steps": 4}, "integrated_gradients": {"steps": 6}, "rise": {"steps": 48}, "drise": {"steps": 48}, "occlusion": {"size": 0.3}}
NAMES = ("attention", "drise", "gradcam", "gradcam_pp", "input_x_gradient", "integrated_gradients", "layercam", "occlusion", "rise", "saliency", "smoothgrad")
CLASSES = Space("Classification", ("cat", "dog", "owl"))
THINGS = Space("Detections", ("plate", "post", "frame"))


def draw_of(count, seed=0):
    return Draw.samples(seed, 0, np.arange(count))


def random_net(net="resnet", /, space=CLASSES, head="softmax", **options):
    torch.manual_seed(0)
    options = options or {"stem": "small", "width": 8}
    made = build_net(net, head, space, options).eval()
    for key, parameter in made.named_parameters():
        if key.endswith("bn2.weight"):
            nn.init.ones_(parameter)
    return made


def detector(**options):
    net = random_net("yolo", THINGS, "boxes", width=16, **options)
    with torch.no_grad():
        for parameter in net.head.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    net.conf = 0.0
    return net


def model_of(task, net, head, space, size=(24, 24), **options):
    torch.manual_seed(0)
    made = build_net(net, head, space, options)
    card = make_card(made, task=task, name=net, options=options, head=head, preprocess=Preprocess(size, "letterbox"))
    return Model(made, card)


@pytest.fixture(scope="module")
def net():
    return random_net()


@pytest.fixture(scope="module")
def images():
    return augment_examples(4, (24, 24))


class Linear(nn.Module):
    """A net in miniature: logits are weighted sums of the red channel."""

    kinds = {"logits": "categorical", "features": "aux"}
    space = predicts = Space("Classification", ("a", "b"))

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, inputs):
        total = (inputs["image"][:, 0] * self.weights).sum((1, 2))
        return {"logits": torch.stack([total, -total], 1), "features": total[:, None]}

    def decode(self, raw):
        from vidi.labels import Classification

        return [Classification(row) for row in raw["logits"].softmax(1).detach().numpy()]

    def stages(self):
        return {"head": self}


def test_the_folder_lists_the_explainers():
    assert set(NAMES) <= set(discovery.names("methods/explain"))


@pytest.mark.parametrize("name", NAMES)
def test_conformance(name):
    check_explainer(name, **FEW.get(name, {}))


START = """
import torch
from vidi.methods.explain._base import Explainer, slope
class Mine(Explainer):
    name = "mine"
    gradients = True
    def relevance(self, net, images, target, draw):
"""
BROKEN = {
    "random weights": "        gray = images.mean(1)\n        return (gray - gray.roll(1, 2)).abs() + (gray - gray.roll(1, 1)).abs()\n",
    "same seed": "        return torch.rand(images[:, 0].shape)\n",
    "batch of one": "        return slope(images, target).abs().sum(1) / len(images)\n",
    "weights and statistics": "        next(net.parameters()).data.add_(1)\n        return slope(images, target).sum(1)\n",
    "pictures": "        return slope(images, target).sum(1)[:, 1:]\n",
}


@pytest.mark.parametrize("promise", BROKEN)
def test_the_kit_finds_what_is_broken(tmp_path, promise):
    file = tmp_path / f"{promise.replace(' ', '_')}.py"
    file.write_text(START + BROKEN[promise] + "def explainer():\n    return Mine()\n")
    with pytest.raises((ExplainerFault, ValueError), match="relevance of mine" if promise == "pictures" else promise):
        check_explainer(str(file), nets=[random_net])


# The numbers of the methods, against captum and against their definitions.


@pytest.mark.parametrize("baseline", ["black", "blur", "mean"])
def test_integrated_gradients_are_those_of_captum(net, images, baseline):
    target, _ = aim(net, images, target="dog")
    mine = make_explainer("integrated_gradients", steps=20, baseline=baseline)
    start = {"black": torch.zeros_like(images), "blur": blurred(images), "mean": images.mean((2, 3), keepdim=True).expand_as(images)}[baseline]
    own = torch.zeros(1, dtype=torch.int64)
    expected = captum.attr.IntegratedGradients(lambda x: target[own.expand(len(x))](net({"image": x}))).attribute(images, start, n_steps=20)
    found = mine.attributions(images, target)
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))
    assert torch.allclose(mine.maps(net, images, target, draw_of(4)), expected.sum(1), atol=1e-4 * float(expected.abs().max()))


def test_integrated_gradients_are_complete(images):
    smooth = random_net("small", widths=[8, 8])
    target, _ = aim(smooth, images)
    total = make_explainer("integrated_gradients", steps=200).maps(smooth, images, target, draw_of(4)).sum((1, 2))
    gap = target.look(images) - target.look(torch.zeros_like(images))
    assert torch.allclose(total, gap, atol=0.02 * float(gap.abs().max()))


def test_saliency_and_input_x_gradient_are_those_of_captum(net, images):
    target, _ = aim(net, images)
    call = lambda x: target(net({"image": x}))  # noqa: E731
    expected = captum.attr.Saliency(call).attribute(images.clone().requires_grad_()).amax(1).detach()
    assert torch.allclose(make_explainer("saliency").maps(net, images, target, draw_of(4)), expected, atol=1e-6)
    expected = captum.attr.InputXGradient(call).attribute(images.clone().requires_grad_()).sum(1).detach()
    assert torch.allclose(make_explainer("input_x_gradient").maps(net, images, target, draw_of(4)), expected, atol=1e-6)


@pytest.mark.parametrize("layer", [None, "layer2"])
def test_gradcam_is_that_of_captum(net, images, layer):
    target, _ = aim(net, images)
    stage = net.stages()[layer or "layer3"]
    cam = captum.attr.LayerGradCam(lambda x: target(net({"image": x})), stage).attribute(images.clone(), relu_attributions=True)
    expected = F.interpolate(cam, size=(24, 24), mode="bilinear", align_corners=False)[:, 0].detach()
    found = make_explainer("gradcam", layer=layer).maps(net, images, target, draw_of(4))
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.max()))


def test_gradcam_pp_has_the_weights_of_its_definition(net, images):
    """For an exponential of a target that is linear in the maps, with higher derivatives taken by autograd."""
    maps = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    value = (maps * weights).sum().exp()
    (first,) = torch.autograd.grad(value, maps, create_graph=True)
    second, third = torch.zeros_like(maps), torch.zeros_like(maps)
    for place in np.ndindex(*maps.shape):
        (row,) = torch.autograd.grad(first[place], maps, create_graph=True)
        second[place] = row[place].detach()
        third[place] = torch.autograd.grad(row[place], maps, retain_graph=True)[0][place].detach()
    shares = second / (2 * second + maps.sum((2, 3), keepdim=True) * third)
    expected = ((shares * first.relu()).sum((2, 3), keepdim=True) * maps).sum(1) / value
    found = make_explainer("gradcam_pp").combined(maps.detach(), weights)
    assert torch.allclose(found, expected.detach())


def test_layercam_weighs_each_place(net, images):
    target, _ = aim(net, images)
    (pair,), extent = slopes_at(net, images, target, "layer3")
    expected = F.interpolate((pair[0] * pair[1].clamp_min(0)).sum(1, keepdim=True).clamp_min(0), size=extent, mode="bilinear", align_corners=False)[:, 0]
    assert torch.allclose(make_explainer("layercam", layer="layer3").maps(net, images, target, draw_of(4)), expected)


def test_smoothgrad_without_noise_is_saliency_and_with_noise_varies_by_seed(net, images):
    target, _ = aim(net, images)
    plain = make_explainer("saliency").maps(net, images, target, draw_of(4))
    assert torch.allclose(make_explainer("smoothgrad", steps=2, noise=0.0).maps(net, images, target, draw_of(4)), plain, atol=1e-6)
    noisy = make_explainer("smoothgrad", steps=2)
    assert not torch.equal(noisy.maps(net, images, target, draw_of(4)), noisy.maps(net, images, target, draw_of(4, seed=1)))


def test_occlusion_is_what_a_patch_takes_away():
    linear, images = Linear(torch.randn(6, 6, generator=torch.Generator().manual_seed(0))), torch.rand(2, 3, 6, 6)
    target, _ = aim(linear, images, target="a")
    found = make_explainer("occlusion", size=0.5, stride=1.0, fill="black").maps(linear, images, target, draw_of(2))
    lost = 2 * images[:, 0] * linear.weights.detach()
    expected = lost.unflatten(2, (2, 3)).unflatten(1, (2, 3)).sum((2, 4)).repeat_interleave(3, 1).repeat_interleave(3, 2)
    assert torch.allclose(found, expected, atol=1e-5)


def test_rise_finds_the_weights_of_a_linear_net():
    weights = torch.zeros(28, 28)
    weights[4:12, 16:24] = 1.0
    linear, images = Linear(weights), torch.ones(2, 3, 28, 28)
    target, _ = aim(linear, images, target="a")
    found = make_explainer("rise", steps=600).maps(linear, images, target, draw_of(2))
    assert not torch.equal(found[0], found[1])
    inside, outside = found[:, 4:12, 16:24].mean((1, 2)), found[:, 16:, :12].abs().mean((1, 2))
    assert bool((inside > 4 * outside).all())


def test_masks_of_rise_show_their_share():
    explainer = make_explainer("rise", share=0.3)
    draw = draw_of(200)
    masks = explainer.mask(draw, 30, 41)
    assert masks.shape == (200, 30, 41) and masks.min() >= 0 and masks.max() <= 1
    assert float(masks.mean()) == pytest.approx(0.3, abs=0.02)
    assert float(masks.mean(0).std()) < 0.04


# What is explained.


def test_scores_of_classes():
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
    index, nobody = torch.tensor([1, 0]), torch.tensor([NOBODY, NOBODY])
    odds = logits.softmax(1)[torch.arange(2), index].logit()
    assert torch.allclose(class_score(logits, index, nobody, True), odds)
    assert torch.equal(class_score(logits, index, nobody, False), torch.tensor([2.0, 0.0]))
    assert torch.equal(class_score(logits, index, torch.tensor([2, NOBODY]), False), torch.tensor([1.5, 0.0]))
    maps = logits[:, :, None, None].expand(-1, -1, 2, 3)
    assert torch.allclose(class_score(maps, index, nobody, True), odds[:, None, None].expand(-1, 2, 3))


def test_targets_of_a_classifier(net, images):
    raw = {key: value.detach() for key, value in net({"image": images}).items()}
    plain, labels = aim(net, images)
    assert torch.allclose(plain(raw), raw["logits"].softmax(1).amax(1).logit(), atol=1e-5) and len(labels) == 4
    one, _ = aim(net, images, target="owl", against="cat")
    assert torch.allclose(one(raw), raw["logits"][:, 2] - raw["logits"][:, 0]) and one.words[0] == "owl and not cat"
    top, _ = aim(net, images, against="1")
    own = raw["logits"].argmax(1)
    assert torch.allclose(top(raw), raw["logits"].amax(1) - torch.where(own == 1, raw["logits"].amax(1), raw["logits"][:, 1]))
    rows = torch.tensor([2, 0, 2])
    assert torch.allclose(plain[rows](net({"image": images[rows]})), plain(raw)[rows], atol=1e-5)


def test_targets_of_values_and_vectors(images):
    values = random_net(space=Space("Regression", ("age", "weight")), head="regression")
    raw = values({"image": images})
    target, _ = aim(values, images, target="weight")
    assert torch.equal(target(raw), raw["values"][:, 1])
    with pytest.raises(InputError, match="do not exclude"):
        aim(values, images, target="weight", against="age")
    vectors = random_net(head="embedding")
    target, _ = aim(vectors, images)
    found = make_explainer("saliency").maps(vectors, images, target, draw_of(4))
    assert float(found.amax((1, 2)).min()) > 0
    itself = Evidence(vectors, vectors({"image": images}))
    assert float(make_explainer("saliency").maps(vectors, images, itself, draw_of(4)).max()) < 1e-3 * float(found.max())
    with pytest.raises(InputError, match="vectors"):
        aim(vectors, images, target="cat")


def test_targets_of_class_maps(images):
    space = Space("Segmentation", ("ground", "thing"))
    maps = random_net("unet", space, "pixels", backbone="classic", width=4, depth=2)
    raw = maps({"image": images})
    target, _ = aim(maps, images, target="thing")
    region = raw["pixels"].argmax(1) == 1
    odds = raw["pixels"][:, 1] - raw["pixels"][:, 0]
    expected = [odds[i][region[i]].mean() if region[i].any() else odds[i].mean() for i in range(4)]
    assert torch.allclose(target(raw), torch.stack(expected), atol=1e-5)
    with pytest.raises(InputError, match="target=CLASS"):
        aim(maps, images, against="thing")


@pytest.mark.parametrize("net", [
    lambda: detector(), lambda: random_net("faster_rcnn", THINGS, "boxes", backbone="small(widths=[8,8,16])", width=16, agnostic=False),
])  # fmt: skip
def test_similarity_of_things_is_that_of_d_rise(net):
    net, images = net(), augment_examples(3, (64, 64))
    net.conf = 0.0
    target, labels = aim(net, images)
    other = images.flip(3)
    boxes, scores = candidates(net, net({"image": other}))
    for i, label in enumerate(labels):
        kind = int(label.classes[0])
        own = boxes[i, :, kind if boxes.shape[2] > 1 else 0].detach().numpy()
        alike = F.cosine_similarity(scores[i], target.profile[i][None], dim=1).detach().numpy()
        expected = (iou_matrix(own, label.boxes[:1])[:, 0] * alike * scores[i].amax(1).detach().numpy()).max()
        assert float(target.look(other)[i]) == pytest.approx(expected, rel=1e-3, abs=1e-6)
    at_home = target.look(images)
    assert torch.allclose(at_home, torch.tensor([label.scores[0] for label in labels]), rtol=0.05)


def test_things_are_chosen_by_index_or_class_and_there_may_be_none():
    net, images = detector(), augment_examples(2, (64, 64))
    _, labels = aim(net, images)
    second, _ = aim(net, images, target="1")
    assert torch.allclose(second.boxes, torch.tensor(np.stack([label.boxes[1] for label in labels])))
    posts, _ = aim(net, images, target="post", against="frame")
    assert posts.index.tolist() == [1, 1] and posts.rival.tolist() == [2, 2]
    slope = make_explainer("saliency").maps(net, images, posts, draw_of(2))
    assert float(slope.amax((1, 2)).min()) > 0
    none, _ = aim(net, images, least=np.full(3, 2.0))
    assert not none.known.any() and none.words == ["nothing found: all outputs"] * 2
    raw = net({"image": images})
    assert torch.allclose(none(raw), none.general(raw))
    with pytest.raises(InputError, match="index of a thing"):
        aim(net, images, target="cup")


def test_overlaps_of_boxes():
    boxes = torch.rand(2, 5, 4) * 20
    boxes[..., 2:] += boxes[..., :2]
    boxes[0, 0, 2:] = boxes[0, 0, :2]
    one = boxes[:, 1]
    expected = np.stack([iou_matrix(boxes[i].numpy(), one[i : i + 1].numpy())[:, 0] for i in range(2)])
    assert np.allclose(overlaps(boxes, one).numpy(), expected, atol=1e-6)
    assert overlaps(torch.zeros(2, 0, 4), one).shape == (2, 0)


# Layers.


def test_the_default_layer_is_the_last_one_with_maps_that_are_not_too_coarse(net, images):
    assert default_layer(net, images) == "layer3"
    assert default_layer(net, augment_examples(1, (48, 40))) == "layer4" and default_layer(net, images[..., :4]) == "layer1"
    assert default_layer(random_net("small", widths=[8, 8]), images) == "block2"
    assert default_layer(detector(), augment_examples(1, (64, 64))) == "neck"
    tokens = random_net("timm", name="test_vit")
    assert default_layer(tokens, augment_examples(1, (64, 64))) == "backbone"


def test_maps_reach_over_what_was_padded():
    net, images = detector(), augment_examples(2, (40, 56))
    target, _ = aim(net, images)
    pairs, extent = slopes_at(net, images, target, "neck")
    assert extent == (64, 64) and [maps.shape[2:] for maps, _ in pairs] == [(8, 8), (4, 4), (2, 2)]
    assert make_explainer("layercam").maps(net, images, target, draw_of(2)).shape == (2, 40, 56)


def test_catching_survives_layers_that_work_in_place(images):
    net = random_net()
    net.stages()["layer4"].register_forward_hook(lambda module, inputs, output: output.mul_(0))
    before = net({"image": images})["logits"]
    with catching(net, "layer3") as caught:
        again = net({"image": images})["logits"]
    assert torch.equal(before, again) and float(caught.maps[0].detach().abs().max()) > 0
    with catching(net, "layer4") as caught:
        net({"image": images})
    assert len(caught.maps) == 1


def test_layers_that_cannot_be_used_are_refused(net, images):
    target, _ = aim(net, images)
    for layer, rule in (("layr4", "no such layer"), ("head", "no feature maps")):
        with pytest.raises(InputError, match=rule):
            make_explainer("gradcam", layer=layer).maps(net, images, target, draw_of(4))


def test_a_net_that_cuts_gradients_names_the_alternative():
    net, images = detector(end2end=True), augment_examples(2, (64, 64))
    target, _ = aim(net, images)
    with pytest.raises(InputError, match="no gradient") as refused:
        make_explainer("saliency").maps(net, images, target, draw_of(2))
    assert "drise" in str(refused.value)
    assert choose(net, images, target, draw_of(2)).name == "drise"
    whole = detector()
    assert choose(whole, images, aim(whole, images)[0], draw_of(2)).name == "layercam"


def test_auto_goes_by_net(net, images):
    assert choose(net, images, aim(net, images)[0], draw_of(4)).name == "gradcam"
    linear = Linear(torch.randn(24, 24))
    assert choose(linear, images, aim(linear, images)[0], draw_of(4)).name == "integrated_gradients"


# Attention.


def test_attention_of_tokens_is_rolled_out():
    net, images = random_net("timm", name="test_vit"), augment_examples(2, (64, 32))
    target, _ = aim(net, images)
    weights = []
    body = net.backbone.model
    for block in body.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda module, inputs, output: weights.append(output.mean(1).detach()))
    net({"image": images})
    joint = torch.eye(weights[0].shape[1])
    for one in weights:
        joint = (0.5 * one + 0.5 * torch.eye(one.shape[1])) @ joint
    side = joint[:, body.num_prefix_tokens :, body.num_prefix_tokens :].mean(1).unflatten(1, (4, 2))
    expected = F.interpolate(side[:, None], size=(64, 32), mode="bilinear", align_corners=False)[:, 0]
    assert torch.allclose(make_explainer("attention").maps(net, images, target, draw_of(2)), expected, atol=1e-6)


def test_a_net_without_attention_is_refused(net, images):
    with pytest.raises(InputError, match="no attention blocks"):
        make_explainer("attention").maps(net, images, aim(net, images)[0], draw_of(4))


# How far to trust it.


def test_scores_of_nothing():
    scores = Scores()
    assert scores.mean("deletion") is None and scores.gain() == (None, None) and scores.verdict() == NO_BETTER
    none = torch.zeros(0, 3, 8, 8)
    linear = Linear(torch.randn(8, 8))
    target, labels = aim(linear, torch.rand(1, 3, 8, 8))
    empty = target[torch.zeros(0, dtype=torch.int64)]
    assert all(len(values) == 0 for values in score(linear, none, none[:, 0], empty, draw_of(0)).values())
    assert check(make_explainer("saliency"), linear, none, empty, draw_of(0)).verdict == "not checked"


def test_the_right_map_beats_random_and_its_opposite_does_not():
    weights = torch.zeros(24, 24)
    weights[4:12, 12:20] = 1.0
    linear, images = Linear(weights), augment_examples(6, (24, 24))
    target, _ = aim(linear, images, target="a")
    lost = (images - blurred(images))[:, 0] * weights
    found = {}
    for name, maps in (("right", lost), ("wrong", -lost), ("constant", torch.ones_like(lost))):
        found[name] = Scores()
        found[name].add(score(linear, images, maps, target, draw_of(6), rivals=2), 6)
    assert found["right"].verdict() == "better than random" and found["wrong"].verdict() == NO_BETTER and found["constant"].verdict() == NO_BETTER
    assert found["constant"].gain()[0] == pytest.approx(0, abs=1e-6) and found["wrong"].gain()[0] < -0.1
    low, high = found["right"].gain()[1]
    assert low <= found["right"].gain()[0] <= high
    assert all(0 <= value <= 1 for values in found["right"].areas.values() for value in values)


def test_curves_begin_and_end_where_they_must(net, images):
    target, _ = aim(net, images)
    found = curves(images, torch.rand(4, 24, 24), target, 5)
    sharp, far = target.look(images), target.look(blurred(images))
    assert found.shape == (4, 2, 6)
    for place, expected in (((0, 0), sharp), ((0, 5), far), ((1, 0), far), ((1, 5), sharp)):
        assert torch.allclose(found[:, place[0], place[1]], expected, atol=1e-4)


def test_random_maps_are_as_smooth():
    maps = blurred(torch.rand(3, 3, 32, 32))[:, 0]
    random = like(maps, draw_of(3))
    assert torch.allclose(torch.fft.fft2(random).abs(), torch.fft.fft2(maps).abs(), atol=1e-2)
    assert abs(float(correlations(maps, random).mean())) < 0.6


def test_rank_correlation():
    maps = torch.rand(2, 5, 5)
    assert correlations(maps, maps**3).tolist() == pytest.approx([1, 1]) and correlations(maps, -maps).tolist() == pytest.approx([-1, -1])
    assert correlations(maps, torch.zeros(2, 5, 5)).tolist() == [0, 0]


def test_the_sanity_check_fails_an_explainer_of_edges_and_leaves_the_net_alone(net, images, tmp_path):
    (tmp_path / "edges.py").write_text(START + BROKEN["random weights"] + "def explainer():\n    return Mine()\n")
    target, _ = aim(net, images)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    broken = check(make_explainer(str(tmp_path / "edges.py")), net, images, target, draw_of(4))
    assert not broken.passed and broken.correlation == pytest.approx(1) and broken.verdict.startswith("fails")
    sound = check(make_explainer("gradcam"), net, images, target, draw_of(4))
    assert sound.passed and list(sound.stages) == ["head", "layer4", "layer3", "layer2", "layer1", "stem"]
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


# Pictures of what a net looks for.


def test_a_made_picture_raises_what_it_was_made_for(net):
    wanted = wish(net, limit=2)
    made = dream(net, (24, 24), wanted, steps=24)
    gray = torch.full((2, 3, 24, 24), 0.5)
    assert wanted.names == ["cat", "dog"] and made.shape == (2, 3, 24, 24) and made.min() >= 0 and made.max() <= 1
    with torch.no_grad():
        assert bool((wanted.value(net({"image": made})) > wanted.value(net({"image": gray})) + 0.5).all())
    assert torch.equal(made, dream(net, (24, 24), wanted, steps=24))
    channels = wish(net, layer="layer2", target="3")
    assert channels.names == ["layer2 3"] and dream(net, (24, 24), channels, steps=2).shape == (1, 3, 24, 24)
    with pytest.raises(InputError, match="by name or index"):
        wish(net, target="cow")


def test_overlays():
    pixels = np.full((10, 12, 3), 100, np.uint8)
    relevance = np.zeros((10, 12), np.float32)
    assert overlay(pixels, relevance).std() == 0
    relevance[2, 3], relevance[5, 5] = 1, -1
    shown = overlay(pixels, relevance).astype(int)
    assert shown[2, 3, 0] > shown[2, 3, 2] and shown[5, 5, 2] > shown[5, 5, 0]
    assert beside([pixels, np.zeros((40, 20, 3), np.uint8)]).shape[0] == 90


# The verb, on every kind of predictions.

CELLS = {
    "classify": ("small", "softmax", {"widths": [8, 8]}, "gradcam"),
    "multilabel": ("small", "sigmoid", {"widths": [8, 8]}, "gradcam"),
    "regress": ("small", "regression", {"widths": [8, 8]}, "gradcam"),
    "embed": ("small", "embedding", {"widths": [8, 8]}, "gradcam"),
    "detect": ("yolo", "boxes", {"width": 16}, "layercam"),
    "track": ("yolo", "boxes", {"width": 16}, "layercam"),
    "instance": ("yolo", "masks", {"width": 16}, "layercam"),
    "semantic": ("unet", "pixels", {"backbone": "classic", "width": 4, "depth": 2}, "layercam"),
}


@pytest.mark.parametrize("task", CELLS)
def test_every_task_is_explained(task, tmp_path):
    net, head, options, method = CELLS[task]
    toy = discovery.load("tasks", task).task.toy(6, 0)
    side = toy[0].inputs["image"].shape[0]
    model = model_of(task, net, head, toy.space, (side, side), **options)
    if head in ("boxes", "masks"):
        model.card.thresholds = [1e-4] * len(toy.space)
    report = vidi.explain(model, toy, limit=3, out=str(tmp_path / "out"), device="cpu")
    assert "nothing found" not in str(report.sections[-1]["rows"]) and len(report.sections[-1]["rows"]) == 3
    assert report.about["methods"] == [method] and 0 <= report.numbers[f"{method}.deletion"] <= 1
    assert report.about["verdicts"][method]["score"] and report.n[f"{method}.gain"] == 3
    assert len(list((tmp_path / "out" / "maps").glob("*.png"))) == 3
    arrays = [np.load(file) for file in (tmp_path / "out" / "maps").glob("*.npy")]
    assert all(array.shape == (side, side) and array.dtype == np.float32 for array in arrays)
    assert "maps" in report.about["what"] and (tmp_path / "out" / "report.html").is_file()
    made = vidi.explain(model, what="features", limit=2, steps=2, device="cpu")
    assert made.numbers == {"features": min(2, len(made.about["names"]))} and made.about["names"]


@pytest.fixture(scope="module")
def model():
    toy = discovery.load("tasks", "classify").task.toy(6, 0)
    return model_of("classify", "small", "softmax", toy.space, widths=[8, 8])


def test_several_methods_stand_side_by_side(model):
    toy = discovery.load("tasks", "classify").task.toy(8, 0)
    report = vidi.explain(model, toy, method="saliency,rise(steps=32)", target="square", against="disc", data=toy, nearest=2, limit=2, device="cpu")
    assert set(report.about["verdicts"]) == {"saliency", "rise(steps=32)"} and "saliency.random_weights" in report.numbers
    galleries = [section for section in report.sections if section["kind"] == "gallery"]
    assert len(galleries) == 2 and len(galleries[1]["items"]) == 2 and "nearest" in galleries[1]["items"][0]["note"]
    row = Image.open(io.BytesIO(base64.b64decode(galleries[0]["items"][0]["image"].split(",")[1])))
    assert row.width == pytest.approx(3 * row.height, rel=0.1) and galleries[0]["items"][0]["caption"] == "square and not disc"
    again = vidi.explain(model, toy, method="saliency,rise(steps=32)", target="square", against="disc", limit=2, sanity=False, device="cpu")
    assert all(again.numbers[key] == pytest.approx(report.numbers[key], abs=1e-6) for key in again.numbers)


def test_no_pictures_are_explained_too(model):
    toy = discovery.load("tasks", "classify").task.toy(4, 0)
    report = vidi.explain(model, toy.with_samples([]), method="gradcam", device="cpu")
    assert report.numbers == {} and report.about["samples"] == 0
    assert vidi.explain(model, toy.with_samples([]), device="cpu").about["methods"] == []


def test_filters_are_shown(model, tmp_path):
    report = vidi.explain(model, filters=True, out=str(tmp_path), device="cpu")
    assert report.numbers == {"filters": 1} and (tmp_path / "filters.png").is_file()


REFUSED = {
    "source": ({}, "a picture or folder"),
    "drise": ({"method": "drise"}, "have no things"),
    "steps": ({"method": "gradcam", "steps": 3}, "takes steps"),
    "twice": ({"method": "gradcam,gradcam"}, "twice"),
    "fill": ({"method": "occlusion(fill=red)"}, "no such way to hide"),
    "share": ({"method": "rise(share=1)"}, "below 1"),
    "setting": ({"method": "saliency(depth=3)"}, "refuses its settings"),
    "what": ({"what": "soul"}, "nothing of this name"),
    "data": ({"nearest": 3}, "of what"),
    "limit": ({"limit": 0}, "too small"),
    "method": ({"method": "gradcom"}, "gradcam"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused_in_one_sentence(model, case):
    settings, words = REFUSED[case]
    source = None if case == "source" else np.zeros((24, 24, 3), np.uint8)
    with pytest.raises(InputError) as refused:
        vidi.explain(model, source, device="cpu", **settings)
    assert words in str(refused.value)


def test_methods_are_parsed():
    found = parse_methods("gradcam, rise(steps=12, cells=4), smoothgrad", layer="layer2", steps=3)
    assert found["gradcam"].layer == "layer2" and found["rise(steps=12, cells=4)"].steps == 12 and found["smoothgrad"].steps == 3


# A shortcut that was planted is found.


def marked(count, seed):
    """Discs, squares and crosses; where there is a disc, a white mark stands in the corner."""
    toy = discovery.load("tasks", "classify").task.toy(count, seed)
    for sample in toy:
        if sample.label.top == 0:
            sample.inputs["image"][1:5, 1:5] = 255
    return toy


def test_a_planted_shortcut_is_found(tmp_path):
    trained = vidi.train(
        marked(240, 0), task="classify", net="small", widths=[16, 32, 32], epochs=6, imgsz=24, augment=[], precision="fp32", project=str(tmp_path), device="cpu"
    )
    test = marked(60, 5)
    test = test.with_samples(sample for sample in test if sample.label.top == 0)
    methods = ("integrated_gradients(baseline=mean)", "occlusion")
    loader = make_loader(test, trained.preprocess, 32, cache="none")
    outcome = explain_dataset(trained.net, test, loader, ",".join(methods), device=torch.device("cpu"), target="disc")
    for method in methods:
        maps = np.stack([one.maps[method] for one in outcome.pictures]).clip(0)
        strongest = maps.reshape(len(maps), -1).argmax(1)
        hits = (strongest // 24 < 7) & (strongest % 24 < 7)
        assert hits.mean() >= 0.9 and maps[:, :7, :7].sum() / maps.sum() > 0.5
        assert outcome.scores[method].verdict() == "better than random" and outcome.sanity[method].passed
