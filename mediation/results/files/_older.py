"""Tables that older versions saved, as the present version writes them."""

from __future__ import annotations

import pandas as pd


def upgraded(table: pd.DataFrame, version: int) -> pd.DataFrame:
    """Return a table of an older schema in the present one.

    Version 1 of the schema had one column ``unit`` for the head or the feature of a site.

    Examples
    --------
    >>> old = pd.DataFrame({"site": ["attention[1].head[2]", "neurons[1].units[7]"], "unit": [2, 7]})
    >>> upgraded(old, 1)
                       site  head  feature
    0  attention[1].head[2]     2     <NA>
    1   neurons[1].units[7]  <NA>        7
    """
    if version > 1 or "unit" not in table:
        return table
    of_head = table["site"].str.contains(".head[", regex=False)
    part = table["unit"].astype("Int64")
    where = list(table).index("unit")
    found = table.drop(columns="unit")
    found.insert(where, "feature", part.mask(of_head))
    found.insert(where, "head", part.where(of_head))
    return found
