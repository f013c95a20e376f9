"""A configuration file is somebody's text: whatever it holds, one sentence answers it."""

import pytest

from dlcli import config
from dlcli.errors import DlcliError

REFUSED = {
    "bytes.toml": (b"\xff\xfe\x00", "could not be read"),
    "open.toml": (b"arch = [", "could not be read"),
    "deep.toml": (b"a = " + b"[" * 5000 + b"]" * 5000, "could not be read"),
    "deep.yaml": (b"[" * 5000 + b"]" * 5000, "could not be read"),
    "deep.json": (b'{"set": ' + b"[" * 5000 + b"]" * 5000 + b"}", "could not be read"),
    "date.yaml": (b"seed: 2001-99-99", "could not be read"),
    "number.yaml": (b"seed: 0b", "seed = '0b'"),
    "object.yaml": (b"seed: !!python/object/apply:os.system [id]", "could not be read"),
    "laughs.yaml": (
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c]\n" % (c, c, *[c - 1] * 4) for c in range(98, 122)),
        "it has an alias, *a",
    ),
    "list.json": (b"[1, 2]", "holds list"),
    "part.toml": (b"[set]\narhc = {depth = 2}", "arhc"),
    "flat.toml": (b'set = "all"', "set"),
    "keys.yaml": (b"1: 2", "1"),
    "nested.yaml": (b"set: {arch: {depth: [1, {2: 3}]}}\nseed: {}", "seed"),
    "large.toml": (b"#" * 1_000_001, "1,000,001 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_configuration_that_cannot_be_used_is_one_sentence(tmp_path, name):
    content, said = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DlcliError) as caught:
        config.merge(file=tmp_path / name, assignments=[], flags={"data": "digits"})
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert len(caught.value.message) < 2000


def test_the_backend_of_the_environment_is_that_of_a_run_that_names_none(tmp_path, monkeypatch):
    """What is asked for comes first, then the file's; of a command without a backend nothing is asked."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    (tmp_path / "a.toml").write_text('backend = "tensorflow"')

    def backend(file=None, **flags):
        return config.merge(file=file, assignments=[], flags={"data": "digits", **flags}).backend

    assert backend(backend=None) == "jax"
    assert backend(backend="tensorflow") == "tensorflow"
    assert backend(tmp_path / "a.toml", backend=None) == "tensorflow"
    assert backend() == "tensorflow"


def test_a_mark_of_utf_8_is_no_mistake(tmp_path):
    (tmp_path / "a.toml").write_bytes(b'\xef\xbb\xbfarch = "lenet"')
    assert config.merge(file=tmp_path / "a.toml", assignments=[], flags={"data": "digits"}).arch == "lenet"
