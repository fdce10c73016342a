"""Compiled functions run wherever numba may keep them or not, and sum the same way every time."""

from heteroage import compiled


def test_compiled_functions_run_where_numba_may_keep_nothing(monkeypatch):
    njit = compiled.njit

    def without_a_folder(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(compiled, "njit", without_a_folder)
    assert compiled.compiled(lambda a: a + 1)(2) == 3
