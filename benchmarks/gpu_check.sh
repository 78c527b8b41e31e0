#!/usr/bin/env bash
# Everything that only a GPU can show, in one go: bash benchmarks/gpu_check.sh [folder for results]
# Each step has a limit of its own and leaves a log, whatever becomes of the others. PYTHON names the interpreter.
set -uo pipefail
cd "$(dirname "$0")/.."
results="${1:-gpu-results}"
python="${PYTHON:-python3}"
mkdir -p "$results"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 OMP_WAIT_POLICY=passive

step() { # name, limit in seconds, command
  echo "== $1"
  timeout "$2" "${@:3}" > "$results/$1.log" 2>&1
  local status=$?
  tail -n 25 "$results/$1.log"
  echo "== $1: exit $status" | tee -a "$results/summary.txt"
}

nvidia-smi > "$results/card.txt" 2>&1
"$python" -c 'import numba, numba_cuda, cuda.core, numpy; print(numba.__version__, numba_cuda.__version__, cuda.core.__version__, numpy.__version__)' \
  > "$results/versions.txt" 2>&1
cat "$results/versions.txt"
step small 90 "$python" -m benchmarks gpu --edge 8 --placements 32 --out "$results/small.json"
step tests 120 "$python" -m pytest -q -rs -m gpu -W default -p no:cacheprovider tests/fem/test_gpu.py
step default_head 150 "$python" -m benchmarks gpu --basis --out "$results/default_head.json"
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck; do
    step "sanitizer_$tool" 100 compute-sanitizer --tool "$tool" --error-exitcode 9 \
      "$python" -m pytest -q -m gpu -W default -p no:cacheprovider tests/fem/test_gpu.py
  done
fi
if "$python" -c 'import cunibs' 2> /dev/null; then
  step rival 90 "$python" -m benchmarks gpu_rival --out "$results/rival.json"
fi
cat "$results/summary.txt"
! grep -qv 'exit 0$' "$results/summary.txt"
