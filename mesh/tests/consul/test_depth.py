"""JSON that is nested too deep is cut off there, and nowhere else."""

import json

from gossamer_mesh.consul import depth


def nested(levels):
    return "[" * levels + '"in"' + "]" * levels


def test_what_is_deep_enough_to_be_read_stays():
    text = f'{{"a": {nested(depth.DEEPEST - 1)}, "b": 1}}'
    assert depth.cut(text) == text


def test_what_is_deeper_is_null_and_what_follows_stays():
    text = f'{{"a": {nested(5000)}, "b": {{"c": 1}}}}'
    found = json.loads(depth.cut(text))
    assert found["b"] == {"c": 1}
    assert json.dumps(found["a"]) == "[" * (depth.DEEPEST - 1) + "null" + "]" * (depth.DEEPEST - 1)


def test_brackets_in_texts_are_no_nesting(monkeypatch):
    monkeypatch.setattr(depth, "DEEPEST", 1)
    assert depth.cut(r'{"[[": "\"[{", "x": {"y": 1}}') == r'{"[[": "\"[{", "x": null}'
