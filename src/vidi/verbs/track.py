"""Follow things through a video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.engine.appearance import Appearance
    from vidi.methods.track._why import Why
    from vidi.model import Model
    from vidi.report import Report


def track(
    model: str | Path | Model,
    source: Any,
    *,
    tracker: str = "bytetrack",
    reid: str | None = None,
    conf: float | None = None,
    iou: float | None = None,
    classes: list[str] | None = None,
    batch: int = 8,
    vid_stride: int = 1,
    split: str | None = None,
    fill: float = 0.0,
    smooth: float = 0.0,
    shortest: float = 0.0,
    line: list[str] | None = None,
    zone: list[str] | None = None,
    scale: float | None = None,
    unit: str = "px",
    tune: int = 0,
    seed: int = 0,
    trail: float = 1.0,
    draw: bool = True,
    out: str | None = None,
    device: str = "auto",
    code: list[str] | None = None,
    intervals: int = 0,
    gate: list[str] | None = None,
    why: str | None = None,
) -> Report:
    """Follow things through a video, a camera or a folder of frames; with labeled tracks, say how well.

    Args:
        model: a .vidi file or a run folder of a model that finds things.
        source: a video, a camera (camera:0), a folder of frames, or labeled videos (MOT folders, a data.yaml with a video and its truth).
        tracker: sort, bytetrack, ocsort or botsort, with settings such as "bytetrack(keep=2)", or a path.
        reid: a model whose vectors tell things apart by their looks (`vidi train CROPS --task embed`); left out: by motion alone.
        conf: smallest score of a thing that the tracker gets to see, 0..1; left out: the smallest that it makes use of.
        iou: overlap, 0..1, above which the lesser of two boxes of a class goes.
        classes: follow only things of these classes, by name or index.
        batch: frames per step.
        vid_stride: every how many frames of a video one is looked at.
        split: of labeled videos: train, val or test; left out: test if there is one, else everything.
        fill: close gaps of a track up to this many seconds, by a straight line.
        smooth: smooth boxes over this many seconds.
        shortest: leave out tracks shorter than this many seconds.
        line: count crossings of a line, as "NAME=X1 Y1 X2 Y2" in pixels.
        zone: count things in a zone and how long they stay, as "NAME=X1 Y1 X2 Y2 X3 Y3 …".
        scale: length of a pixel in `unit`, for speeds; left out: speeds are in pixels.
        unit: the unit of speeds, such as m.
        tune: try this many settings of the tracker on labeled videos (never on the test part), and go on with the best.
        seed: of the settings that are tried.
        trail: seconds that a drawn trail reaches back.
        draw: write drawn videos, when out is given.
        out: folder for NAME.txt (MOT), tracks.csv, tracks.json, NAME.mp4 and the report.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own parts or the tracker, which may be run.
        intervals: bootstrap resamples over videos; 0 for none.
        gate: rules such as `hota>=0.6`; a broken one makes the exit code 2.
        why: explain identities, as ID@FRAME such as 7@340 (several by comma, VIDEO:ID@FRAME of several videos; frames from 1, as in NAME.txt).

    Returns:
        A report: frames, tracks, counts and, with truth, HOTA, MOTA, IDF1, identity switches.
    """
    from pathlib import Path

    from vidi.engine import device as devices
    from vidi.engine.appearance import Appearance
    from vidi.engine.predictor import Predictor
    from vidi.methods.track import _session, _tune
    from vidi.model import load
    from vidi.report.gate import gate as check

    where = str(devices.choose(device))
    loaded = _session.check_model(load(model, device=where, code=code or []))
    least = conf if conf is not None else _tune.LEAST if tune else _session.make_tracker(tracker, 25.0).least
    predictor = Predictor(loaded, batch=batch, conf=least, iou=iou, classes=classes)
    looks = None if reid is None else Appearance(load(reid, device=where, code=code or []))
    asked = None if why is None else _asked(why, looks)
    session = _session.Session(
        predictor, looks, tracker, stride=vid_stride, finish=_session.Finish(fill, smooth, shortest), shapes=_session.parse_shapes(line, zone),
        scale=scale, unit=unit, trail=trail, why=asked,
    )  # fmt: skip
    if tune:
        session.tracker = _tune.search(session, source, split, trials=tune, seed=seed)
    report = session.run(source, split, out=Path(out) if out else None, draw=draw, intervals=intervals)
    failures = check(report, gate or [])
    if failures:
        report.about |= {"refused": True, "gate": failures}
    if out:
        report.save(Path(out) / "report.json")
        report.html(Path(out) / "report.html")
    return report


def _asked(text: str, looks: Appearance | None) -> Why:
    """Questions about tracks, with what explains looks."""
    from vidi.methods.explain._alike import alike
    from vidi.methods.track import _why

    return _why.Why(_why.parse(text), looks, alike)
