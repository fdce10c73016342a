"""The picture of a sweep marks what was chosen, or says that nothing was swept."""

from picture_data import sweep_report

from heteroage.figures import tuning
from heteroage.figures.style import Picture


def test_a_given_configuration_is_said_to_be_given():
    picture = tuning.plot_sweep(sweep_report().drop(columns="Score"))
    assert isinstance(picture, Picture)
    assert "not swept" in picture.alt


def test_the_chosen_configuration_is_marked_where_it_lies():
    report = sweep_report().sample(frac=1, random_state=1)
    chosen = report[report["selected"]].iloc[0]
    picture = tuning.plot_sweep(report)
    (star,) = [line for line in picture.figure.axes[0].lines if line.get_label() == "chosen"]
    assert star.get_xydata().tolist() == [[chosen["alpha"], -chosen["Score"]]]
    labels = [line.get_label() for line in picture.figure.axes[0].lines]
    assert labels.count("other balancing or technical_sd") == 1
    assert [label for label in labels if label.startswith("l1")] == ["l1_ratio 0.1", "l1_ratio 0.9"]
    assert "Error of 12 configurations" in picture.alt
    assert "Chosen: alpha 0.1, l1_ratio 0.9, error 5.00 years" in picture.alt
