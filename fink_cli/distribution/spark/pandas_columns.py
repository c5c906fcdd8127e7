"""Columns of Arrow as PySpark's worker hands them to a pandas UDF, without a JVM."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.pandas.serializers import ArrowStreamPandasUDFSerializer

if TYPE_CHECKING:
    import pandas as pd


def pandas_column(values: pa.ChunkedArray) -> pd.Series | pd.DataFrame:
    """Return a column as a filter gets it: a DataFrame of a struct, else a Series.

    Args:
        values: of the types that Spark hands over; see
            :func:`fink_cli.distribution.columns.spark_arrays.spark_array`.
    """
    series: pd.Series | pd.DataFrame = _serializer().arrow_to_pandas(values)
    return series


@cache
def _serializer() -> Any:
    # As pyspark.worker makes it for a pandas UDF of Series.
    serializer: Any = ArrowStreamPandasUDFSerializer
    return serializer(timezone="UTC", safecheck=False, assign_cols_by_name=True, df_for_struct=True)
