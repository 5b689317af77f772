# `make demo` and `make test` do everything on a fresh machine: both make .venv and install what they need.
.PHONY: demo test check slow matrix bench clean

demo: .venv/ready
	@.venv/bin/vidi demo --task detect --folder runs/demo-detect --kill false
	@.venv/bin/vidi demo

test: .venv/ready
	@scripts/test

slow: .venv/ready
	@.venv/bin/python -m pytest -m slow

matrix: .venv/ready
	@OMP_NUM_THREADS=1 .venv/bin/python -m vidi.testing.matrix --out docs/matrix.md

check: .venv/ready
	@scripts/check

.venv/ready: pyproject.toml scripts/setup
	@scripts/setup

clean:
	rm -rf .venv runs .pytest_cache .ruff_cache .mypy_cache
