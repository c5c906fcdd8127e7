"""A filter in Python, for the example beside it (distribution.toml)."""

from __future__ import annotations

import pandas as pd


def is_rrlyrae(kind: pd.Series, probability: pd.Series) -> pd.Series:
    """RR Lyrae stars that are probably real.

    Args:
        kind: SIMBAD's type of the object.
        probability: that the detection is real, from 0 to 1.

    Returns:
        Whether each alert passes.
    """
    return kind.isin(["RRLyr", "RRLyrae", "RRLyrae_Candidate"]) & (probability > 0.5)
