# make run    environment, then the main job on simulated demo cohorts
# make test   environment, then all checks
# make test-slurm, make test-faults   the workflow on a one-node Slurm (needs root and Slurm), and with injected faults
# make benchmark-study   a whole study from table to report, by rule, at three sizes (half an hour or more, 30 GB of disk)
# make benchmark   comparison of the sweep with other solvers (half an hour, 16 GB of memory)
# make benchmark-tables   reading of tables, compared with pandas (ten minutes, 16 GB of memory)
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= 2
BIN := .venv/bin

.PHONY: run test test-slurm test-faults lint docs benchmark benchmark-tables benchmark-study lock vulnerabilities clean

run: .venv/run-ready
	$(BIN)/snakemake --cores $(CORES)

# Each file of workflow tests runs in one process, because its tests share a study.
test: .venv/test-ready lint
	$(BIN)/python -m pytest tests/unit --numprocesses $(CORES)
	$(BIN)/python -m pytest tests/workflow --numprocesses $(CORES) --dist loadfile

# The demo and its nested evaluation, or a smaller study with STUDY=mini; skipped without Slurm.
test-slurm: .venv/test-ready .venv/slurm-ready
	PYTHONPATH=tests/workflow $(BIN)/python tests/slurm/run.py $(STUDY)

test-faults: .venv/test-ready
	PYTHONPATH=tests/workflow $(BIN)/python tests/faults/run.py $(FAULTS)

lint: .venv/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

# Generate docs/bad_input.md from the test cases.
docs: .venv/test-ready
	$(BIN)/python tests/unit/bad_tables.py

benchmark: .venv/run-ready benchmarks/.venv/ready
	$(BIN)/python benchmarks/sweep/run.py

benchmark-tables: .venv/run-ready
	$(BIN)/python benchmarks/read_tables.py --folder benchmarks/results/tables --tables tall.csv.gz tall.parquet

benchmark-study: .venv/run-ready
	$(BIN)/python benchmarks/whole_study.py --folder benchmarks/results/whole_study --cores $(CORES)

# One resolution for every platform and Python from 3.11 on, with hashes (needs uv on the PATH).
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" -q --extra train \
	  pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" -q --extra train --extra dev -c requirements.lock \
	  pyproject.toml -o requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" -q --extra train --extra slurm -c requirements.lock \
	  pyproject.toml -o requirements-slurm.lock

# Known vulnerabilities of the locked packages, from PyPI's advisories. Failed look-ups count as failures.
vulnerabilities: .venv-audit/ready
	.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

clean:
	rm -rf .venv .venv-audit results logs .snakemake

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run-ready: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/test-ready: requirements-dev.lock .venv/run-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

.venv/slurm-ready: requirements-slurm.lock .venv/run-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-slurm.lock
	touch $@

benchmarks/.venv/ready: benchmarks/requirements.txt
	$(PYTHON) -m venv benchmarks/.venv
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	touch $@

.venv-audit/ready:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	touch $@
