"""Stimuli: inputs with a known answer at every level, one file per kind of input.

What a layer knows is measured, never asserted (Tenney et al., 2019; Hewitt and Liang, 2019). A level
is a set of inputs whose label cannot be read from the levels below it: everything else in them is
drawn independently of the label and balanced against it.
"""
