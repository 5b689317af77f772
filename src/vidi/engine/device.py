"""Where and with what arithmetic a net runs."""

from __future__ import annotations

import time

import torch

from vidi.core.net import Net
from vidi.errors import InputError


def choose(device: str = "auto") -> torch.device:
    """The device of a name: ``auto`` takes a GPU when there is one.

    Raises:
        InputError: unknown name, or a device this machine lacks.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise InputError("unknown device", at="device", value=device, fix="auto, cpu, cuda, cuda:N or mps") from None
    missing = (chosen.type == "cuda" and not torch.cuda.is_available()) or (chosen.type == "mps" and not torch.backends.mps.is_available())
    if missing or (chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()):
        raise InputError("no such device on this machine", at="device", value=device, fix="device=auto or device=cpu")
    if chosen.type not in ("cpu", "cuda", "mps"):
        raise InputError("unknown device", at="device", value=device, fix="auto, cpu, cuda, cuda:N or mps")
    return chosen


def choose_precision(wanted: str, device: torch.device, net: Net, size: tuple[int, int], batch: int, channels_last: bool) -> tuple[str, str]:
    """The arithmetic to train in, and why in a few words.

    ``auto`` is bf16 on GPUs that have it, fp32 on others; on a CPU one training step is timed in both and the faster taken.
    """
    if wanted != "auto":
        return wanted, "as set"
    if device.type == "cuda":
        return ("bf16", "the GPU has it") if torch.cuda.is_bf16_supported(including_emulation=False) else ("fp32", "the GPU lacks bf16")
    if device.type != "cpu":
        return "fp32", "default of this device"
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "fp32", "the CPU lacks bf16"
    seconds = {precision: _step_seconds(net, size, min(batch, 32), precision, channels_last) for precision in ("fp32", "bf16")}
    best = "bf16" if seconds["bf16"] < 0.95 * seconds["fp32"] else "fp32"
    return best, f"measured: a step takes {seconds['fp32']:.3f} s in fp32, {seconds['bf16']:.3f} s in bf16"


def _step_seconds(net: Net, size: tuple[int, int], batch: int, precision: str, channels_last: bool) -> float:
    """Seconds of one forward and backward step on a CPU; weights, statistics and random state are left as they were."""
    state = {key: value.clone() for key, value in net.state_dict().items()}
    random = torch.get_rng_state()
    training = net.training
    net.train()
    images = torch.full((batch, 3, *size), 0.5)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    best = float("inf")
    for attempt in range(3):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            raw = net({"image": images})
        total = sum(value.float().mean() for key, value in raw.items() if net.kinds.get(key, "aux") != "aux")
        total.backward()
        if attempt:
            best = min(best, time.perf_counter() - start)
    net.zero_grad(set_to_none=True)
    net.load_state_dict(state)
    net.train(training)
    torch.set_rng_state(random)
    return best
