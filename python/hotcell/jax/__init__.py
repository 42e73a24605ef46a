"""JAX functions as kernels: traced by JAX, compiled to WebAssembly here, and compared with JAX's own results.

    >>> import hotcell.jax
    >>> saxpy = hotcell.jax.kernel(lambda a, x, y: a * x + y, np.float32(2), x, y)
    >>> saxpy(2.0, x, y)

:func:`kernel` imports a function, :func:`import_mlir` a StableHLO module, and :func:`jit` stands in for ``jax.jit``.
"""

from hotcell.errors import ImportRefused

from .api import Imported, import_mlir, kernel
from .command import main
from .drop_in import jit

__all__ = ["ImportRefused", "Imported", "import_mlir", "jit", "kernel", "main"]
