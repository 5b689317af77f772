"""Train a small denoiser on pictures of your own, for `vidi enhance` to put in front of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidi.report import Report


def denoiser(
    data: Any,
    *,
    out: str = "denoiser.safetensors",
    sigma: str = "0-50/255",
    noisy: bool = False,
    imgsz: int | None = None,
    width: int = 32,
    depth: int = 7,
    steps: int | None = None,
    minutes: float | None = None,
    lr: float = 0.002,
    crop: int = 40,
    batch: int = 16,
    val: float = 0.1,
    seed: int = 0,
    report: str | None = None,
    device: str = "auto",
) -> Report:
    """Train a small denoiser on pictures of your own, and measure it on held-out ones beside the noisy pictures and plain filters.

    Args:
        data: pictures: a folder, glob, list, or any format that training reads; labels are not looked at.
        out: file for the denoiser; `vidi enhance MODEL --steps "denoise(file=FILE)"` puts it into a model.
        sigma: standard deviation of the noise to learn, LOW-HIGH in units of the pixel range; half of the crops get shot noise too.
        noisy: the pictures are noisy themselves, and no noise is added: it learns from pairs of neighboring pixels, whose noise must be
            independent (Neighbor2Neighbor). Pictures are not scaled then, and sigma has no say.
        imgsz: side of the canvas that pictures are scaled to first, as the model that will use it; left out: what training would choose.
        width: channels between layers.
        depth: convolutions.
        steps: batches to learn from; left out: 1500.
        minutes: train so long instead.
        lr: learning rate.
        crop: side of the crops in pixels.
        batch: crops per step.
        val: share of the pictures that is held out, where the data has no split of its own.
        seed: of everything random.
        report: folder for report.json and report.html.
        device: auto, cpu, cuda, cuda:N or mps.

    Returns:
        A report: PSNR and SSIM by strength of noise, with n and intervals; of noisy pictures how well one half of the pixels tells the other.
    """
    from contextlib import closing
    from pathlib import Path

    from vidi.data.pictures import pictures
    from vidi.engine import device as devices
    from vidi.errors import InputError
    from vidi.methods.denoise import _crops as crops
    from vidi.methods.denoise import _score as score
    from vidi.methods.denoise._fit import Plan, fit, make
    from vidi.methods.denoise._noise import Sigma
    from vidi.nets.blocks.denoiser import Facts, save_denoiser

    where = devices.choose(device)
    plan = Plan(None if noisy else Sigma.parse(sigma), steps, minutes, lr, batch)
    if not 0 < val < 1:
        raise InputError("a share lies between 0 and 1", at="val", value=val)
    if noisy and imgsz is not None:
        raise InputError("noisy pictures must not be scaled, as that blends the noise of neighbors", at="imgsz", value=imgsz, fix="leave imgsz out")
    net, dataset = make(width, depth, seed), pictures(data)
    notes: list[str] = []
    if noisy:
        dataset, preprocess, notes = crops.of_one_size(dataset)
    else:
        preprocess = crops.canvas_for(dataset, imgsz)
    learned, held = crops.parted(dataset, val, seed)
    with closing(crops.Crops(learned, preprocess, crop, seed)) as source:
        done, seconds = fit(net, source, plan, where)
    shown = crops.canvases(held, preprocess)
    result = score.by_halves(net, shown, where, seed) if plan.sigma is None else score.by_level(net, shown, plan.sigma, where, seed)
    learned_range = None if plan.sigma is None else (plan.sigma.low, plan.sigma.high)
    facts = Facts(width, depth, learned_range, preprocess.size, dataset.name, dataset.fingerprint(), len(learned), done, round(seconds, 1), result.numbers)
    file = save_denoiser(net, facts, Path(out))
    result.about = {
        "data": dataset.name, "fingerprint": dataset.fingerprint(), "samples": len(learned), "held_out": len(held), "file": str(file), "noisy": noisy,
        "sigma": learned_range, "canvas": list(preprocess.size), "width": width, "depth": depth, "parameters": sum(p.numel() for p in net.parameters()),
        "steps": done, "seconds": round(seconds, 1), "seed": seed, "notes": notes,
        "higher_is_better": {key: not key.startswith("half_error") for key in result.numbers},
    }  # fmt: skip
    if report is not None:
        result.save(Path(report) / "report.json")
        result.about["page"] = str(result.html(Path(report) / "report.html"))
    return result
