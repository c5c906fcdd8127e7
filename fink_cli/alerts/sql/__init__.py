"""Expressions in SQL, as Spark reads them: parsed, checked against columns, evaluated.

Import it where an expression is used: sqlglot takes a third of a second to load.
"""
