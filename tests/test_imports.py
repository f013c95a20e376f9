"""Who may import whom: one direction, and nothing heavy in the light half."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dlcli"
LIGHT = {
    "__init__", "__main__", "cli", "config", "console", "durable", "errors", "locating", "locking", "plan", "registry", "rundir",
    "signals",
}  # fmt: skip
HEAVY = {"keras", "numpy", "tensorflow", "jax", "sklearn", "polars", "PIL", "scipy"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path, *, top: bool) -> set[str]:
    """Modules that a file imports; only at module level when `top`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_in_one_direction(path):
    """Entries know the mechanism; the mechanism knows no entry; nobody knows the commands."""
    part = path.relative_to(PACKAGE).parts
    everything = imports(path, top=False)
    inner = {module for module in everything if module.startswith("dlcli.")}
    if part[0] != "commands":
        assert not {m for m in inner if m.startswith("dlcli.commands")}
    if part[0] == "architectures":
        family = f"dlcli.architectures.{part[1]}"
        allowed = ("dlcli.layers", "dlcli.members", "dlcli.errors", family)
        assert all(m.startswith(allowed) for m in inner), inner
    if part[0] == "tasks":
        assert not {m for m in inner if m.startswith(("dlcli.architectures", "dlcli.formats", "dlcli.baselines"))}
    if part[0] == "formats":
        assert "keras" not in roots(everything)
        assert not {m for m in inner if m.startswith(("dlcli.task", "dlcli.architectures", "dlcli.fit"))}
    if part[0] == "metrics":
        assert "keras" not in roots(everything)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_backend_is_named_outside_the_module_that_starts_it(path):
    """keras and keras.ops only: the same code runs on TensorFlow and JAX. The one kernel that is taken from
    TensorFlow stands in a file of its own."""
    if path.name not in ("backend.py", "fused.py"):
        assert not roots(imports(path, top=False)) & {"tensorflow", "jax", "torch"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_light_half_imports_nothing_heavy(path):
    """`--help` and every mistake in names are answered without NumPy."""
    part = path.relative_to(PACKAGE).parts
    if part[0] == "commands" or (len(part) == 1 and path.stem in LIGHT):
        assert not roots(imports(path, top=True)) & HEAVY


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_fit_compiles_and_fits(path):
    """A second training loop would be a second place for every mistake."""
    if path.name == "fit.py":
        return
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & {"compile", "train_on_batch"} or "re" in roots(imports(path, top=True))
    assert "train_step" not in calls


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small(path):
    """One idea per file."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_keras_starts_without_what_it_only_wraps(backend):
    """More than a quarter of the start; and who wants them afterwards has them."""
    pytest.importorskip(backend)
    program = (
        "import sys\nfrom dlcli import backend\n"
        f"backend.load({backend!r})\n"
        "print(*sorted({'sklearn', 'jax', 'keras', 'tensorflow'} & set(sys.modules)))\n"
        "import sklearn, keras\n"
        "print(keras.backend.backend(), keras.ops.convert_to_numpy(keras.ops.ones(1) + 1)[0])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    started = {"tensorflow": "keras tensorflow", "jax": "jax keras"}[backend]
    assert said.stdout.splitlines() == [started, f"{backend} 2.0"], said.stderr
