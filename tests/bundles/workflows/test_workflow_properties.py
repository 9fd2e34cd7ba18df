"""What holds for any workflow: valid ones are taken and read back as they were, broken ones are told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles.workflows import WorkflowChange, differences, parsed_form
from tests.bundles.workflows.generated import BREAKAGES, Document, as_map, documents
from tests.bundles.workflows.written import accepted, codes, written

Writer = Callable[[Document], bytes]
writers: st.SearchStrategy[Writer] = st.sampled_from(
    [
        written,
        lambda document: written(as_map(document)),
        lambda document: b"\xef\xbb\xbf" + written(document),
        lambda document: json.dumps(document, ensure_ascii=False, indent=1).encode(),
    ]
)


@settings(max_examples=40, deadline=None)
@given(documents(), writers)
def test_a_valid_workflow_is_accepted_and_its_parsed_form_is_the_same_workflow(
    document: Document, write: Writer
) -> None:
    found = accepted(write(document))
    form = parsed_form(found)
    again = accepted(written(form))
    assert replace(again, sha256=found.sha256) == found
    assert json.dumps(parsed_form(again)) == json.dumps(form) == json.dumps(json.loads(json.dumps(form)))
    for change in differences([found], [again]).changed:
        assert change == WorkflowChange(found, again, (), (), (), ())


@settings(max_examples=15, deadline=None)
@given(documents())
def test_every_rule_that_is_broken_is_told(document: Document) -> None:
    for code, broken in BREAKAGES:
        assert code in codes(broken(document)), code
