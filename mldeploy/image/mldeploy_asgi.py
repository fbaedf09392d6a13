"""The worker class with which gunicorn serves an ASGI app in our image: never imported by mldeploy.

It is uvicorn's own. Up to 0.35 only uvicorn has it, and from then on a package of its own; which of them there is
depends on the version that the app's requirements name.
"""

try:
    from uvicorn_worker import UvicornWorker as Worker  # type: ignore[import-not-found]  # it is the container's
except ImportError:
    from uvicorn.workers import UvicornWorker as Worker  # type: ignore[import-not-found]

__all__ = ["Worker"]
