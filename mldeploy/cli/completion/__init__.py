"""The completion of command lines in bash, zsh and fish.

A shell starts `mldeploy` with `_MLDEPLOY_COMPLETE=complete_SHELL` and the typed line in the environment (`shells`). The
line is parsed (`typed_line`), the word at the cursor is matched with commands, options and values (`candidates`,
`values`), and the answer is written in the syntax of the shell.
"""
