# demo: install and replay the sample trace.   test: run all checks.
# Both create the virtual environment .venv, and need only Python 3.11 or later and a C compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export PYTHONDONTWRITEBYTECODE = 1
# make test REAL_SERVER=1 also runs the tests against llama.cpp's own server (127 MB, installed under build once).
export REAL_SERVER

.PHONY: demo test lint types build ctest pytest docs wheel fuzz bench clean

demo: $(VENV)/.installed
	@rm -rf build/demo.tape
	$(BIN)/tokentape replay --sample --simulate --speed 2 --out build/demo.tape

test: lint types ctest pytest docs wheel

lint: $(VENV)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: build
	$(BIN)/mypy

build: $(VENV)/.developing
	$(BIN)/python setup.py --quiet build_ext --inplace

ctest:
	$(MAKE) --no-print-directory -C cext/tests test
	$(MAKE) --no-print-directory -C cext/tests fuzz SECONDS=3

pytest: build
	PYTHONPATH=build/names $(BIN)/python -m pytest -q -n 2 --dist loadfile --ignore=tests/real
	PYTHONPATH=build/names $(BIN)/python -m pytest -q tests/real  # they share one server

# Build the documentation site in build/site. A broken link is an error.
docs: build
	PYTHONPATH=build/names $(BIN)/python docs/site/stage.py build
	cd build && ../$(BIN)/zensical build --strict --clean

# Build the wheel, install it in a separate environment and run it outside the source tree. Exit code 3 is accepted: the
# run completed, but the machine was too busy to time it.
wheel: $(VENV)/.developing
	@rm -rf build/wheel
	$(BIN)/python -m build --quiet --wheel --outdir build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check build/wheel/*.whl
	cd build/wheel && venv/bin/tokentape replay --sample --simulate --speed 10 --limit 50 --out wheel.tape --quiet || [ $$? = 3 ]
	cd build/wheel && venv/bin/tokentape profile --simulate --streaming --request-count 40 --osl 4 --out load.tape --quiet || [ $$? = 3 ]
	cd build/wheel && venv/bin/python -c "import tokentape; print(len(tokentape.open('wheel.tape').requests), 'requests on the tape')"

# Fuzz each parser for a minute; the tests fuzz for 3 s.
fuzz:
	$(MAKE) --no-print-directory -C cext/tests fuzz SECONDS=60

bench: build
	PYTHONPATH=build/names $(BIN)/python benchmarks/run.py

clean:
	rm -rf build $(VENV) cext/*.so *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python setup.py pyproject.toml $(shell find engine traces cext -name "*.py" -o -name "*.[ch]" -o -name "*.p[xy]*")
	$(PIP) .
	@touch $@

# Install the requirements of the program and of the tests. The program itself is run from the source tree.
$(VENV)/.developing: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
		print('\n'.join(p['dependencies'] + p['optional-dependencies']['dev']))" > $(VENV)/requirements.txt
	$(PIP) --requirement $(VENV)/requirements.txt
	@touch $@
