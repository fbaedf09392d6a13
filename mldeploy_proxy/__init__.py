"""The HTTP proxy that holds the port of an app on this machine: it runs in a container in front of the app's.

It is copied into a container of any image with Python 3.9 or later, so it imports the standard library alone and
nothing of `mldeploy`. The parts: `head` (strict parsing of messages), `body` (framing), `stream` (one connection),
`backends` (the containers behind it, and who gets the next request), `exchange` (one request and its response),
`server` (clients and their limits) and `control` (how it is told its routes).
"""
