"""Filters written in Python: imported by their path, and called with columns.

A filter is a function of columns that says for each alert whether it passes: a pandas UDF of Spark,
as the ZTF filters of fink-filters are, or a plain function, as its Rubin filters are. The names of
its arguments name the columns. It is called on a batch of alerts, and gets what a pandas UDF of
Spark 4.0 gets (tried with 4.0.5; type hints don't matter, and may be missing):

========================  =======================================================================
column                    what the function gets
========================  =======================================================================
a struct                  a DataFrame, a column a field; where the struct is null, all are null
a struct within a struct  a column of that DataFrame, of dicts; None where null (an integer in it is
                          a float when one of the batch is null)
an array                  a Series of numpy arrays (of structs: of arrays of dicts); None where null
a map                     a Series of dicts; None where null
an integer                a Series of its own type; float64 when one of the batch is null, which is
                          NaN then, and numbers beyond 2**53 are rounded
float, double             a Series of float32 or float64; NaN where null
boolean                   a Series of bool; when one of the batch is null, of True, False and None
timestamp                 a Series of datetime64[ns], UTC without a zone; NaT where null, or
                          outside the years 1678 to 2261
string, bytes, date,      a Series of Python's objects; None where null
decimal
========================  =======================================================================

The rows are numbered from 0. The function gets a copy, which it may change, so that one filter
changes nothing for the next; only the arrays and dicts within a column are not copied.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import pkgutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from fink_cli.distribution.python_filters.arguments import Filter, listed
from fink_cli.distribution.python_filters.decide import describe_error
from fink_cli.errors import UsageError
from fink_cli.text import printable
from fink_cli.trusted import refuse_if_changeable

# pyspark.util.PythonEvalType.SQL_SCALAR_PANDAS_UDF: Series in, Series out.
_SCALAR_PANDAS_UDF = 200
# The names of the modules that were loaded from beside a distribution file.
_modules_beside: set[str] = set()
_TYPE_AS_TEXT = (
    "Spark's workers can't import a UDF whose type is a text: write @pandas_udf(BooleanType()), "
    "or leave the decorator away."
)


def load_filter(path: str, folder: Path | None = None) -> Filter:
    """Return the function that a dotted path names; of a pandas UDF, the function within.

    Args:
        path: ``package.module.function``.
        folder: a folder whose modules may be named too, that of the distribution file. What is
            installed goes before them.

    Raises:
        UsageError: there is no such module or function, the module can't be imported, others can
            change it, or what the path names is not a function of columns that gives true or false.
    """
    module_name, _, name = path.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in path.split(".")):
        raise UsageError(
            f"'{printable(path)}' is not the path of a Python function.",
            'Write filter = "package.module.function", or an expression of Spark SQL.',
        )
    if folder is not None:
        _refuse_if_changeable(module_name, folder)
    if folder is not None and str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        module = _imported(module_name)
    finally:
        new = [(name, sys.modules[name]) for name in set(sys.modules) - before]
        _modules_beside.update(name for name, each in new if _is_beside(each, folder))
    function = getattr(module, name, None)
    if function is None:
        raise UsageError(
            f"The module '{module_name}'{_file(module)} has no function '{name}'.",
            listed("Its functions", _alike(name, _functions(module)) or _functions(module)),
        )
    if not callable(function):
        raise UsageError(
            f"'{path}' is not a function: it is of type {type(function).__name__}.",
            listed("The functions there", _functions(module)),
        )
    return _plain(function, path)


def forget_modules() -> None:
    """Forget the modules beside distribution files: filters in them are read anew when loaded."""
    for name in _modules_beside:
        sys.modules.pop(name, None)
    _modules_beside.clear()
    importlib.invalidate_caches()


def modules_beside(folder: Path | None) -> list[ModuleType]:
    """Return the modules of a folder that filters were loaded from, without what is installed."""
    modules = (sys.modules.get(name) for name in _modules_beside)
    return [module for module in modules if module and _is_beside(module, folder)]


def _is_beside(module: ModuleType, folder: Path | None) -> bool:
    file = getattr(module, "__file__", None)
    beside = folder is not None and file is not None and folder in Path(file).parents
    return beside and "site-packages" not in str(file)


def _refuse_if_changeable(module: str, folder: Path) -> None:
    """Refuse to execute a module beside the distribution file when others can change it.

    A module that is not there is one that is installed; but whoever can add files to the folder can
    put there what an installed one tries to import, as a part that need not be installed.

    Raises:
        UsageError: others can change the module, or add files to its folder.
    """
    refuse_if_changeable(folder, additions=True)
    part = folder
    for name in module.split("."):
        part /= name
        for file in (part / "__init__.py", part.with_name(f"{name}.py")):
            if file.exists():
                refuse_if_changeable(file)


def _imported(name: str) -> ModuleType:
    """Import a module from the outermost package inwards, so that the part at fault is named.

    Raises:
        UsageError: one of them can't be imported.
    """
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        part = ".".join(parts[:count])
        try:
            # A module may print; what fink prints to stdout is data.
            with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
                # fink-filters gives pandas UDFs their type in the way of Spark 2.
                warnings.filterwarnings("ignore", message="In Python 3.6")
                importlib.import_module(part)
        except Exception as error:
            # A module runs when it is imported, and it is not ours: it may raise anything.
            raise _not_imported(part, error) from error
    return sys.modules[name]


def _not_imported(name: str, error: Exception) -> UsageError:
    if isinstance(error, ModuleNotFoundError) and error.name == name:
        parent, _, last = name.rpartition(".")
        where = getattr(sys.modules.get(parent), "__path__", None) if parent else sys.path
        names = [each.name for each in pkgutil.iter_modules(where)] if where else []
        return UsageError(
            f"There is no module '{name}'.",
            listed("Close names", _alike(last, names))
            or "Install it into the Python that fink runs in "
            f"({sys.executable}), or put it beside the distribution file.",
        )
    message = f"The module '{name}' can't be imported: {describe_error(error)}."
    if isinstance(error, ModuleNotFoundError):
        return UsageError(
            message,
            f"Install what it needs into the Python that fink runs in ({sys.executable}).",
        )
    if "SESSION_OR_CONTEXT_NOT_EXISTS" in str(error):
        return UsageError(message, _TYPE_AS_TEXT)
    return UsageError(message, f"See where it fails: {sys.executable} -c 'import {name}'")


def _plain(udf: Filter, path: str) -> Filter:
    """Return the function within a pandas UDF, or the function itself.

    Raises:
        UsageError: it is a UDF of another kind.
    """
    kind = getattr(udf, "evalType", None)
    if kind is None:
        return udf
    if kind != _SCALAR_PANDAS_UDF:
        raise UsageError(
            f"'{path}' is a UDF of Spark, but not one of pandas Series.",
            "Write it as a function of pandas Series, with @pandas_udf(BooleanType()) or without.",
        )
    # A type given as a text has been read here only because the driver has a session.
    if isinstance(getattr(getattr(udf, "_unwrapped", None), "_returnType", None), str):
        raise UsageError(f"The type of '{path}' is given as a text.", _TYPE_AS_TEXT)
    gives = udf.returnType.typeName()  # type: ignore[attr-defined]
    if gives != "boolean":
        raise UsageError(
            f"'{path}' gives values of type {gives}, not true or false.",
            "Name a function that gives booleans, or write one that calls it and compares.",
        )
    function: Filter = udf.func  # type: ignore[attr-defined]
    return function


def _alike(name: str, names: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(name, names, n=4)


def _file(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f" ({file})" if file else ""


def _functions(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
