# heteroage-clock: trains and applies a heterogeneity-aware epigenetic age clock.
#
#   snakemake --cores 2                                     the demo, or what config/config.yaml says
#   snakemake --cores 2 --configfile my-study.yaml          your cohorts
#   snakemake --cores 2 audit                               check the input, train nothing
#   snakemake --cores 2 report                              nested evaluation, leakage certificate and report
#   snakemake --cores 2 results/full_artifacts/MANIFEST.json    one artifact by name
from snakemake.utils import min_version

min_version("9.14")

# A --configfile replaces config/config.yaml, so that a study never inherits the demo's tables.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/stage1.smk"
include: "workflow/rules/stage2.smk"
include: "workflow/rules/stage3.smk"
include: "workflow/rules/assemble.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/falsify.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        AUDIT,
        collect("results/full_artifacts/{file}", file=SEALED),
        collect("results/predictions/{name}.csv", name=config["predict"]),
        "results/summary.txt",


# Only the checks of the input, without training.
rule audit:
    input:
        AUDIT,


# The complete report, including the nested evaluation and the leakage certificate.
rule report:
    input:
        "results/report/training.html",
        # Not the complete page if there are too few groups for nested runs.
        lambda wildcards: "results/report/index.html" if folds_to_leave_out() else [],


complete_rules()


onstart:
    hold_folder(log)


onsuccess:
    print(closing_words(STARTED, sys.argv[1:]), file=sys.stderr)
