"""What figures of answers are called where people read them."""

from __future__ import annotations

from typing import Final

FIGURES: Final = {
    "log_loss": "log loss",
    "brier": "Brier",
    "auc": "AUC",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "mae": "MAE",
    "rmse": "RMSE",
}
