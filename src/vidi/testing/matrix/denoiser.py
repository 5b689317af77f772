"""Trained for a moment on the pictures, it brings noisy ones nearer to the clean ones, and goes into the model's file and out again."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row, raw_outputs, same_raw

LEVEL, STEPS = 25, 80


def check(row: Row) -> Found:
    file, inside, outside = (str(row.folder().with_suffix(suffix)) for suffix in (".safetensors", ".vidi", ".vidi"))
    report = vidi.denoiser(row.few(48), out=file, sigma=f"{LEVEL}-{LEVEL}/255", steps=STEPS, width=8, depth=4, crop=20, device="cpu")
    noisy, denoised = (report.numbers[f"psnr_{kind}_{LEVEL}"] for kind in ("noisy", "denoised"))
    vidi.enhance(row.path, steps=[f"denoise(file={file})"], out=inside, code=row.code)
    vidi.enhance(inside, steps=["none"], out=outside, code=row.code)
    pictures = row.pictures(4)
    plain, within, without = (raw_outputs(vidi.load(path, code=row.code), pictures) for path in (row.path, inside, outside))
    kept = same_raw(plain, without) and not same_raw(plain, within)
    better = noisy is not None and denoised is not None and denoised > noisy
    return Found(better and kept, f"PSNR {noisy or 0:.1f} → {denoised or 0:.1f} dB, in and out: {'equal' if kept else 'not equal'}", {"noisy": noisy, "denoised": denoised, "equal": float(kept)})
