"""What wrk reports is read right, whatever stands around it."""

import pytest

from bench.load import parsed

OUTPUT = """\
Running 4s test @ http://127.0.0.1:32768/predict
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    21.32ms    5.20ms  80.11ms   88.10%
  2900 requests in 4.00s, 560.12KB read
Requests/sec:    725.00
measured 2900 4000000 36120.500000 3
"""


def test_rate_is_requests_a_second_and_p99_is_in_milliseconds() -> None:
    found = parsed(OUTPUT)
    assert (found.requests, found.rate, found.p99, found.bad) == (2900, 725.0, 36.1205, 3)


def test_output_without_figures_is_no_load_of_zero() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        parsed("unable to connect to 127.0.0.1:1 Connection refused\n")
