"""What a folder is: the app in it, how it is served, what it needs, which models it holds, and what looks wrong.

Everything is read as source or as data; nothing is imported or run. `folder.detect` is the way in; `tables` turns what
was found into what a `mldeploy.toml` would say. Nothing is imported here: a build that only wants to know what its
Dockerfile starts does not wait for the readers of seven kinds of lock files.
"""
