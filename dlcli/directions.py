"""Whether more of a score is better, or less, by its name."""

SIGNS = {
    "accuracy": 1,
    "average_precision": 1,
    "bce": -1,
    "bits_per_character": -1,
    "class_agreement": 1,
    "coverage": 1,
    "density": 1,
    "ece": -1,
    "fpr_at_95_tpr": -1,
    "frechet": -1,
    "kid": -1,
    "kl": -1,
    "log_loss": -1,
    "loss": -1,
    "macro_f1": 1,
    "mae": -1,
    "mase": -1,
    "missing_classes": -1,
    "mse": -1,
    "nats_per_character": -1,
    "nats_per_token": -1,
    "near_copies": -1,
    "nll": -1,
    "perplexity": -1,
    "precision": 1,
    "psnr": 1,
    "psnr_gain": 1,
    "r2": 1,
    "recall": 1,
    "rmse": -1,
    "roc_auc": 1,
    "smape": -1,
    "ssim": 1,
    "top5": 1,
}


def sign(score: str) -> int:
    """1 where more is better, -1 where less is; so for a name that is not known here, as most are errors or losses.

    Also of a score of the validation split ("val_accuracy"), or of features of a judge ("judged_coverage").
    """
    return SIGNS.get(score.removeprefix("val_").removeprefix("judged_"), -1)
