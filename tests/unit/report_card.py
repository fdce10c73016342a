"""The content of a MODEL_CARD.json."""

ERRORS = {
    "anchor": {"MicroMAE": 5.2, "MacroMAE": 5.3},
    "anchor_plus_experts": {"MicroMAE": 5.1, "MacroMAE": 5.2},
    "this_clock": {"MicroMAE": 4.2, "MacroMAE": 4.3},
    "procedure": {"MicroMAE": 4.4, "MacroMAE": 4.5},
}
CARD = {
    "groups": ["One sentence on groups."],
    "held_out": "whole groups",
    "training_data": {
        "samples": 120,
        "projects": 6,
        "groups": 5,
        "age_from": 3.0,
        "age_to": 88.5,
        "tissues": {"Blood": 100, "Skin": 20},
        "sexes": {"F": 70, "M": 50},
        "sha256": "0f" * 32,
    },
    "folds": [{"fold": k} for k in range(5)],
    "stage1": {
        "alpha": 0.05,
        "l1_ratio": 0.1,
        "technical_sd": 0.005,
        "configurations_swept": 66,
        "features_with_weight": 211,
    },
    "stage2": {"experts": [{"hallmark": "A", "skill": True}, {"hallmark": "B", "skill": False}]},
    "stage3": {"boosting_rounds": 12, "intervals": {"level": 0.9}, "errors_out_of_fold": ERRORS},
    "errors_out_of_fold": [
        {"predictor": "anchor (Stage 1)", "MicroMAE": 5.2, "MacroMAE": 5.3},
        {"predictor": "HeteroAge (Stage 3)", "MicroMAE": 4.2, "MacroMAE": 4.3},
        {"predictor": "mean age of the other folds", "MicroMAE": 15.0, "MacroMAE": 16.0},
    ],
    "software": {"heteroage-clock": "0.2.0", "numpy": "2.0"},
}
