#!/usr/bin/env bash
# Run a study from its file to the PDF and the ZIP, and say where they are.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE

study=${1:-studies/demo}
pdf=$study/paper/paper.pdf
zip=$study/submission.zip

state() { cksum "$pdf" "$zip" 2>/dev/null || true; }

before=$(state)
for verb in run results paper bundle; do
    .venv/bin/smalltune "$verb" "$study"
done

echo
if [ -n "$before" ] && [ "$before" = "$(state)" ]; then
    echo "nothing to do: $study was complete"
fi
if [ -e "$pdf" ]; then echo "PDF: $pdf"; else echo "PDF: none without LaTeX ('make latex' says how to get it)"; fi
echo "ZIP: $zip"
