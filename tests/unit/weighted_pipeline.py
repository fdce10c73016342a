"""Fit arguments that give each step of a scikit-learn Pipeline a training set's sample weights."""


def weights_of(pipeline, training_set):
    """`fit` parameters: the scaler's and the model's sample_weight; the imputer takes none."""
    return {f"{name}__sample_weight": training_set.weight for name, _ in pipeline.steps[1:]}
