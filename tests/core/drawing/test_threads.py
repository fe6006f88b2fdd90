"""Jobs run on as many threads as torch may use, in order, and leave its setting as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
import torch

from t2i.drawing.threads import at_once


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_jobs_run_at_the_same_time_with_one_thread_of_torch_each() -> None:
    both = threading.Barrier(2, timeout=60)  # passes only if two jobs wait at the same time

    def job(number: int) -> tuple[int, int]:
        both.wait()
        return number, torch.get_num_threads()

    assert at_once([partial(job, number) for number in range(4)]) == [(number, 1) for number in range(4)]
    assert torch.get_num_threads() == 2
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


@pytest.mark.usefixtures("two_threads")
def test_an_error_reaches_the_caller_and_the_setting_is_restored() -> None:
    def fails() -> None:
        raise ValueError("of the second job")

    with pytest.raises(ValueError, match="of the second job"):
        at_once([lambda: None, fails, lambda: None])
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("jobs", [0, 1, 3])
def test_without_a_second_thread_or_job_nothing_is_started(jobs: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    here = threading.current_thread()
    try:
        assert at_once([threading.current_thread] * jobs) == [here] * jobs
        torch.set_num_threads(2)
        assert at_once([threading.current_thread]) == [here]
    finally:
        torch.set_num_threads(before)
