"""Words of the lint: the LaTeX an author may use, and the English that has to be a macro."""

import re

__all__ = ["DECLARED", "ENVIRONMENTS", "LATEX", "NUMERALS", "OPAQUE", "VERDICTS"]

_DECLARED = """SST-2 F1 GPT-2 GPT-3 T5 Qwen2 Qwen2.5 Qwen3 CC0 UTF-8 SHA-256 bfloat16 float16
float32 L2 Apache-2.0"""
_ENVIRONMENTS = """itemize enumerate description quote equation equation* align align* table table*
figure figure* tabular center"""
_OPAQUE = """cite citep citet citealp citealt citeauthor citeyear citeyearpar nocite ref autoref
pageref label eqref url href vspace hspace begin end includegraphics rule assert"""
_LATEX = """textbf textit emph texttt textsc textrm textsf textsuperscript textsubscript section
subsection subsubsection paragraph item footnote caption centering small footnotesize noindent par
quad qquad ldots dots textbackslash textasciitilde textasciicircum textendash textemdash
textellipsis newline linebreak clearpage toprule midrule bottomrule cmidrule
alpha beta gamma delta epsilon eta theta lambda mu sigma tau phi Delta times cdot le leq ge geq ne
neq approx pm frac sqrt sum prod in log exp mathrm mathbf mathcal left right text mid mathbb hat bar
tilde top to rightarrow infty partial ell argmax max min cell whichever defaulttext"""
_NUMERALS = """three four five six seven eight nine ten eleven twelve twenty thirty forty fifty
sixty seventy eighty ninety hundred hundreds thousand thousands million millions dozen dozens"""

# Words that may hold digits anywhere: data sets, metrics, families of models, formats, licences.
DECLARED = frozenset(_DECLARED.split()) | {"Llama 2", "Llama 3", "CC BY-SA 4.0"}
# `\begin{name}` runs `\name`, so environments are listed as well.
ENVIRONMENTS = frozenset(_ENVIRONMENTS.split())
# Commands whose arguments are names, lengths or addresses, not text.
OPAQUE = frozenset(_OPAQUE.split())
LATEX = OPAQUE | frozenset(_LATEX.split())
NUMERALS = re.compile(rf"\b({'|'.join(_NUMERALS.split())})\b", re.IGNORECASE)
VERDICTS = re.compile(
    r"\b(outperform\w*|surpass\w*|superior|inferior|beats?|beaten|significant\w*|"
    r"state[- ]of[- ]the[- ]art|(?:better|worse|higher|lower|stronger|weaker) than|"
    r"best|worst|on par|as good as|prove[sdn]?)\b",
    re.IGNORECASE,
)
