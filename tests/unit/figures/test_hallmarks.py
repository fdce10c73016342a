"""Pictures of the experts say which have no skill."""

from picture_data import experts

from heteroage.figures import hallmarks


def test_experts_without_skill_are_said_to_have_none():
    figure = hallmarks.plot_skill(experts()).figure
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["R² +0.200", "R² -0.030, no skill"]
