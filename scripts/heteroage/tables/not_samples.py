"""Tables with CpGs in rows: distinguish samples from p-values, intensities, statistics and annotation.

By name and pattern, as GenomeStudio, GEO's processed tables, minfi, ChAMP and RnBeads write them. A column that is left
out is counted and named, never read as a sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SEP = r"[ ._-]*"
P_VALUES, INTENSITIES, BEADS = "detection p-values", "intensities", "bead counts"
STATISTICS, ANNOTATION, TEXT, UNNAMED = "statistics", "annotation", "text", "no name"
ROW_NUMBERS, BESIDE = "row numbers", "beside beta values of the same name"

MEAN = "(?:mean|median|average|avg)"

# A column's last words.
ENDS = {
    P_VALUES: rf"(?:detection{SEP}p|det{SEP}p|p)(?:{SEP}val(?:ue)?s?)?|detection|pvals?|pvalues?|p?oobah",
    INTENSITIES: rf"unmeth(?:ylated)?(?:{SEP}(?:signal|intensity))?|meth(?:ylated)?{SEP}(?:signal|intensity)|"
    rf"signal(?:{SEP}(?:[ab]|grn|green|red))?|intensit(?:y|ies)(?:{SEP}(?:grn|green|red))?|total{SEP}intensity",
    BEADS: rf"(?:avg{SEP})?nbeads?(?:{SEP}[ab])?|n{SEP}beads|bead{SEP}(?:counts?|stderr|number|sd)(?:{SEP}[ab])?|"
    rf"beads?{SEP}std{SEP}err|stderr|array_stdev|bead_stdev",
}
OF_A_PAIR = re.compile(
    rf"(?:^|.*[ ._-])meth(?:ylated)?{SEP}", re.IGNORECASE
)  # intensities where others are unmethylated
ALONE = {
    STATISTICS: rf"(?:row{SEP})?(?:{MEAN}|sd|std(?:ev)?|var(?:iance)?|min(?:imum)?|max(?:imum)?|sum|total|counts?|"
    rf"sem?|st(?:d|andard){SEP}(?:dev\w*|err\w*)|cv|iqr|mad|q[13]|quantile{SEP}\d*|\d+%|range|skew\w*|kurt\w*|entropy)s?\.?"
    rf"(?:{SEP}(?:betas?|all|total|overall|meth\w*|m|values?|cases?|controls?|healthy|normals?|tumou?rs?|diff\w*))?|"
    rf"{MEAN}[ ._-]*[ ._(-][a-z]\w*\)?|\w+[ ._-](?:{MEAN}|std|stdev|variance)|betas?{SEP}(?:sd|std|var)|"
    rf"(?:delta|diff)\w*{SEP}betas?|delta|dbeta|log{SEP}2?{SEP}fc|fold{SEP}change|fdr|bh|adj{SEP}p\w*(?:{SEP}val(?:ue)?)?|"
    rf"p{SEP}adj|q{SEP}val(?:ue)?s?|ave{SEP}expr|t{SEP}(?:stat|value)|effect(?:{SEP}size)?|coef\w*|correlation|rho|r2|"
    rf"weights?|slope|intercept|rank|n(?:{SEP}(?:samples?|missing|na))?|na{SEP}counts?|missing(?:{SEP}rate)?|"
    rf"(?:call|detection){SEP}rate",
    ANNOTATION: rf"chr(?:om(?:osome)?)?(?:{SEP}\w+)?|cpg{SEP}(?:chrm|beg|end|chr|start|id|name|site|island)|"
    rf"map{SEP}?(?:info|flag|q)(?:\w+)?|(?:hg\d+{SEP})?(?:chr|pos(?:ition)?|start|end|coord(?:inate)?s?)(?:{SEP}(?:hg)?\d+)?|"
    rf"range{SEP}(?:start|end)|locus|location|region|bp|(?:tss{SEP})?dist(?:ance)?(?:{SEP}\w+)?|stop|width|seqnames|strand(?:{SEP}\w+)?|genes?(?:{SEP}(?:names?|symbols?|ids?|groups?|feature))?|symbol|"
    rf"transcripts?\w*|ucsc.*|refgene.*|gencode.*|relation.*|islands?(?:{SEP}name)?|.*cpg{SEP}islands?.*|cgi|infinium.*|"
    rf"colou?r{SEP}channel|next{SEP}base|address.*|allele.*|probe.*|genome{SEP}build|source{SEP}seq|"
    rf"forward{SEP}sequence|top{SEP}genomic.*|type|design(?:{SEP}type)?|names?|ilmn{SEP}id|target{SEP}id|id{SEP}ref|ids?|"
    rf"index|unnamed.*|phantom.*|dmrs?|enhancer|hmm{SEP}island|regulatory.*|dhs|random{SEP}loci|"
    rf"methyl(?:27|450|850|epic){SEP}loci|features?|feat|context|mask.*|search{SEP}key|gc{SEP}content|snps?(?:{SEP}\w+)?|"
    rf"n{SEP}cpgs?|cpg{SEP}density|gc|spot{SEP}id|entrez\w*|rows?|lines?|nr|no\.|#|order|cluster|level{SEP}\d+|row{SEP}names?|rn|platform|accession|description|species|manifest.*",
}
_ENDS = {what: re.compile(rf"(?:^|.*[ ._:-])(?:{ends})", re.IGNORECASE) for what, ends in ENDS.items()}
_ALONE = {what: re.compile(names, re.IGNORECASE) for what, names in ALONE.items()}
_BETA = re.compile(r"[ ._:-]*(?:avg[ ._-]*)?beta(?:[ ._-]*values?)?$", re.IGNORECASE)


def what_is(name: str) -> str | None:
    """Return the kind of a column by its name, or None if it may be a sample."""
    if not name:
        return UNNAMED
    if _BETA.search(name) and not _ALONE[STATISTICS].fullmatch(name):
        return None
    for what, pattern in (*_ENDS.items(), *_ALONE.items()):
        if pattern.fullmatch(name):
            return what
    return None


def samples_among(names: Sequence[str]) -> tuple[list[int], dict[int, str]]:
    """Distinguish samples from other columns.

    Returns
    -------
    the positions of the samples, and {position: what it holds} of the others
    """
    others = {k: what for k, name in enumerate(names) if (what := what_is(name))}
    if any(re.search("unmeth", names[k], re.IGNORECASE) for k, what in others.items() if what == INTENSITIES):
        others |= {k: INTENSITIES for k, name in enumerate(names) if k not in others and OF_A_PAIR.fullmatch(name)}
    known = {names[k]: what for k, what in others.items() if names[k]}
    betas = {_BETA.sub("", name) for k, name in enumerate(names) if k not in others and _BETA.search(name)}
    for k, name in enumerate(names):
        if k not in others:
            if (again := re.sub(r"\.\d+$", "", name)) in known:  # pandas counts columns of one name
                others[k] = known[again]
            elif not _BETA.search(name) and any(name[: cut.start()] in betas for cut in re.finditer("[ ._:-]", name)):
                others[k] = BESIDE
    return [k for k in range(len(names)) if k not in others], others


def sample_ids(names: Sequence[str]) -> list[str]:
    """Return the sample ids: column names, without `.AVG_Beta` or similar suffixes if all columns have them."""
    ids = [_BETA.sub("", name) for name in names]
    shortened = all(i and i != name for i, name in zip(ids, names, strict=True)) and len(set(ids)) == len(ids)
    return ids if shortened else list(names)
