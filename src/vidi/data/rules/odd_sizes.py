"""Pictures of another size or shape than the rest."""

import numpy as np

from vidi.data.rules._base import about_sample, outlyingness

SEVERITY = "note"
MEANING = "The picture's area or shape is far from the other pictures' (4 robust standard deviations of the logarithm, at least 4 times the area or 2.2 times the aspect ratio)."
FIX = "Check that the picture belongs here and was not cropped or scaled by mistake."


def check(dataset, looks):
    if looks.seen.sum() < 10:
        return
    height, width = np.where(looks.seen[:, None], looks.size, 1).astype(np.float64).T
    for what, values, floor in (("area", np.log(height * width), 0.35), ("shape", np.log(width / height), 0.2)):
        far = outlyingness(np.where(looks.seen, values, np.nan), floor)
        for row in np.flatnonzero(np.abs(np.nan_to_num(far)) > 4).tolist():
            usual = np.exp(np.nanmedian(np.where(looks.seen, values, np.nan)))
            times = np.exp(values[row]) / usual
            message = f"{what} is {times:.3g} times the usual one"
            yield about_sample(dataset, row, message, value=f"{looks.size[row][1]}x{looks.size[row][0]}")
