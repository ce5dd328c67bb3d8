"""What must hold for the repository as a whole."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("graphrouter", "fusion", "experiments")
TOP_LEVEL = {
    "graphrouter", "fusion", "experiments", "configs", "tests", "setup.py", "README.md",  # fixed by the user
    "pyproject.toml", "Makefile", "constraints.txt", ".ci", "LICENSE", "benchmarks", "docs", "CONTRIBUTING.md", ".gitignore", ".pre-commit-config.yaml",
}  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work|opt|mnt|tmp|private)/\w")
REGISTRY_HOST = re.compile(
    r"pypi\.(?:org|python)|python" + r"hosted|download\.py" + r"torch|--(?:extra-)?index-" + r"url", re.I
)
DISTRIBUTIONS = {
    "vl_convert": "vl-convert-python",
    "sklearn": "scikit-learn",
    "torch_geometric": "torch-geometric",
    "math_verify": "math-verify",
    "yaml": "pyyaml",
    "huggingface_hub": "huggingface-hub",
    "sentence_transformers": "sentence-transformers",
}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def lines(files: list[Path], pattern: re.Pattern[str]) -> list[str]:
    found = []
    for file in files:
        text = (ROOT / file).read_text(encoding="utf-8", errors="ignore")
        found += [
            f"{file}:{number}: {line}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)
        ]
    return found


def test_the_top_level_holds_only_what_the_design_allows(tracked):
    assert {file.parts[0] for file in tracked} <= TOP_LEVEL


def test_no_file_names_a_path_of_a_machine_or_a_registry_host(tracked):
    others = [file for file in tracked if file != Path("tests/test_layout.py")]
    assert lines(others, MACHINE_PATH) == []
    assert lines(tracked, REGISTRY_HOST) == []


def test_the_patterns_find_what_they_are_for():
    assert MACHINE_PATH.search("see /home/someone/log")
    assert not MACHINE_PATH.search("a relative ../shared/data and https://example.org/home/page")
    assert REGISTRY_HOST.search("https://py" + "pi.org/simple")


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Groups of modules that import each other, directly or by way of others."""
    modules = sorted(graph.modules)
    places = {module: place for place, module in enumerate(modules)}
    pairs = [(places[a], places[b]) for a in modules for b in graph.find_modules_directly_imported_by(a)]
    sources, targets = zip(*pairs, strict=True)
    matrix = coo_array(([1] * len(pairs), (sources, targets)), shape=(len(modules), len(modules)))
    _, labels = connected_components(matrix, connection="strong")
    groups = defaultdict(list)
    for module, label in zip(modules, labels, strict=True):
        groups[label].append(module)
    return [group for group in groups.values() if len(group) > 1]


def test_no_modules_import_each_other_not_even_inside_functions_or_for_types():
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    assert circles(graph) == []
    graph.add_import(importer="graphrouter.errors", imported="graphrouter.cli")
    assert any({"graphrouter.errors", "graphrouter.cli"} <= set(group) for group in circles(graph))


def test_a_class_name_occurs_once():
    places = defaultdict(list)
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def requirements(name: str) -> list[Requirement]:
    tree = ast.parse((ROOT / "setup.py").read_text())
    lists = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    lists |= {node.arg: node.value for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    return [Requirement(text) for text in ast.literal_eval(lists[name])]


def imported(package: str) -> set[str]:
    names = set()
    for file in (ROOT / package).rglob("*.py"):
        if "testing" in file.parts:  # for the authors of routers, who install the extra
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    return {DISTRIBUTIONS.get(name, name) for name in names - set(sys.stdlib_module_names) - {"graphrouter", "fusion"}}


def test_the_dependencies_are_what_is_imported():
    extras = {"faiss", "vllm", "yarl"}  # faiss and vllm are extras; yarl is aiohttp's type of an address
    assert imported("graphrouter") | imported("fusion") - extras == {
        requirement.name for requirement in requirements("install_requires")
    }


def test_every_dependency_has_a_tested_version_within_its_range():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for requirement in [
        *requirements("install_requires"),
        *requirements("TESTS"),
        *requirements("CHECKS"),
        *requirements("EXPERIMENTS"),
    ]:
        assert requirement.specifier.contains(pins[requirement.name]), requirement


def test_a_built_package_carries_the_configs_and_finds_its_prices(tmp_path):
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    shipped = {file.relative_to(ROOT) for file in (ROOT / "configs").rglob("*.yaml")}
    assert shipped == {
        file.relative_to(tmp_path / "graphrouter") for file in (tmp_path / "graphrouter/configs").rglob("*.yaml")
    }
    code = "import graphrouter.costs as c; print(c.__file__, c.load_prices().output_tokens)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(tmp_path / "graphrouter/costs.py"), "256.0"]
    code = "import graphrouter as gr; log = gr.load_log('micropool'); print(log.folder, log.records.height)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(tmp_path / "graphrouter/datasets/micropool"), "84000"]
