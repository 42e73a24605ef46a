"""Kernels on engines that scale them out: one module for each, and each needs its engine (``pip install hotcell[ray]``, …).

Engines send a kernel to processes of their own. What they send is the component's bytes and the options, never machine code; each
process loads them once, with its own cell, and so under the policy of the machine that it is on. Its launches have one thread each
(``options(threads=…)`` says otherwise), for the engine runs them side by side. A launch that does not end well is an error of the
task that made it, with the text of :class:`hotcell.Error`, which names the limit; other tasks do not notice.

    >>> from hotcell.engines.ray import MapBatches
    >>> from hotcell.engines.dask import apply
    >>> from hotcell.engines.datafusion import udf
    >>> from hotcell.engines.arrow import map_arrays
"""
