"""From a fit's settings to a Keras optimizer with its schedule."""

import keras

from dlcli.config import FitConfig
from dlcli.muon import Muon


def optimizer(fit: FitConfig, steps: int) -> keras.Optimizer:
    """The optimizer for a training of `steps` batches in all.

    Where gradients of several batches are added up, Keras goes along the schedule, and averages weights, by batches.
    """
    kinds = {
        "adamw": keras.optimizers.AdamW,
        "adam": keras.optimizers.Adam,
        "sgd": keras.optimizers.SGD,
        "lion": keras.optimizers.Lion,
        "muon": Muon,
        "rmsprop": keras.optimizers.RMSprop,
        "adadelta": keras.optimizers.Adadelta,
    }
    own = {
        "adamw": {"beta_1": fit.beta_1, "beta_2": fit.beta_2},
        "adam": {"beta_1": fit.beta_1, "beta_2": fit.beta_2},
        "lion": {"beta_1": fit.beta_1, "beta_2": fit.beta_2},
        "sgd": {"momentum": fit.beta_1, "nesterov": True},
        # matrices between features; tables of vectors and the head go by AdamW (Jordan et al., 2024; Liu et al., 2025)
        "muon": {
            "adam_beta_1": fit.beta_1,
            "adam_beta_2": fit.beta_2,
            "adam_weight_decay": fit.weight_decay,
            "exclude_layers": ["(^|/)stem_", "positions", "(^|/)head_"],
        },
    }
    made = kinds[fit.optimizer](
        learning_rate=schedule(fit, steps),
        # AdamW takes no None, the others no 0
        weight_decay=fit.weight_decay if fit.weight_decay or fit.optimizer == "adamw" else None,
        global_clipnorm=fit.clip_norm,
        use_ema=fit.ema is not None,
        ema_momentum=momentum(fit, steps // fit.accumulate) ** (1 / fit.accumulate) if fit.ema is not None else 0.99,
        gradient_accumulation_steps=fit.accumulate if fit.accumulate > 1 else None,
        **own.get(fit.optimizer, {}),
    )
    if fit.weight_decay:
        # Decay pulls weights to zero; where zero is not neutral (scales, shifts, rows of a
        # look-up table that were not used) it only harms.
        made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings", "positions", "recurrent"])
    return made


def layerwise(made: keras.Optimizer, model: keras.Model, decay: float) -> keras.Optimizer:
    """The optimizer with a learning rate for each depth of the model (Howard & Ruder, 2018).

    The head learns at the full rate, each fourth of the body's layers `decay` times slower than what follows:
    low layers hold what all pictures or texts share. The published 2.6 is for a model of four layers.
    """
    if decay == 1:
        return made
    rates = _rates(model, decay)
    update = made.update_step

    def scaled(gradient, variable, learning_rate):
        return update(gradient, variable, learning_rate * rates[made._get_variable_index(variable)])

    made.update_step = scaled
    return made


def _rates(model: keras.Model, decay: float) -> list[float]:
    """The share of the learning rate that each trainable weight has. Frozen layers count as layers."""
    names = dict.fromkeys(weight.path.partition("/")[0] for weight in model.weights)
    body = [name for name in names if not name.startswith("head_")]
    shares = {name: decay ** (4 * i // len(body) - 4) for i, name in enumerate(body)}
    return [shares.get(weight.path.partition("/")[0], 1.0) for weight in model.trainable_weights]


def schedule(fit: FitConfig, steps: int):
    """Learning rate per step: linear warm-up, then a cosine to `final` of the peak, or constant.

    With "plateau" it is a number, without a warm-up, that the keeper of the best epoch lowers.
    """
    if fit.schedule == "plateau":
        return fit.learning_rate  # lowered between epochs, where the score is known
    warmup = fit.warmed(steps)
    if fit.schedule == "constant" and not warmup:
        return fit.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=fit.learning_rate / warmup if warmup else fit.learning_rate,
        warmup_target=fit.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        alpha=1.0 if fit.schedule == "constant" else fit.final,
    )


def momentum(fit: FitConfig, steps: int) -> float:
    """Momentum of the weights' average: never so long that the first twentieth of training counts."""
    return min(fit.ema, 1 - 20 / max(steps, 40))
