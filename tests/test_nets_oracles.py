"""The textbook nets compute what torchvision's and timm's do, given the same weights."""

import pytest
import torch

from vidi.core.space import Space
from vidi.nets import densenet, efficientnet, mobilenet, resnet, vgg
from vidi.nets._adopt import adopt

SPACE = Space("Classification", ("a", "b", "c"))

CASES = {
    "resnet18": lambda: resnet.backbone(depth=18),
    "resnet50": lambda: resnet.backbone(depth=50),
    "vgg11_bn": lambda: vgg.backbone(depth=11),
    "vgg13": lambda: vgg.backbone(depth=13, bn=False),
    "densenet121": lambda: densenet.backbone(depth=121),
    "mobilenet_v2": lambda: mobilenet.backbone(),
}
HEADLESS = ("fc.", "classifier.")


def _disturb(model):
    """Statistics and biases off their defaults, so that an equal output means something."""
    random = torch.Generator().manual_seed(3)
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.copy_(torch.randn(value.shape, generator=random) * 0.05)
        elif name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=random) + 0.5)
        elif value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=random) * 0.5 + 0.5)
    return model.eval()


def _features(name, model, x):
    if name.startswith("resnet"):
        for part in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            x = getattr(model, part)(x)
        return x
    x = model.features(x)
    return x.relu() if name.startswith("densenet") else x


@pytest.mark.parametrize("name", sorted(CASES))
def test_equals_torchvision(name):
    from torchvision import models

    theirs = _disturb(getattr(models, name)(weights=None))
    ours = CASES[name]().eval()
    state = {key: value for key, value in theirs.state_dict().items() if not key.startswith(HEADLESS)}
    ours.load_state_dict(dict(state), strict=True)
    assert sum(p.numel() for p in ours.parameters()) == sum(
        p.numel() for key, p in theirs.named_parameters() if not key.startswith(HEADLESS)
    )
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, got = _features(name, theirs, x), ours(x)[-1]
    assert torch.allclose(expected, got, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("depth, growth", [(161, 48), (169, 32), (201, 32)])
def test_densenet_sizes(depth, growth):
    # Table 1 of the paper gives the layers: depth = 1 + 2·sum(blocks) + 3 transitions + 1.
    width, blocks = densenet.DEPTHS[depth]
    assert width == growth and 2 * sum(blocks) + 5 == depth


@pytest.mark.parametrize(
    "name, make",
    [
        ("resnet18", lambda **o: resnet.net(SPACE, "softmax", depth=18, **o)),
        ("mobilenetv2_100", lambda **o: mobilenet.net(SPACE, "softmax", **o)),
        ("tf_efficientnet_lite0", lambda **o: efficientnet.net(SPACE, "softmax", variant="lite0", **o)),
        ("densenet121", lambda **o: densenet.net(SPACE, "softmax", **o)),
    ],
)
def test_adopts_timm(name, make):
    import timm

    theirs = _disturb(timm.create_model(name, num_classes=7))
    net = make(attention="eca").eval()
    adopted = adopt(net, theirs.state_dict(), {"mean": (0.0,) * 3, "std": (1.0,) * 3})
    assert all("attention" in missed or missed.startswith("head") for missed in adopted.missing) and not adopted.mismatched
    assert net.backbone.timm_name == name
    assert len(adopted.unexpected) == 2 and "not used" in adopted.summary
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs.forward_head(theirs.forward_features(x), pre_logits=True)
        got = net({"image": x})["features"]
    assert torch.allclose(expected, got, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_library_names_load_directly():
    import timm

    theirs = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    ours = efficientnet.backbone(variant="lite0")
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert ours.mean == (0.5, 0.5, 0.5)
