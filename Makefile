# Everything that this project can be told to do. `make` alone says what there is.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint measures format bench chaos matrix dashboards openapi constraints clean

help:  ## Say what there is to do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@# PyTorch first and alone, so that nothing else brings another build of it.
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . --group dev
	touch $@

demo: $(READY)  ## Paint the demo campaign and show where its contact sheet is
	$(BIN)/farm demo --home .demo

test-fast: $(READY)  ## Run the tests that start no server, no cluster and no torch, in about three minutes
	$(BIN)/python -m pytest tests/unit tests/infra -n auto --maxprocesses 4

test: $(READY)  ## Run every test: those that start no cluster side by side, then those that do, two files at a time, then chaos
	$(BIN)/python -m pytest -m "not cluster" -n auto --maxprocesses 4
	$(BIN)/python -m pytest -m "cluster and not matrix" --ignore tests/chaos -n 2 --dist loadfile
	$(BIN)/python -m pytest tests/chaos -m cluster

lint: $(READY)  ## Check style, types and which floor imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.measures --check

measures: $(READY)  ## Say how large functions, classes and files are, and how plain the prose is
	$(BIN)/python -m tests.measures

format: $(READY)  ## Put the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## Measure the farm beside a diffusers loop, its queue, fleet and outputs beside others, its files beside Pillow's
	$(BIN)/farm bench overhead
	$(BIN)/farm bench cold
	$(BIN)/farm bench queue
	$(BIN)/farm bench fleet
	$(BIN)/farm bench api
	$(BIN)/farm bench eta
	$(BIN)/farm bench encode
	$(BIN)/farm bench creative
	$(BIN)/farm bench outputs
	$(BIN)/farm bench models
	$(BIN)/farm bench metrics
	$(BIN)/farm bench web

chaos: $(READY)  ## Kill, stop and cut everything while it paints, 20 times, take its machines away, 6 times, and check what is left
	$(BIN)/python -m tests.chaos --runs 20 --fleet-runs 6

matrix: $(READY)  ## Paint one campaign with 1 to 3 workers, on folder and S3, SQLite and PostgreSQL, with kills, and compare
	$(BIN)/python -m pytest tests/cluster/test_matrix.py -m "matrix or not matrix" -v

dashboards: $(READY)  ## Build dashboards, rules and alerts for Grafana and Prometheus again
	$(BIN)/python -m dashboards.build

openapi: $(READY)  ## Write the description of the API again, docs/openapi.json
	$(BIN)/python -m farm.schema docs/openapi.json

constraints: $(READY)  ## Write down the versions that are installed now
	$(BIN)/pip freeze --exclude-editable | grep -v ' @ ' | sed 's|+cpu||' > constraints.txt

clean:  ## Remove the environment and what the demo painted
	rm -rf .venv .demo
