import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zslearn.errors import ConfigError, UnknownNameError
from zslearn.experiments.documents import read_document

names = st.text("abcdefgh", min_size=1, max_size=6).filter(lambda name: isinstance(yaml.safe_load(name), str))
scalars = st.booleans() | st.integers(-1000, 1000) | st.none() | names
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, min_size=1, max_size=4))
def test_what_is_read_is_what_yaml_reads(document):
    assert read_document(yaml.safe_dump(document), "x").plain == document


def test_every_value_knows_its_line():
    document = read_document("a: 1\nb:\n  - x\n  - c: 2.5\n    d: [3,\n        4]\n", "f.yaml")
    a, b = document.value["a"], document.value["b"]
    assert (a.line, b.line) == (1, 2)
    assert [entry.line for entry in b.value] == [3, 4]
    assert [entry.line for entry in b.value[1].value["d"].value] == [5, 6]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "f.yaml, line 1: this is not YAML"),
        ("a: 1\na: 2", "f.yaml, line 2: 'a' is given twice"),
        ("a: &x [1]\nb: *x", "an alias stands for another place"),
        ("", "f.yaml is empty"),
        ("a: 2020-01-01", "f.yaml, line 1: this is not a plain value"),
        ("a: !!python/object:os.system x", "this value is not readable"),
        ("? [1]\n: 2", "a key is not a text"),
        ("1: 2", "a key is not a text"),
        ("b: 1\na:\n\tb", "f.yaml, line 3: this is not YAML"),
        ("[" * 3000, "cannot be read as YAML"),
        ("[" * 30 + "]" * 30, "nested too deeply"),
        ("\x00", "cannot be read as YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(text, complaint):
    with pytest.raises(ConfigError) as caught:
        read_document(text, "f.yaml")
    assert complaint in str(caught.value)


def test_wrong_types_name_the_line_and_what_came():
    document = read_document("a: 1\nb: x\nc: [1]\nd: {}", "f.yaml").mapping("it")
    with pytest.raises(ConfigError, match="f.yaml, line 1: it is not a text \\(expected a text; received 1\\)"):
        document["a"].text("it")
    with pytest.raises(ConfigError, match="line 2: it is neither true nor false .*received 'x'"):
        document["b"].flag("it")
    with pytest.raises(ConfigError, match="line 3: it is wrong .*from 0; received a list"):
        document["c"].whole("it")
    with pytest.raises(ConfigError, match="line 4: it is not a list .*received a mapping"):
        document["d"].items("it")
    with pytest.raises(ConfigError, match="line 2: it is not a mapping"):
        document["b"].mapping("it")
    with pytest.raises(UnknownNameError, match="line 2: there is no field of it called 'b'. Did you mean bb?"):
        read_document("a: 1\nb: x", "f.yaml").mapping("it", ("a", "bb"))
