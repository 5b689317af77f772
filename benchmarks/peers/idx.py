"""The idx files of a folder as arrays, for peers that do not read them."""

import gzip

import numpy as np


def load(folder):
    """((train pictures, labels), (test pictures, labels)), uint8 and int64."""
    parts = []
    for name in ("train", "t10k"):
        arrays = []
        for kind, offset in (("images-idx3", 16), ("labels-idx1", 8)):
            path = next(p for p in folder.rglob(f"{name}-{kind}-ubyte*"))
            data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
            arrays.append(np.frombuffer(data, np.uint8, offset=offset))
        parts.append((arrays[0].reshape(-1, 28, 28).copy(), arrays[1].astype(np.int64)))
    return parts
