.PHONY: setup python
setup: python
python:
	@scripts/venv.sh
