"""A relocatable object and what its manifest says, to a component."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hotcell import _native


def component_of(object: bytes, records: Sequence[Mapping[str, Any]]) -> bytes:
    """Finish an object to a component, without a linker.

    Args:
        object: A relocatable wasm32 object that defines a function for each kernel.
        records: The manifest's records: the component's, then one for each kernel.

    Returns:
        The component's bytes.

    Raises:
        hotcell.InvalidComponent: The object or the manifest is not what it should be; the text names the symbol or the field.
    """
    return _native.component_of_object(object, json.dumps(list(records), ensure_ascii=False))
