"""Names of CpGs, with and without what arrays and modalities append."""

import pytest

from heteroage.probes import feature_name, plain_name, split_modality


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cg00000029", "cg00000029"),
        ("cg00000029_TC21", "cg00000029"),
        ("cg00000029_BO11", "cg00000029"),
        ("cg00000029_TC110", "cg00000029"),
        ("cg00000029_TC21_beta", "cg00000029_beta"),
        ("ch.1.131529R_BC11", "ch.1.131529R"),
        ("cg00000029_beta", "cg00000029_beta"),
        ("cg00000029_TC", "cg00000029_TC"),
        ("cg00000029_XC21", "cg00000029_XC21"),
        ("plate_TC21", "plate_TC21"),
        ("Tissue", "Tissue"),
        *((name, "chr1_10469") for name in ("chr1:10469", "chr1_10469", "chr1.10469", "1:10469", "Chr1:10469")),
        ("X:5000_beta", "chrX_5000_beta"),
        ("chrMT:7", "chrM_7"),
        *(
            (f"cg00000029{end}", "cg00000029_beta")
            for end in (".beta", "_Beta", ".AVG_Beta", " Beta values", "_TC21.BETA")
        ),
        ("chr1:10469.chalm", "chr1_10469_chalm"),
        *((name, name) for name in ("my.beta", "cg00000029.p", "rs10796216.beta", "cg.beta", "CG00000029")),
        ("1_10469", "1_10469"),
        ("12:30", "12:30"),
    ],
)
def test_replicates_take_the_plain_name(name, plain):
    assert plain_name(name) == plain
    assert plain_name(plain) == plain


@pytest.mark.parametrize(
    ("name", "modality", "feature"),
    [
        ("cg00000029", "beta", "cg00000029_beta"),
        ("cg00000029_TC21", "chalm", "cg00000029_chalm"),
        ("cg00000029_TC21_camda", "camda", "cg00000029_camda"),
        ("cg00000029_beta", "chalm", None),
        ("chr1_10469", "beta", "chr1_10469_beta"),
        ("bmi", "beta", None),
        ("plate_beta", "beta", None),
    ],
)
def test_a_column_is_a_feature_of_its_modality(name, modality, feature):
    assert feature_name(name, modality) == feature


def test_a_bare_name_has_no_modality():
    assert split_modality("chr1_10469") == ("chr1_10469", None)
    assert split_modality("cg1_beta_chalm") == ("cg1_beta", "chalm")
