"""Values written to their places are the same by NumPy, compiled, and one by one."""

import numpy as np
import pytest

from heteroage.inputs import compiled_scatter, scatter


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("write", [scatter.scatter, compiled_scatter.scatter], ids=["numpy", "compiled"])
def test_every_value_gets_to_its_place_and_no_other(write, order):
    rng = np.random.default_rng(1)
    values = np.array(rng.random((6, 4)), np.float32, order=order)
    values[2, 1] = np.nan
    rows, columns = np.array([7, -1, 0, 3, -1, 9]), np.array([5, 0, 2, 4])
    target = np.full((10, 8), -1, np.float32)[:, 1:7]  # a part of something larger
    expected = target.copy()
    for i, row in enumerate(rows):
        for k, column in enumerate(columns):
            if row >= 0:
                expected[row, column] = values[i, k]
    write(target, rows, columns, values)
    np.testing.assert_array_equal(target, expected)
    assert (target.base[:, [0, 7]] == -1).all()


def test_compiled_code_is_loaded_for_many_values_alone(monkeypatch):
    monkeypatch.setattr(scatter, "LARGE", 100)
    assert scatter.scatter_for(99) is scatter.scatter
    assert scatter.scatter_for(100) is compiled_scatter.scatter


def test_rows_and_columns_are_permuted_where_they_lie():
    rng = np.random.default_rng(2)
    for n in (1, 2, 9, 40):
        matrix = rng.random((n, 5)).astype(np.float32)
        rows, columns = rng.permutation(n), rng.permutation(5)
        rows[rows == 0], rows[0] = rows[0], 0  # one that stays, as well as cycles
        expected = np.empty_like(matrix)
        expected[np.ix_(rows, columns)] = matrix
        scatter.permute(matrix, rows, columns)
        np.testing.assert_array_equal(matrix, expected)
