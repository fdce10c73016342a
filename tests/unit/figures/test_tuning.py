"""The picture of a sweep marks what was chosen, or says that nothing was swept."""

from picture_data import sweep_report

from heteroage.figures import tuning
from heteroage.figures.style import Picture


def test_a_given_configuration_is_said_to_be_given():
    picture = tuning.plot_sweep(sweep_report().drop(columns="Score"))
    assert isinstance(picture, Picture)
    assert "not swept" in picture.alt
