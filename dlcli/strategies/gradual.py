"""Head first, then the upper half of the body with it, then all: the lower a layer, the later and slower it learns.

Howard & Ruder (2018): gradual unfreezing, and a rate for each depth (FitConfig.layer_decay).
"""

from dlcli.transfer import states
from dlcli.transfer.work import Adapted, Work, adapted, joined

FEATURES = True
ORDER = 30
# Share of the body that is frozen, and the rate; before them comes the head alone, solved for or trained.
STAGES = ((0.5, 1.0), (0.0, 1.0))
# How much slower each fourth of the body learns than what follows it. The paper's 2.6 is for thousands of steps: in the
# ten passes here it left validation accuracy 6 points lower on photographs and half a point on digits.
DECAY = 1.2
# Steps of a stage over which the rate rises, at least: Adam's first ones are its wildest (Ma & Yarats, 2021), and here
# they meet a body that is good already. Two of them, 0.05 of a stage of one pass, tore it down from 0.75 to 0.17.
WARMUP = 10


def adapt(work: Work) -> Adapted:
    stages = STAGES if work.last is not None else ((1.0, 1.0), *STAGES)
    done, told = [], []
    for i, (frozen, rate) in enumerate(stages):
        last = i == len(stages) - 1
        run = work.run if last else work.run.within("stages", str(i))
        weights = done[-1].model.get_weights() if done else None
        share = 1 / len(stages)
        build = _builder(work, frozen, weights)
        done.append(work.fit(build, rate=rate, decay=DECAY, warmup_steps=WARMUP, share=share, run=run))
        told.append({"frozen_share": frozen, "rate": rate, "layer_decay": DECAY, **states.count(done[-1].model)})
    return adapted(joined(done), stages=told)


def _builder(work: Work, frozen: float, weights):
    def build():
        model = work.start()
        if weights is not None:
            model.set_weights(weights)
        states.freeze(model, frozen)
        return model

    return build
