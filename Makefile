# Every habit has one name. A fresh machine needs Python 3.11 or later and nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
LIBRARY_STAMP := $(VENV)/.library
DEV_STAMP     := $(VENV)/.development

.PHONY: demo test lint types docs notebooks bench clean

$(LIBRARY_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV_STAMP): $(LIBRARY_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(LIBRARY_STAMP)  ## four small candidates on the bundled digits, offline
	$(BIN)/ncselect rank --models MobileNetV3Small,MobileNet,MobileNetV2,EfficientNetV2B0 \
	  --weights random --dataset digits --store runs/demo --yes

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=. $(BIN)/lint-imports

types: $(DEV_STAMP)
	$(BIN)/mypy

test: lint types  ## two processes, of one BLAS thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile \
	  --no-loadscope-reorder

docs: $(DEV_STAMP)  ## the site, in build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

notebooks: $(DEV_STAMP)  ## the runs of the smallest reproduction, offline, then every notebook
	$(BIN)/ncselect reproduce figure3c --scale tiny --store runs/tiny --output runs/tiny/reproduced \
	  --workers 2 --yes
	$(BIN)/ncselect graph sweep --models LeNet5 --dataset digits --dropouts 0,0.5 \
	  --learning-rates 0.0001,0.001,0.003,0.01,0.03,0.1 --epochs 4 --image-size 32 \
	  --train-size 256 --validation-size 100 --test-size 100 --store runs/graphs --workers 2 --yes
	$(BIN)/ncselect sparse train --models MLP300 --dataset digits --rule dense,fixed,set --epsilon 5 \
	  --epochs 8 --repeats 2 --image-size 16 --store runs/sparse --workers 2 --yes
	$(BIN)/ncselect sparse prune --models MLP300 --dataset digits --rounds 4 --round-epochs 3 --rate 0.4 \
	  --repeats 2 --image-size 16 --store runs/tickets --workers 2 --yes
	$(BIN)/python -m pytest --numprocesses 2 --nbmake notebooks

bench: $(DEV_STAMP)
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
