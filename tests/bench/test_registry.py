"""A push counts for what it really carries."""

from docker import APIClient

from bench.registry import Registry


def test_only_layers_that_were_not_there_count() -> None:
    registry = Registry(APIClient(version="1.41"), "")
    assert registry.new({"sha256:base": 100, "sha256:code": 5}, "ours") == 105
    assert registry.new({"sha256:base": 100, "sha256:code": 5}, "ours") == 0
    assert registry.new({"sha256:base": 100, "sha256:edited": 6}, "ours") == 6
    assert registry.new({"sha256:base": 100}, "theirs") == 100
