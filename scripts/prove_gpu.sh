#!/usr/bin/env bash
# Prove on a CUDA machine what cannot be proved without one: counts of CUDA inputs, latency, memory and
# energy of the zoo and of ResNet-50, the doctor, and the tests that need a GPU. Writes one JSON file.
#
#   scripts/prove_gpu.sh [--device cuda|cpu] [--quick] [--python PYTHON] [OUTPUT_FOLDER]
#
# It needs this checkout, Python 3.11 or later with venv, and pip; it ends within eight minutes, of which
# the installation has at most four. Torch that is installed already is used. Each part has a time limit; one that fails or is
# cut off keeps what it has written, and the others go on. Exits with 1 if any part did not succeed.
set -euo pipefail

cd "$(dirname "$0")/.."
DEVICE=cuda QUICK="" PYTHON="" OUT=""
while [ $# -gt 0 ]; do
    case "$1" in
        --device) DEVICE=${2:?"--device needs cuda or cpu"}; shift 2 ;;
        --python) PYTHON=${2:?"--python needs a path"}; shift 2 ;;
        --quick) QUICK=--quick; shift ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        -*) echo "prove_gpu: unknown option $1; see --help" >&2; exit 2 ;;
        *) OUT=$1; shift ;;
    esac
done
OUT=$(mkdir -p "${OUT:-gpu-proof}" && cd "${OUT:-gpu-proof}" && pwd)
TOTAL=${PROVE_GPU_TOTAL_S:-470} # seconds, all parts together
SECONDS=0
BASE_PYTHON=${PYTHON:-python3}
rm -f "$OUT"/*.json "$OUT"/*.log "$OUT"/*.status

# The summary is written whatever happens, from what there is; it needs no package.
combine() {
    "$BASE_PYTHON" scripts/prove_gpu.py "$OUT" --device "$DEVICE" $QUICK --took "$SECONDS"
}
trap combine EXIT

# run_part NAME LIMIT COMMAND...: with a time limit, a log and a status; failures do not end the script.
run_part() {
    local name=$1 limit=$2 began=$SECONDS code=0
    shift 2
    local left=$((TOTAL - SECONDS))
    [ "$limit" -le "$left" ] || limit=$left
    if [ "$limit" -lt 5 ]; then
        echo "[$SECONDS s] $name: no time left" >&2
        echo "skipped 0" > "$OUT/$name.status"
        return 0
    fi
    echo "[$SECONDS s] $name (at most $limit s)" >&2
    timeout --kill-after=5 "$limit" "$@" > "$OUT/$name.log" 2>&1 || code=$?
    case $code in
        0) echo "done $((SECONDS - began))" ;;
        124 | 137) echo "cut-off $((SECONDS - began))" ;;
        *) echo "failed $((SECONDS - began))" ;;
    esac > "$OUT/$name.status"
    echo "[$SECONDS s] $name: $(cut -d' ' -f1 "$OUT/$name.status")" >&2
}

# What --python names is used as it is; otherwise an environment is made that sees what is installed.
if [ -z "$PYTHON" ]; then
    install() {
        "$BASE_PYTHON" -m venv --system-site-packages "$OUT/venv" &&
            "$OUT/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
                --editable . "pytest>=8.4" "pytest-xdist>=3.6" "hypothesis>=6.130"
    }
    export -f install
    export BASE_PYTHON OUT
    run_part install 240 bash -c install
    PYTHON=$OUT/venv/bin/python
    if [ "$(cut -d' ' -f1 "$OUT/install.status")" != "done" ]; then
        echo "prove_gpu: the installation did not succeed; see $OUT/install.log" >&2
        exit 1
    fi
fi

prove() { # prove PART LIMIT
    run_part "$1" "$2" "$PYTHON" -m scripts.gpu_parts "$1" "$OUT" --device "$DEVICE" $QUICK \
        --seconds "$2"
}
if [ -n "$QUICK" ]; then
    DOCTOR_S=2 COUNTS_S=300 MEASURING_S=300 TESTS_S=300
else
    # What the installation has left goes to the measurements.
    DOCTOR_S=15 COUNTS_S=60 TESTS_S=75
    MEASURING_S=$((TOTAL - SECONDS - 3 * DOCTOR_S - COUNTS_S - TESTS_S))
fi

prove machine 60
if [ "$(cut -d' ' -f1 "$OUT/machine.status")" != "done" ]; then
    echo "prove_gpu: nothing can be proved here; see $OUT/machine.log" >&2
    exit 1
fi
prove counts "$COUNTS_S"
run_part doctor $((3 * DOCTOR_S + 30)) "$PYTHON" -m inspect_cost doctor --time "$DOCTOR_S" \
    --format json --output "$OUT/doctor.json"
prove measurements "$MEASURING_S"
run_part tests "$TESTS_S" "$PYTHON" -m pytest -q -p no:cacheprovider -m gpu \
    tests/measuring/test_measure.py tests/measuring/sensors/test_nvml.py

trap - EXIT
combine
