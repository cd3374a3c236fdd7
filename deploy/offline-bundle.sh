#!/usr/bin/env bash
# Collects everything that a station without a network needs to install edge-all with pip.
#
#   deploy/offline-bundle.sh EXTRA FOLDER     EXTRA: cpu, gpu, openvino
#
# Run it on a machine with the station's operating system and Python version. PYTHON names the interpreter.
set -euo pipefail

if [ $# -ne 2 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
extra=$1 folder=$2
source=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}

if [ -e "$folder" ]; then
    echo "$folder already exists: name a new folder." >&2
    exit 2
fi
mkdir -p "$folder.part"
"$python" -m pip wheel --quiet --wheel-dir "$folder.part" "$source[$extra]"
mv "$folder.part" "$folder"
echo "$(find "$folder" -name '*.whl' | wc -l) wheels in $folder. On the station:"
echo "  python3 -m venv .venv && .venv/bin/pip install --no-index --find-links $folder 'edge-all[$extra]'"
