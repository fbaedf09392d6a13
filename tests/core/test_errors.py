"""Errors of an SDK become errors for users where they arise."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

from mldeploy.core.errors import MldeployError, translate_exceptions


def test_a_translated_exception_is_the_cause_of_the_error() -> None:
    original = KeyError("region")
    with pytest.raises(MldeployError, match="cloud: 'region'") as caught, _cloud_errors():
        raise original
    assert caught.value.__cause__ is original


@pytest.mark.parametrize("error", [MldeployError("engine", "is full"), ValueError("a defect"), KeyboardInterrupt()])
def test_what_is_not_the_sdk_s_passes_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, _cloud_errors():
        raise error
    assert caught.value is error


def _cloud_errors() -> AbstractContextManager[None]:
    return translate_exceptions(LookupError, lambda error: MldeployError("cloud", str(error)))
