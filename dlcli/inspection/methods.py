"""How each number is computed, as the methods box of a report says it."""

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
    {"name": "milliseconds", "formula": "eager, of one call for one example, the second of two", "source": ""},
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
        "name": "untrained twin",
        "formula": "the same network, weights drawn anew by each layer's own initialiser, batch statistics learned from the stimuli; for levels that emerge also a second one with new batch statistics; layer by layer the one that can be read better counts",
        "source": "",
    },
    {
        "name": "distance gate",
        "formula": "Mahalanobis distance in the data's first principal components, against the 99th percentile of the data",
        "source": "",
    },
)
