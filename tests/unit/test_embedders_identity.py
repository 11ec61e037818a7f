"""What an embedder identity promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgvec_versions.embedders.identity import EmbedderIdentity, differences, require_same
from pgvec_versions.errors import ConfigError, EmbedderMismatch

MINE = EmbedderIdentity(
    provider="sentence-transformers",
    model="org/model",
    revision="a" * 40,
    options={"normalize": True, "query_prefix": "query: ", "truncate_dim": None},
)

_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8
)
_scalar = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | _text
_identities = st.builds(
    EmbedderIdentity,
    provider=_text,
    model=st.sampled_from(["org/model", "text-embedding-3-small", "package:x/model"]),
    revision=_text,
    options=st.dictionaries(st.sampled_from(["a", "b", "c"]), _scalar),
)


def changed(**change: Any) -> dict[str, Any]:
    """What is stored for MINE, with some fields changed."""
    stored = MINE.to_json()
    options = {**stored["options"], **change.pop("options", {})}
    return {**stored, "options": options, **change}


def test_what_is_stored_has_exactly_four_fields() -> None:
    assert MINE.to_json() == {
        "provider": "sentence-transformers",
        "model": "org/model",
        "revision": "a" * 40,
        "options": {"normalize": True, "query_prefix": "query: ", "truncate_dim": None},
    }


@given(_identities)
def test_an_identity_survives_being_stored(identity: EmbedderIdentity) -> None:
    stored = json.loads(json.dumps(identity.to_json()))
    again = EmbedderIdentity.from_json(stored)
    assert again == identity
    assert hash(again) == hash(identity)
    require_same(stored, identity, collection="docs", model_version="v1")


@given(_identities, _identities)
def test_fingerprints_are_equal_exactly_when_nothing_differs(
    one: EmbedderIdentity, other: EmbedderIdentity
) -> None:
    same = not differences(one.to_json(), other)
    assert same == (one.fingerprint == other.fingerprint) == (one == other)


def test_a_fingerprint_is_the_same_in_another_process_and_order() -> None:
    code = (
        "from pgvec_versions.embedders.identity import EmbedderIdentity as E;"
        "print(E('sentence-transformers','org/model','a'*40,"
        "{'truncate_dim':None,'query_prefix':'query: ','normalize':True}).fingerprint)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert out.stdout.strip() == MINE.fingerprint
    assert len(MINE.fingerprint) == 64


def test_the_fingerprint_never_moves_between_releases() -> None:
    # Written down once: an identity of a release must be recognised by the next.
    assert MINE.fingerprint == "649cc394d0557c2e4d45ed280560b205cc04f53fb565f685272a56bfa86af844"


def test_whole_floats_and_ints_are_one_number_but_true_is_not_one() -> None:
    def with_option(value: Any) -> EmbedderIdentity:
        return EmbedderIdentity("p", "m", "r", {"x": value})

    assert with_option(1.0) == with_option(1)
    assert with_option(True) != with_option(1)
    assert differences(with_option(1).to_json(), with_option(True)) == {"options.x": (1, True)}


def test_an_option_left_to_the_model_is_the_same_as_one_not_stated() -> None:
    stored = MINE.to_json()
    del stored["options"]["truncate_dim"]
    assert differences(stored, MINE) == {}


def test_nobody_changes_an_identity_through_its_options() -> None:
    options = {"normalize": True}
    identity = EmbedderIdentity("p", "m", "r", options)
    options["normalize"] = False
    assert identity.options["normalize"] is True


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (changed(provider="x"), {"provider": ("x", "sentence-transformers")}),
        (changed(model="org/other"), {"model": ("org/other", "org/model")}),
        (changed(revision="b" * 40), {"revision": ("b" * 40, "a" * 40)}),
        (changed(options={"normalize": False}), {"options.normalize": (False, True)}),
        (changed(options={"query_prefix": ""}), {"options.query_prefix": ("", "query: ")}),
        (changed(options={"truncate_dim": 128}), {"options.truncate_dim": (128, None)}),
        (changed(options={"added": 1}), {"options.added": (1, None)}),
        (changed(note="x"), {"note": ("x", None)}),
    ],
)
def test_every_field_that_differs_is_refused_by_name(
    stored: dict[str, Any], expected: dict[str, Any]
) -> None:
    with pytest.raises(EmbedderMismatch) as caught:
        require_same(stored, MINE, collection="docs", model_version="v1")
    assert caught.value.differences == expected
    (name,) = expected
    assert f"{name}: stored " in str(caught.value)


def test_a_mismatch_shows_both_values_of_all_fields_in_one_line() -> None:
    stored = changed(revision="b" * 40, options={"query_prefix": "line\nbreak", "normalize": False})
    with pytest.raises(EmbedderMismatch) as caught:
        require_same(stored, MINE, collection="docs", model_version="minilm-1")
    message = str(caught.value)
    assert "\n" not in message
    assert "version minilm-1 of collection docs" in message
    for part in (
        f'revision: stored "{"b" * 40}", given "{"a" * 40}"',
        'options.query_prefix: stored "line\\nbreak", given "query: "',
        "options.normalize: stored false, given true",
    ):
        assert part in message
    assert set(caught.value.differences) == {
        "revision",
        "options.query_prefix",
        "options.normalize",
    }
    assert caught.value.detail["collection"] == "docs"
    assert caught.value.detail["differences"]["revision"] == ["b" * 40, "a" * 40]
    assert caught.value.sqlstate == "PV014"
    json.dumps(caught.value.detail)


def test_a_version_registered_without_an_embedder_is_refused_with_the_way_out() -> None:
    with pytest.raises(EmbedderMismatch) as caught:
        require_same({}, MINE, collection="docs", model_version="v1")
    assert "registered without an embedder" in str(caught.value)
    assert "ready-made vectors" in str(caught.value)
    assert caught.value.differences["provider"] == (None, "sentence-transformers")


def test_stored_options_that_are_no_table_are_a_difference_not_a_crash() -> None:
    found = differences({**MINE.to_json(), "options": [1]}, MINE)
    assert found["options"] == ([1], None)
    assert found["options.normalize"] == (None, True)


@pytest.mark.parametrize(
    "model", ["/srv/models/x", "~/models/x", "C:\\models\\x", "c:/models/x", "\\\\host\\x"]
)
def test_a_path_of_one_machine_never_enters_an_identity(model: str) -> None:
    with pytest.raises(ConfigError, match="path of one machine"):
        EmbedderIdentity("p", model, "r")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"provider": ""}, "needs a provider"),
        ({"revision": ""}, "needs a revision"),
        ({"revision": 3}, "revision of .* must be text, not int"),
        ({"model": "a\x00b"}, "cannot be stored"),
        ({"options": {"p": "\ud800"}}, "options.p .* cannot be stored"),
        ({"options": {"p": float("nan")}}, "options.p .* not finite"),
        ({"options": {"p": [1]}}, "options.p .* not list"),
    ],
)
def test_what_the_database_could_not_keep_is_refused_at_once(
    fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        EmbedderIdentity(**{"provider": "p", "model": "m", "revision": "r", **fields})


@pytest.mark.parametrize(
    ("stored", "complaint"),
    [
        ({}, "missing provider, model, revision"),
        ({"provider": "p", "model": "m"}, "missing revision"),
        ({"provider": "p", "model": "m", "revision": "r", "extra": 1}, "unknown extra"),
        ({"provider": "p", "model": "m", "revision": "r", "options": 1}, "must be a table"),
        ({"provider": "p", "model": 1, "revision": "r"}, "model of .* must be text"),
    ],
)
def test_a_stored_record_that_is_no_identity_is_named_as_such(
    stored: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        EmbedderIdentity.from_json(stored)
