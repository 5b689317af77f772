"""One file per format that data sets come in; see `vidi.data.readers._ask` for what such a file defines."""
