"""How each number is computed, as the methods box of a report says it."""

from dlcli.inspection import gates, hierarchy, probes, rows, strip

SEEDS = {
    "name": "seeds",
    "formula": "every draw is NumPy's PCG64, seeded with --seed and a number of its own (examples 3, twins 7, stimuli by "
    "level): the same seed gives the same document, on TensorFlow and on JAX, to 1e-4",
    "source": "",
}
STATIC = (
    {
        "name": "FLOPs",
        "formula": "two for each multiply-add, for one example; attention and recurrent layers included",
        "source": "counted from shapes",
    },
    {
        "name": "receptive field",
        "formula": "r += (k_e - 1) j; j *= stride; k_e = (k - 1) dilation + 1; where paths meet, the union of their windows",
        "source": "Araujo, Norris & Sim, 2019",
    },
)
FAST = (
    {
        "name": "features of a layer",
        "formula": "mean and standard deviation of each feature over positions (and the last step of sequences), or the values at one step",
        "source": "",
    },
    {
        "name": "probe",
        "formula": "ridge regression to one-hot labels on z-scored features, held-out accuracy in 5 stratified folds (closed form); control: labels drawn at random for groups of look-alike inputs",
        "source": "Alain & Bengio, 2016; Hewitt & Liang, 2019",
    },
    {
        "name": "CKA",
        "formula": "<K, L> / sqrt(<K, K> <L, L>) of U-centred Gram matrices (debiased)",
        "source": "Kornblith et al., 2019; Szekely & Rizzo, 2014",
    },
    {
        "name": "effective rank",
        "formula": "participation ratio (tr S)^2 / tr S^2 of the covariance S, both by U-statistics",
        "source": "",
    },
    {
        "name": "intrinsic dimension",
        "formula": "TwoNN: slope of -log(1 - F) against log(r2 / r1)",
        "source": "Facco et al., 2017",
    },
    {"name": "NC1", "formula": "tr(S_W S_B^+) / C", "source": "Papyan, Han & Donoho, 2020"},
    {
        "name": "class selectivity",
        "formula": "(highest class mean - mean of the others) / their sum, mean over units; only where no mean is negative",
        "source": "Morcos et al., 2018",
    },
    {
        "name": "dead, duplicate",
        "formula": "never above 1e-6 of the layer's maximum; |correlation| > 0.99 with an earlier unit",
        "source": "",
    },
    {
        "name": "95 % interval of a probe",
        "formula": "Wilson's, of the share of held-out examples that are told right",
        "source": "Wilson, 1927",
    },
    {
        "name": "examples",
        "formula": f"units by sums over all examples; probes and geometry of the first {rows.KEPT} ({rows.FEWER} of a network "
        f"of more than {strip.HEAVY:g} FLOP) of a random sample, similarities of {rows.COMPARED}; strength of a ridge: the "
        f"best of {len(probes.STRENGTHS)} by leave-one-out error, {probes.STRENGTHS[0]:g} to {probes.STRENGTHS[-1]:g} times "
        "the mean eigenvalue",
        "source": "",
    },
    {
        "name": "samples gate",
        "formula": f"at least {gates.FEW} examples, and {gates.FEW_OF_A_CLASS} of the rarest class",
        "source": "",
    },
    {
        "name": "milliseconds",
        "formula": f"eager, of a call for one example: the median of 3 after one that warms up (of 1 above {strip.HEAVY:g} FLOP); "
        "a compiled network has no time per layer, and is quicker",
        "source": "",
    },
)
STANDARD = (
    {
        "name": "A, decodability",
        "formula": "(held-out accuracy of the probe - majority) / (1 - majority)",
        "source": "",
    },
    {
        "name": "b, baseline",
        "formula": "max(A of the bare input, best A of the untrained twin up to this layer, A of the nuisances alone, 0)",
        "source": "",
    },
    {"name": "D, learned", "formula": "max(0, A - b) / max(1 - b, 0.1)", "source": ""},
    {
        "name": "G, gain",
        "formula": "what D gains over the best layer before, where it is beyond the bootstrap noise of all layers",
        "source": "",
    },
    {
        "name": "E, emergence",
        "formula": "sum of l G / sum of G, where sum G > 0.1",
        "source": "Tenney et al., 2019 (expected layer)",
    },
    {
        "name": "hierarchy index",
        "formula": "Kendall's tau-b between the order of the levels and E; exact p over all orders; at least 4 levels and 4 layers",
        "source": "",
    },
    {
        "name": "category",
        "formula": "the user's own classes, read as a level is: A of at most 768 examples (256 for heavy networks), b with all of the bare input; of "
        "none that the network was trained on; without a "
        "place in the order, since lower levels may tell them",
        "source": "",
    },
    {
        "name": "untrained twin",
        "formula": "the same network, weights drawn anew from the distribution of each layer's own initialiser, batch statistics learned from the stimuli; for levels that emerge also a second one with new batch statistics; layer by layer the one that can be read better counts",
        "source": "",
    },
    {
        "name": "names of layers",
        "formula": f"the level of the largest G from {hierarchy.NAMED} on, with the larger side of its 95 % interval over "
        f"{hierarchy.DRAWS} bootstrap draws of the stimuli (those that err together together); two names where 0 lies in "
        "the interval of their difference; 'refines' a level that emerged before and is known here",
        "source": "",
    },
    {
        "name": "control",
        "formula": "A for labels drawn at random for each kind of nuisance; reported, and no part of b",
        "source": "Hewitt & Liang, 2019",
    },
    {
        "name": "lost",
        "formula": "A of the best layer less A of the last, from 0.2 on",
        "source": "",
    },
    {
        "name": "stimuli",
        "formula": f"{strip.STIMULI} of each level ({strip.FEWER} for a network of more than {strip.HEAVY:g} FLOP), pictures with "
        "the brightness and contrast of the data; p below 0.05 is called a measurable hierarchy",
        "source": "",
    },
    {
        "name": "leak gate",
        "formula": f"A of the bare input at most {gates.LEAK:g}; not asked of {', '.join(sorted(gates.OPEN))}, which it holds",
        "source": "",
    },
    {
        "name": "distance gate",
        "formula": "Mahalanobis distance in the data's first principal components (of one half), median over stimuli and then "
        f"over layers; at most {gates.FAR:g} times the 99th percentile of the other half of the data",
        "source": "",
    },
)
COMPARED = {
    "name": "gained, kept, lost",
    "formula": "gained or lost: each model's D lies outside the other's 95 % interval; kept: both intervals leave 0 out; "
    "CKA between models on the same examples, or the same stimuli",
    "source": "",
}
TIMELINE = {
    "name": "timeline",
    "formula": "D of the best layer with the weights of every kept epoch, against the same stimuli and the same twins; a level "
    "has come where sum of G > 0.1",
    "source": "",
}
