#!/usr/bin/env bash
# Finds a Python that is new enough and lets it make .venv (scripts/venv.py).
set -euo pipefail
cd "$(dirname "$0")/.."

for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$name" -m scripts.venv
    fi
done
echo "mldeploy needs Python 3.11 or newer, and python3 here is $(python3 --version 2>/dev/null || echo missing): install one (python.org, or your system's packages) and run this again." >&2
exit 1
