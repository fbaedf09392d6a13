"""Deploy the example on this machine, ask it for a prediction, and say where it is and how to be rid of it."""

import json
import subprocess
import sys
from pathlib import Path

APP = Path("example_app")
MLDEPLOY = [".venv/bin/mldeploy", "-C", str(APP)]
FAREWELL = """
The app answers at {url}

  open it             {mldeploy} open
  look at it          {mldeploy} status
  read its logs       {mldeploy} logs
  stop it             {mldeploy} stop
  take it all away    {mldeploy} destroy
"""


def main() -> None:
    """Print what the app predicted, its address and what to do next; exit as the mldeploy command that failed did."""
    mldeploy("deploy")
    request = json.loads((APP / "golden.json").read_text())["request"]
    mldeploy("predict", *(f"--field={name}={value}" for name, value in request.items()))
    status = json.loads(mldeploy("status", "--json", output=subprocess.PIPE))
    print(FAREWELL.format(url=status["url"], mldeploy=" ".join(MLDEPLOY)), end="")


def mldeploy(*arguments: str, output: int | None = None) -> str:
    """Run a command, and answer what it printed if `output` is a pipe; otherwise it prints where we do."""
    ended = subprocess.run([*MLDEPLOY, *arguments], check=False, stdout=output, text=True)
    if ended.returncode:
        sys.exit(ended.returncode)
    return ended.stdout or ""


if __name__ == "__main__":
    main()
