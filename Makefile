# What CI runs, without making an environment for it: pip install -e ".[test]" first.
.PHONY: check compare test lint format bench gallery

check: compare lint test

compare:
	python -m streamsim compare scenarios/top-words.toml

test:
	pytest

lint:
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format:
	ruff check --fix .
	ruff format .

# Seconds on a quiet machine, never a gate.
bench:
	for script in accuracy against_bash budgets startup; do python benchmarks/$$script.py || exit 1; done

# The reports that git keeps and the README shows.
gallery:
	for scenario in top-words gzip-chain poisson; do \
	  python -m streamsim compare scenarios/$$scenario.toml --output reports/gallery/$$scenario || exit 1; \
	  sed -i "s|\"$(CURDIR)/|\"|" reports/gallery/$$scenario/scenario.json; \
	done
