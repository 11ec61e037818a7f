"""Two kinds of lengths are found; lengths that vary freely are one kind."""

from __future__ import annotations

import numpy as np
import pytest

from pgvec_versions.doctor.samples import check_lengths


@pytest.mark.parametrize("of_length_one", [1, 20, 999])
def test_vectors_of_length_one_among_others_are_found_however_few(of_length_one: int) -> None:
    lengths = np.full(1000, 3.0)
    lengths[:of_length_one] = 1.0
    (found,) = check_lengths("docs/v1", lengths)
    assert found.level == "problem"


def test_among_lengths_that_vary_a_second_kind_is_found_too() -> None:
    lengths = np.random.default_rng(1).uniform(0.5, 1.5, 1000)
    lengths[:100] = 1.0
    (found,) = check_lengths("docs/v1", lengths)
    assert found.level == "problem"


@pytest.mark.parametrize("seed", range(5))
def test_lengths_that_are_one_by_chance_are_no_second_kind(seed: int) -> None:
    lengths = np.random.default_rng(seed).uniform(0.5, 1.5, 1000)
    assert (np.abs(lengths - 1) < 0.01).any()
    assert check_lengths("docs/v1", lengths) == []
