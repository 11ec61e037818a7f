"""The tree of errors: what the docstring draws is what there is."""

from __future__ import annotations

import re

import pytest

from pgvec_versions import errors
from pgvec_versions.errors import PgvecError, translated
from pgvec_versions.postgres.sqlfiles import sql_folder


def classes() -> dict[str, type[PgvecError]]:
    return {
        name: c
        for name, c in vars(errors).items()
        if isinstance(c, type) and issubclass(c, PgvecError)
    }


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn: dict[str, tuple[str | None, int | None, str | None]] = {"PgvecError": (None, None, None)}
    above = ["PgvecError"]
    line = re.compile(r"^ {4}([│ ├└─]*)[├└]── (\w+) +(\d+)(?: +(\w{5}))?$", re.MULTILINE)
    for lead, name, code, state in line.findall(errors.__doc__ or ""):
        depth = len(lead) // 4 + 1
        above[depth:] = [name]
        drawn[name] = (above[depth - 1], int(code), state or None)
    real = {
        name: (c.__base__.__name__, c.exit_code, c.code)  # type: ignore[union-attr]
        for name, c in classes().items()
        if c is not PgvecError
    }
    assert drawn == real | {"PgvecError": (None, None, None)}


def test_every_class_is_exported_and_says_what_it_means() -> None:
    assert {*classes(), "error_for", "translated"} == set(errors.__all__)
    assert all(c.__doc__ for c in classes().values())


def test_every_code_that_the_sql_raises_has_its_class() -> None:
    raised: set[str] = set()
    for path in sql_folder().rglob("*.sql"):
        code = re.sub(r"--.*", "", path.read_text("utf-8"))
        raised |= set(re.findall(r"'(PV\d{3})'", code))
    known = {c.code for c in classes().values()}
    assert raised
    assert raised <= known


def test_an_error_carries_its_data() -> None:
    error = errors.NotReady("not ready.", hint="Wait.", detail={"missing": 3})
    assert (error.message, error.hint, error.detail) == ("not ready.", "Wait.", {"missing": 3})
    assert (str(error), error.sqlstate, error.exit_code) == ("not ready. Wait.", "PV006", 3)
    assert str(errors.NotReady("not ready.")) == "not ready."


def test_foreign_errors_pass_through_unchanged() -> None:
    mine, foreign = errors.Busy("busy"), ValueError("x")
    for error in (mine, foreign):
        with pytest.raises(type(error)) as caught, translated():
            raise error
        assert caught.value is error
