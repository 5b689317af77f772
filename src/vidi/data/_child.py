"""The program of a loading process: decodes pictures for its parent, over its standard input and output.

It is run as a file, so that neither the user's script nor the package's heavy parts are imported, and it speaks in plain
bytes, nothing that could carry code. It ends when its parent does.

Parent to child: one line of JSON, then per picture a `REQUEST` head, the name and the data (a path or an encoded file).
Child to parent: per picture a `REPLY` head, then the canvas or an explanation in JSON.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.errors import VidiError

REQUEST = struct.Struct("<BIQ")  # is it a path, bytes of the name, bytes of the data
REPLY = struct.Struct("<BIIQ")  # status, original height, original width, bytes that follow
DONE, REFUSED, NO_MEMORY, BROKEN = range(4)


def _read(stream, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _explain(error: VidiError) -> bytes:
    return json.dumps({"kind": type(error).__name__, **error.fields()}).encode()


def _serve(inbox, outbox) -> None:
    settings = json.loads(inbox.readline())
    sys.path[:] = settings["path"]
    import traceback

    from vidi.core.preprocess import Preprocess
    from vidi.errors import VidiError

    preprocess = Preprocess.from_dict(settings["preprocess"])
    answer: memoryview | bytes
    while True:
        is_path, name_size, size = REQUEST.unpack(_read(inbox, REQUEST.size))
        name = _read(inbox, name_size).decode("utf-8", "surrogatepass")
        data = _read(inbox, size)
        height = width = 0
        try:
            canvas, (height, width), _ = preprocess.load(Path(os.fsdecode(data)) if is_path else data, name=name)
            status, answer = DONE, canvas.data.cast("B")
        except VidiError as error:
            status, answer = REFUSED, _explain(error)
        except MemoryError:
            status, answer = NO_MEMORY, b""
        except Exception:
            status, answer = BROKEN, traceback.format_exc().encode("utf-8", "replace")
        outbox.write(REPLY.pack(status, height, width, len(answer)))
        outbox.write(answer)
        outbox.flush()


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")  # when memory runs out, the system should end this process, not its parent
    except OSError:
        pass
    inbox, outbox = open(os.dup(0), "rb"), open(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        _serve(inbox, outbox)
    except (EOFError, BrokenPipeError):
        os._exit(0)


if __name__ == "__main__":
    _main()
