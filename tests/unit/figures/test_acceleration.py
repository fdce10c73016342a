"""Samples of unknown health are in no distribution of age acceleration."""

from picture_data import predictions

from heteroage.figures import acceleration


def test_samples_of_unknown_health_are_left_out_of_the_acceleration():
    table = predictions().assign(Age_Acceleration_Residual=1.0, Is_Healthy=True)
    table["Is_Healthy"] = table["Is_Healthy"].astype(object)
    table.loc[:9, "Is_Healthy"] = False
    table.loc[10:19, "Is_Healthy"] = None
    labels = [label.get_text() for label in acceleration.plot_acceleration(table).figure.axes[0].get_yticklabels()]
    assert labels[0] == "all samples (n = 100 + 10)"
