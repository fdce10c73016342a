"""A mini study, run once; tests that change anything work on copies."""

from __future__ import annotations

import pytest
from mini_study import Study, copy_repository, edit_dictionary, make_study


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """A copy of the workflow."""
    return copy_repository(tmp_path_factory.mktemp("workflow") / "repository")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory, repository) -> Study:
    """The mini study before any run. Not to be changed."""
    return make_study(tmp_path_factory.mktemp("inputs") / "study", repository)


@pytest.fixture(scope="session")
def study(tmp_path_factory, inputs) -> Study:
    """The mini study after one full run. Not to be changed."""
    made = inputs.inputs_alone(tmp_path_factory.mktemp("finished") / "study")
    made.run()
    return made


@pytest.fixture(scope="session")
def study_rerun(study, tmp_path_factory) -> Study:
    """The finished study, its dictionary edited since, brought up to date. Not to be changed."""
    copy = edit_dictionary(study.copy(tmp_path_factory.mktemp("rerun") / "study"))
    copy.run()
    return copy


@pytest.fixture
def study_copy(study, tmp_path) -> Study:
    """The finished study, to change."""
    return study.copy(tmp_path / "study")


@pytest.fixture
def new_study(inputs, tmp_path) -> Study:
    """The study before any run, to change."""
    return inputs.inputs_alone(tmp_path / "study")
