"""Without the search for cycles: off inside, and afterwards as before."""

from __future__ import annotations

import gc

import pytest

from t2i.uncollected import uncollected


def test_off_inside_and_on_again_also_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="wrong"), uncollected():
        assert not gc.isenabled()
        raise ValueError("wrong")
    assert gc.isenabled()


def test_stays_off_for_a_program_that_switched_it_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_decorated_function_can_be_called_again_and_inside_itself() -> None:
    @uncollected()
    def depth(levels: int) -> int:
        assert not gc.isenabled()
        return 1 + depth(levels - 1) if levels else 0

    assert [depth(2), depth(0)] == [2, 0]
    assert gc.isenabled()


def test_what_stays_is_not_searched_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    with uncollected():
        pass
    assert not frozen
    with uncollected(all_stays=True):
        assert not frozen
    assert frozen == [False]  # before the search goes on
