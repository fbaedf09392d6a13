"""Two versions of an app side by side: canaries, and what `mldeploy diff` compares."""
