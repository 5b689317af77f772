"""Files whose ending says another format."""

from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "The file's ending names another format than its content has; vidi goes by the content, other programs may not."
FIX = "Rename the file after its true format."

_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jfif", ".mpo"), "MPO": (".jpg", ".jpeg", ".jfif", ".mpo"), "PNG": (".png", ".apng"), "BMP": (".bmp", ".dib"),
    "DIB": (".bmp", ".dib"), "GIF": (".gif",), "WEBP": (".webp",), "TIFF": (".tif", ".tiff"), "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}  # fmt: skip


def check(dataset, looks):
    for row in looks.rows.tolist():
        file, true = dataset[row].file, looks.format[row]
        if file is not None and true in _ENDINGS and file.suffix.lower() not in _ENDINGS[true]:
            yield about_sample(dataset, row, f"named {file.suffix or 'without ending'}, but it is {true}", value=true)
