#!/usr/bin/env bash
# Make LaTeX available where that can be done without questions. Always ends with 0: without LaTeX
# a study still writes its LaTeX sources and its ZIP.
#   tools/latex.sh           a failure is remembered, and later calls only mention it
#   tools/latex.sh --retry   try again
#   LATEX=no                 install nothing
set -euo pipefail
cd "$(dirname "$0")/.."

missing=.venv/.latex-missing
have() { command -v "$1" >/dev/null 2>&1; }

if have latexmk && have pdflatex; then
    rm -f "$missing"
    exit 0
fi
if [ "${LATEX:-}" = no ]; then
    echo "LaTeX: not installed (LATEX=no); studies end with the LaTeX sources and the ZIP, without the PDF."
    exit 0
fi
if [ -e "$missing" ] && [ "${1:-}" != --retry ]; then
    echo "LaTeX: still not installed, so no PDF ('make latex' tries again and says how)."
    exit 0
fi

packages=(texlive-latex-base texlive-latex-recommended texlive-fonts-recommended texlive-pictures
    texlive-latex-extra latexmk poppler-utils qpdf chktex)
echo "LaTeX: looking for a way to install it (where apt-get can: about 90 MB and two minutes) ..."
if tools/apt.sh "${packages[@]}"; then
    rm -f "$missing"
    echo "LaTeX: installed."
    exit 0
fi

cat <<TEXT
LaTeX: not installed, and it cannot be installed from here. Studies still end with the LaTeX sources
and the ZIP, only without the PDF. To get the PDF, put latexmk and pdflatex on the PATH:
    Debian, Ubuntu   sudo apt-get install --no-install-recommends ${packages[*]}
    macOS            MacTeX (https://tug.org/mactex) or: brew install --cask mactex-no-gui
    any system       TinyTeX (https://yihui.org/tinytex) or TeX Live (https://tug.org/texlive)
then run the same command again.
TEXT
if [ -d .venv ]; then touch "$missing"; fi
exit 0
