"""The exported coefficients are the anchor, or are refused."""

import numpy as np
import pandas as pd
from command_line import run

from heteroage.age import inverse_transform_age


def test_the_exported_coefficients_predict_the_anchor(clock, loaded, tmp_path, capsys):
    """As biolearn's linear models do: joined by name, the intercept's row a 1, and the transform after the sum."""
    out = tmp_path / "c.csv"
    code, said, _ = run(capsys, "export", "--artifact-dir", clock.folder, "--out", out)
    assert (code, "chalm keep their suffix" in said) == (0, True)
    table = pd.read_csv(out, index_col=0)
    assert list(table.columns) == ["CoefficientTraining"]
    cpgs = [name for name in clock.master.columns if name.startswith("cg")]
    whole = clock.master.assign(**clock.master[cpgs].fillna(0.5))
    matrix = whole.set_index("sample_id")[cpgs].rename(columns=lambda name: name.removesuffix("_beta")).T
    matrix.loc["intercept"] = 1
    joined = table.join(matrix, how="inner")
    assert len(joined) == len(table)
    ages = inverse_transform_age(joined.iloc[:, 1:].multiply(joined["CoefficientTraining"], axis=0).sum())
    np.testing.assert_allclose(ages, loaded.predict(whole)["Stage1_Pred_Age"], rtol=0, atol=1e-9)
    run(capsys, "export", "--artifact-dir", clock.folder, "--out", out, "--style", "methylclock")
    assert pd.read_csv(out)["CpGmarker"][0] == "(Intercept)"


def test_coefficients_cannot_hold_pcs_from_a_file(clock_without_loadings, tmp_path, capsys):
    code, _, err = run(capsys, "export", "--artifact-dir", clock_without_loadings, "--out", tmp_path / "c.csv")
    assert (code, "RF_PCs from a file" in err) == (1, True)
