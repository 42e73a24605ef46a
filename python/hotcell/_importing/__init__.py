"""What the importers share: LLVM IR to an object, an object to a component, a math library in IR, comparisons and refusals.

This is the author's side: nothing that launches kernels imports it, and llvmlite is needed here alone.
"""
