#!/bin/sh
# compare.sh [WORKLOAD]...: compares the workloads of build/bench (all of them without WORKLOAD)
# with PyTorch, and matrix products with OpenBLAS. Both sides take turns on the same number of
# threads; each figure is the median of the medians of all rounds. It installs missing packages,
# builds, and prints a table. Environment variables, with their defaults:
#
#     PYTHON     a Python with PyTorch (python3; without PyTorch, pip installs it in a temporary
# venv)     ROUNDS     the number of rounds (3)     EACH       seconds of one measurement (1)
# THREADS    the numbers of threads ("1 2")     LONGEST    the longest sequence of `attention`
# (4096; PyTorch takes minutes up to 16384)     STEPS      steps of `adam` (1000)
#
# OMP_WAIT_POLICY is active for both sides unless it is set. Set it to passive on a busy machine.
set -eu
cd "$(dirname "$0")/../.."
. tests/setup.sh

TORCH=2.13.0
ROUNDS=${ROUNDS:-3}
EACH=${EACH:-1}
THREADS=${THREADS:-1 2}
LONGEST=${LONGEST:-4096}
STEPS=${STEPS:-1000}
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-active}
LC_ALL=C
export OMP_WAIT_POLICY LC_ALL
bench=tests/bench
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
: >"$work/rows"
: >"$work/missing"

# missing WORD...: prints what is not compared, now and below the table
missing() {
    echo "$*" | tee -a "$work/missing" >&2
}

has_torch() {
    "$1" -c 'import torch' >/dev/null 2>&1
}

# find_python: sets `python` to a Python with PyTorch, or to nothing
find_python() {
    python=${PYTHON:-python3}
    has_torch "$python" && return
    if [ -n "${PYTHON:-}" ]; then
        missing "PyTorch: PYTHON=$PYTHON cannot import torch"
        python=
        return
    fi
    echo "Installing PyTorch $TORCH in a temporary folder" >&2
    python=$work/venv/bin/python
    { python3 -m venv "$work/venv" && "$python" -m pip install --quiet "torch==$TORCH" numpy; } \
        >"$work/pip.log" 2>&1 || true
    if ! has_torch "$python"; then
        tail -n 3 "$work/pip.log" >&2
        missing "PyTorch: pip cannot install it; set PYTHON to a Python that has it"
        python=
    fi
}

# openblas_core: the processor whose kernels OpenBLAS uses
openblas_core() {
    OPENBLAS_VERBOSE=2 "$openblas" 2>&1 | sed -n 's/^Core: //p'
}

# choose_kernels: OpenBLAS uses its slowest kernels on a processor that it does not know; this
# chooses the best ones that the processor can run
choose_kernels() {
    core=$(openblas_core)
    case $core in Prescott | Core2 | Penryn | Dunnington | Nehalem) ;; *) return ;; esac
    if grep -q avx512dq /proc/cpuinfo; then OPENBLAS_CORETYPE=SkylakeX
    elif grep -q avx2 /proc/cpuinfo; then OPENBLAS_CORETYPE=Haswell
    fi
    export OPENBLAS_CORETYPE
}

# find_openblas: builds the products of OpenBLAS; sets `openblas` to the program, or to nothing
find_openblas() {
    openblas=$work/openblas_gemm
    (install module openblas libopenblas-dev) >&2 || true
    # shellcheck disable=SC2046 -- a list of options
    if ! have module openblas; then
        missing "gemm: OpenBLAS is not installed (pkg-config openblas)"
        openblas=
    elif ! cc -O2 -std=c11 -D_POSIX_C_SOURCE=200809L $bench/openblas_gemm.c $bench/timing.c \
        $(pkg-config --cflags --libs openblas) -o "$openblas"; then
        missing "gemm: openblas_gemm.c does not build"
        openblas=
    elif [ -z "${OPENBLAS_CORETYPE:-}" ]; then
        choose_kernels
    fi
}

ours() {
    build/bench -m -s "$EACH" -t "$2" -l "$LONGEST" -n "$STEPS" "$1"
}

theirs() {
    if [ "$1" = gemm ]; then
        [ -z "$openblas" ] || "$openblas" "$EACH" "$2"
    elif [ -n "$python" ]; then
        "$python" $bench/pytorch_peer.py -s "$EACH" -t "$2" -l "$LONGEST" -n "$STEPS" "$1"
    fi
}

# turn SIDE WORKLOAD THREADS: measures one side; adds its rows, with the side in front, to all rows
turn() {
    printf '%s ' "$1" >&2
    "$1" "$2" "$3" >"$work/turn" || missing "$1: $2 on $3 thread(s) failed"
    awk -v side="$1" '{ print side "\t" $0 }' "$work/turn" >>"$work/rows"
}

# take_turns WORKLOAD THREADS: measures all rounds; the other side begins every second round
take_turns() {
    OMP_NUM_THREADS=$2
    OPENBLAS_NUM_THREADS=$2
    export OMP_NUM_THREADS OPENBLAS_NUM_THREADS
    round=1
    printf '%s, %s thread(s): ' "$1" "$2" >&2
    while [ "$round" -le "$ROUNDS" ]; do
        if [ $((round % 2)) = 1 ]; then
            turn ours "$1" "$2"
            turn theirs "$1" "$2"
        else
            turn theirs "$1" "$2"
            turn ours "$1" "$2"
        fi
        round=$((round + 1))
    done
    echo >&2
}

[ $# -gt 0 ] || set -- documents sst2 large encoder infer gemm attention adam job
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES >&2
build build >&2
load=$(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null || echo unknown)
python=
openblas=
case " $* " in *" gemm "*) find_openblas ;; esac
[ "$*" = gemm ] || find_python
for workload in "$@"; do
    for threads in $THREADS; do
        if [ "$threads" -gt "$(getconf _NPROCESSORS_ONLN)" ]; then
            missing "$workload on $threads threads: the machine has fewer processors"
        else
            take_turns "$workload" "$threads"
        fi
    done
done

echo
[ -z "$python" ] || "$python" -c 'import torch; print("tapegrad and PyTorch", torch.__version__)'
[ -z "$openblas" ] ||
    echo "tapegrad and OpenBLAS $(pkg-config --modversion openblas) ($(openblas_core))"
sed -n 's/^model name[^:]*: */Processor: /p' /proc/cpuinfo 2>/dev/null | sed -n 1p
echo "Medians of $ROUNDS rounds of $EACH s, in turn, OMP_WAIT_POLICY=$OMP_WAIT_POLICY"
echo "Load average before the measurement: $load (other work disturbs, two threads most of all)"
echo
awk -f $bench/compare.awk "$work/rows"
echo
echo "Not compared:"
sed 's/^/  /' "$work/missing"
echo "  memory: bench attention and tests/memory count ours; PyTorch does not report its own"
echo "  attention above T = $LONGEST (set LONGEST): build/bench attention measures ours up to 16384"
