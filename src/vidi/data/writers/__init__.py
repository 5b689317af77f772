"""One file per format that data sets can be written in; see `vidi.data.writers._folder` for what such a file defines."""
