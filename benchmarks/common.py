"""What the benchmark scripts share: arguments, peers in environments of their own, one JSON object at the end."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("VIDI_DATA", HERE.parent.parent / "shared" / "data"))
WORK = Path(os.environ.get("VIDI_BENCHMARK_FOLDER", Path(tempfile.gettempdir()) / "vidi-benchmarks"))
PEERS = HERE / ".peers"


def arguments(description: str, *, minutes: float | None = None, peers: tuple[str, ...] = (), parts: Iterable[str] = (), **numbers: int) -> argparse.Namespace:
    """``--json``, ``--minutes``, ``--peers`` and ``--setup``, where they make sense.

    Args:
        parts: what ``--only`` chooses from.
        numbers: further options and what they are if left out.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--seeds", type=int, default=1, help="repetitions, where the script repeats")
    if minutes is not None:
        parser.add_argument("--minutes", type=float, default=minutes, help="training budget per contender")
    parser.add_argument("--peers", default=",".join(peers) or "none", help=f"of {', '.join(peers)}; or none" if peers else "none")
    parser.add_argument("--setup", action="store_true", help="make the peers' environments first")
    parts = list(parts)
    if parts:
        parser.add_argument("--only", default=",".join(parts), help=f"of {', '.join(parts)}")
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    if parts:
        chosen.only = chosen.only.split(",")
        unknown = [name for name in chosen.only if name not in parts]
        if unknown:
            parser.error(f"--only: no {', '.join(unknown)} among {', '.join(parts)}")
    chosen.peers = [name for name in chosen.peers.split(",") if name and name != "none"]
    return chosen


def setup(name: str, packages: list[str]) -> None:
    """An environment of its own for a peer."""
    python = PEERS / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS / name)], check=True)
    uv = Path(sys.executable).with_name("uv")
    installer = [str(uv), "pip", "install", "--quiet", "--python", str(python)] if uv.exists() else [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*installer, *packages], check=True)


def peer(name: str, *words: object) -> dict[str, float]:
    """Run ``peers/NAME_….py`` in its own environment; its last line is a JSON object of numbers."""
    python = PEERS / name / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"{name} is not installed: run with --setup, or --peers none")
    script, *rest = map(str, words)
    done = subprocess.run([str(python), str(HERE / "peers" / script), *rest], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def vidi(*words: object) -> dict:
    """Run a vidi command with --json."""
    done = subprocess.run([sys.executable, "-m", "vidi", *map(str, words), "--json"], stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout or "{}")
    if done.returncode:
        raise SystemExit(f"vidi {' '.join(map(str, words))}: {result}")
    return result


def finish(kind: str, numbers: dict[str, float], chosen: argparse.Namespace, **about: object) -> None:
    """Print the numbers, with ratios to the peers, or the JSON object."""
    import torch

    facts = {"date": datetime.date.today().isoformat(), "machine": f"{platform.machine()}, {torch.get_num_threads()} threads", "torch": str(torch.__version__), **about}
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    if chosen.json:
        print(json.dumps({"kind": kind, "numbers": numbers, "about": facts}))
        return
    for key, value in numbers.items():
        print(f"{key:45s} {value:.5g}")
    print(json.dumps(facts))
