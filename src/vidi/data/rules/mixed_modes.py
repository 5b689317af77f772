"""Gray pictures among colored ones, or transparency among opaque ones."""

import numpy as np

from vidi.data.rules._base import about_all, about_sample

SEVERITY = "note"
MEANING = "A few pictures are gray among colored ones (or the reverse), or have transparency, which is shown on white, where others have none."
FIX = "Check that they come from the same source; a net may learn the difference instead of the content."


def check(dataset, looks):
    seen = np.flatnonzero(looks.seen & (looks.spread >= 1.5))
    transparent = np.array([mode in ("RGBA", "LA", "PA", "La", "RGBa", "P+alpha") for mode in looks.mode], bool)
    for words, has in ((("colored", "gray"), looks.colored), (("transparent", "opaque"), transparent)):
        yes, no = seen[has[seen]], seen[~has[seen]]
        if not len(yes) or not len(no):
            continue
        few, name, others = (yes, *words) if len(yes) <= len(no) else (no, *words[::-1])
        if len(few) <= max(1, 0.05 * len(seen)):
            for row in few.tolist():
                yield about_sample(dataset, row, f"{name} among {others} pictures", value=looks.mode[row])
        else:
            message = f"{len(yes)} pictures are {words[0]}, {len(no)} are {words[1]}"
            yield about_all(dataset, message, value=f"{100 * len(few) / len(seen):.0f} % {name}", related=few.tolist())
