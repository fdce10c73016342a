"""Detection of a table's layout: orientation, sample ids, and columns that are neither samples nor CpGs.

With CpGs in rows, samples are distinguished from p-values, intensities, statistics and annotation by name, as
GenomeStudio, GEO's processed tables, minfi, ChAMP and RnBeads write them. They are counted and named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import CAPITALS, split_modality, usual_modality
from heteroage.tables.metadata import Conventions, find_columns
from heteroage.tables.source import Source, number_of

SAMPLES_IN_ROWS, CPGS_IN_ROWS, DETECT = "samples_in_rows", "cpgs_in_rows", "detect"
UNNAMED = ("", "Unnamed: 0")
LOOKED_AT = 20  # number of columns that are candidates for the column of CpG names

SEP = r"[ ._-]*"
P_VALUES, INTENSITIES, BEADS = "detection p-values", "intensities", "bead counts"
READS, MASKS = "read counts", "masks"
STATISTICS, ANNOTATION, TEXT, NO_NAME = "statistics", "annotation", "text", "no name"
ROW_NUMBERS, BESIDE = "row numbers", "beside beta values of the same name"

MEAN = "(?:mean|median|average|avg)"

# The last words of a column's name.
ENDS = {
    P_VALUES: rf"(?:detection{SEP}p|det{SEP}p|p)(?:{SEP}val(?:ue)?s?)?|detection|pvals?|pvalues?|p?oobah",
    INTENSITIES: rf"unmeth(?:ylated)?(?:{SEP}(?:signal|intensity))?|meth(?:ylated)?{SEP}(?:signal|intensity)|"
    rf"signal(?:{SEP}(?:[ab]|grn|green|red))?|intensit(?:y|ies)(?:{SEP}(?:grn|green|red))?|total{SEP}intensity",
    BEADS: rf"(?:avg{SEP})?nbeads?(?:{SEP}[ab])?|n{SEP}beads|bead{SEP}(?:counts?|stderr|number|sd)(?:{SEP}[ab])?|"
    rf"beads?{SEP}std{SEP}err|stderr|array_stdev|bead_stdev",
    READS: rf"(?:(?:n|num|total){SEP})?reads|(?:read{SEP})?(?:coverage|depth)\d*|num[ct]s\d*",
    MASKS: rf"mask(?:ed)?|(?:qc{SEP})?flags?",
}
# Intensities, if other columns are named "unmethylated".
OF_A_PAIR = re.compile(rf"(?:^|.*[ ._-])meth(?:ylated)?{SEP}", re.IGNORECASE)
# The whole name.
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
    rf"n{SEP}cpgs?|cpg{SEP}density|gc|spot{SEP}id|entrez\w*|rows?|lines?|nr|no\.|#|order|cluster|level{SEP}\d+|row{SEP}names?|rn|platform|accession|description|species|manifest.*|"
    rf"comments?|keep|filter|length|rep{SEP}num|epicv\d{SEP}loci|(?:pct|%){SEP}(?:na|missing)",
}
OTHERS = {what: re.compile(rf"(?:^|.*[ ._:-])(?:{ends})", re.IGNORECASE) for what, ends in ENDS.items()}
OTHERS |= {what: re.compile(names, re.IGNORECASE) for what, names in ALONE.items()}
BETA = re.compile(r"[ ._:-]*(?:avg[ ._-]*)?beta(?:[ ._-]*values?)?$", re.IGNORECASE)

IsCpg = Callable[[str], object]  # true or not


@dataclass(frozen=True)
class Layout:
    """Layout of a table.

    label : the column that names the rows (samples or CpGs)
    metadata : with samples in rows, {our name: its column}
    samples : with CpGs in rows, the samples' columns, and `ids` their names
    left_out : with CpGs in rows, the other columns, as "name (kind)"
    renamed : number of ids that are shorter than the column's name
    unnamed : whether the sample ids are in a column without a name
    """

    orientation: str
    label: int
    metadata: dict[str, int] = field(default_factory=dict)
    samples: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    renamed: int = 0
    unnamed: bool = False


def find_layout(source: Source, is_cpg: IsCpg, conventions: Conventions, orientation: str) -> Layout:
    """Detect the layout of a table; the arguments are those of `Table`.

    Raises HeteroAgeError: CpGs are in neither rows nor columns, or in both; CpG names are in capitals; the stated
    orientation is wrong; no sample ids; no column of a sample.
    """
    header = source.header
    cpgs = [is_cpg(name) for name in header]
    in_columns = [name for name, yes in zip(header, cpgs, strict=True) if yes]
    others = [k for k, yes in enumerate(cpgs) if not yes]
    label, in_rows, most = _label_column(source, is_cpg, others, bool(in_columns))
    if in_columns and most:
        raise HeteroAgeError(
            f"{source.where} has CpGs both as columns ({listed(in_columns)}) and as rows ({listed(in_rows)}). "
            "Keep samples in one direction and CpGs in the other."
        )
    if not in_columns and label < 0:
        cells = chain(header, *(source.first([k])[0] for k in others[:LOOKED_AT] if not source.numeric(k)))
        if capitals := [name for name in cells if name and CAPITALS.fullmatch(name)]:
            raise HeteroAgeError(
                f"{source.where} has names of CpGs in capitals ({listed(capitals)}). Write them in lower case, like "
                "cg00000029."
            )
    found = SAMPLES_IN_ROWS if in_columns or label < 0 else CPGS_IN_ROWS
    if orientation not in (DETECT, found):
        raise HeteroAgeError(
            f"{source.where} should have {orientation.replace('_', ' ')}, but has {found.replace('_', ' ')} "
            f"({listed(in_columns or in_rows)}). Correct its orientation in the config, or leave it out."
        )
    if found == CPGS_IN_ROWS:
        return _cpgs_in_rows(source, label)
    ours, unnamed = columns_of(header, others, conventions, source.where), unnamed_columns(source)
    if "sample_id" in ours:
        return Layout(SAMPLES_IN_ROWS, ours["sample_id"], ours)
    if in_columns and unnamed:
        return Layout(SAMPLES_IN_ROWS, unnamed[0], ours | {"sample_id": unnamed[0]}, unnamed=True)
    if in_columns:
        raise no_ids(source.where, header)
    if source.n_rows == 0:
        raise no_rows(source.where)
    raise no_cpgs(source.where, header, " and no column sample_id")


def no_rows(where: str) -> HeteroAgeError:
    """Return the error for a table with only a header."""
    return HeteroAgeError(f"{where} has a header and no rows. Give at least one sample.")


def no_cpgs(where: str, names: Sequence[str], more: str = "") -> HeteroAgeError:
    """Return the error for a table without CpGs."""
    return HeteroAgeError(
        f"{where} has no CpG column (it has {listed(names)}){more}. CpGs are named like cg00000029, cg00000029_beta "
        "(or _chalm, _camda) or chr1:10469. They are column names if samples are rows, and in one column (usually the "
        "first) if samples are columns."
    )


def no_ids(where: str, header: Sequence[str]) -> HeteroAgeError:
    """Return the error for a table without a column of sample ids."""
    return HeteroAgeError(
        f"{where} has no column sample_id (it has {listed(header)}). Name the column that identifies samples "
        "sample_id, or give its name (inputs.columns: {sample_id: ...}; heteroage: --columns)."
    )


def unnamed_columns(source: Source) -> list[int]:
    """Return the columns that may name the samples although they have no name: first pandas' index."""
    columns = [k for k, name in enumerate(source.header) if name in UNNAMED and k != source.index]
    return columns if source.index is None else [source.index, *columns]


def holds_values(source: Source, is_value: IsCpg, is_cpg: IsCpg) -> bool:
    """Tell whether a table contains values of samples, not only metadata."""
    return any(map(is_value, source.header)) or _label_column(source, is_cpg, range(len(source.header)), False)[0] >= 0


def columns_of(names: Sequence[str], others: Sequence[int], conventions: Conventions, where: str) -> dict[str, int]:
    """Find sample_id and the metadata columns among `others`: {our name: position in `names`}."""
    found = find_columns([names[k] for k in others], conventions, where)
    return {ours: others[k] for ours, k in found.items()}


def _cpgs_in_rows(source: Source, label: int) -> Layout:
    header = source.header
    names = {k: name for k, name in enumerate(header) if k not in (label, source.index)}
    others = _not_samples(names)
    others |= dict.fromkeys(source.textual([k for k in names if k not in others]), TEXT)
    # A column of row numbers before the names, as written by pandas and R.
    before = [k for k in names if k not in others and k < label]
    for k, cells in zip(before, source.first(before), strict=True):
        numbers = [number_of(cell or "") for cell in cells]
        if numbers and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1))):
            others[k] = ROW_NUMBERS
    samples = [k for k in names if k not in others]
    left_out = [f"{header[k] or f'column {k + 1}'} ({what})" for k, what in sorted(others.items())]
    if not samples:
        found, advice = "has CpGs in rows and no column of a sample", "Give a column for each sample."
        if INTENSITIES in others.values():
            found = "holds intensities and no beta values"
            advice = "Give beta values: methylated / (methylated + unmethylated + 100)."
        raise HeteroAgeError(f"{source.where} {found} (it has {listed(left_out)}). {advice}")
    columns = [header[k] for k in samples]
    ids = [BETA.sub("", name) for name in columns]
    if not all(i and i != name for i, name in zip(ids, columns, strict=True)) or len(set(ids)) < len(ids):
        ids = columns  # .AVG_Beta and similar suffixes are removed only if all columns have them
    return Layout(CPGS_IN_ROWS, label, {}, samples, ids, left_out, len(ids) if ids is not columns else 0)


def _label_column(
    source: Source, is_cpg: IsCpg, others: Sequence[int], in_columns: bool
) -> tuple[int, list[str], bool]:
    """Find the column that names CpGs: (column or -1, the names found, whether it holds little else)."""
    candidates = list(islice((k for k in others if not source.numeric(k)), LOOKED_AT))
    if source.index in others and source.index not in candidates and not source.numeric(source.index):
        candidates.append(source.index)
    # Columns that begin with numbers name nothing. Most columns of a text file are such ones.
    firsts = zip(candidates, source.first(candidates) if candidates else (), strict=True)
    candidates = [k for k, cells in firsts if not any(cells) or any(cell and number_of(cell) is None for cell in cells)]
    batches = ([batch.text(k) for k in candidates] for batch in source.batches(candidates, []))
    # Samples are in rows if columns are CpGs, unless the first rows of a text column contradict it.
    for texts in ([source.first(candidates)] if in_columns else batches) if candidates else ():
        named = [[cell for cell in cells if cell and is_cpg(cell)] for cells in texts]
        k, own = max(enumerate(named), key=lambda found: len(found[1]))
        if own:
            return candidates[k], own, len(own) > sum(cell is not None for cell in texts[k]) / 2
    return -1, [], False


def _not_samples(names: Mapping[int, str]) -> dict[int, str]:
    """Return {column: kind} of the columns that are not samples by their names."""
    others = {k: NO_NAME for k, name in names.items() if not name}
    for k, name in names.items():
        what = next((what for what, pattern in OTHERS.items() if pattern.fullmatch(name)), None)
        if what and (what == STATISTICS or not BETA.search(name)):
            others[k] = what
    if any(re.search("unmeth", names[k], re.IGNORECASE) for k, what in others.items() if what == INTENSITIES):
        others |= {k: INTENSITIES for k, name in names.items() if k not in others and OF_A_PAIR.fullmatch(name)}
    known = {names[k]: what for k, what in others.items() if names[k]}
    betas = {BETA.sub("", name) for k, name in names.items() if k not in others and BETA.search(name)}
    for k, name in names.items():
        if k not in others:
            if (again := re.sub(r"\.\d+$", "", name)) in known:  # pandas counts columns of one name
                others[k] = known[again]
            elif not BETA.search(name) and any(name[: cut.start()] in betas for cut in re.finditer("[ ._:-]", name)):
                others[k] = BESIDE
    return others


def check_cpg_names(names: Sequence[str], where: str) -> None:
    """Reject repeated CpGs. Replicates of one probe (EPICv2) are not repeats; they are averaged."""
    names = [usual_modality(name) for name in names]
    if len(set(names)) < len(names):
        same = sorted(name for name, count in Counter(names).items() if count > 1)
        raise HeteroAgeError(f"{where} has CpGs of the same name ({listed(same)}). Keep one of each.")
    known = set(names)
    twice = sorted(name for name in names if (split := split_modality(name))[1] and split[0] in known)
    if twice:
        suffix = f"_{split_modality(twice[0])[1]}"
        raise HeteroAgeError(f"{where} has CpGs both with and without the suffix {suffix} ({listed(twice)}). Keep one.")


def check_left_out(ids: Collection[str], where: str, left_out: Sequence[str], table: str) -> None:
    """Reject a sheet that lists as samples columns that a table left out because of their names.

    ids, where : the sheet's samples, and its name in messages
    left_out, table : `Layout.left_out` of the table, and its name in messages
    """
    if twofold := [column for column in left_out if column.rpartition(" (")[0] in ids]:
        raise HeteroAgeError(
            f"{table} has columns whose names are not those of samples ({listed(twofold)}), but {where} lists them as "
            "samples. Rename these samples in both, or delete their rows if they are not samples."
        )
