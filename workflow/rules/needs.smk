"""Takes in workflow/needs.csv, fitted to measured jobs (docs/cluster.md); gives out what jobs ask a scheduler for,
`**needs(rule)` among its resources, and `threads_for(rule)`. Rules that ask for nothing take the profile's default."""

from heteroage.needs import grids, own_share, read_needs, request, values_read

NEEDS = read_needs(REPOSITORY / "workflow/needs.csv")
GRIDS = grids(config)
MOST_THREADS = 8


def request_of(name, wildcards, input, attempt=1):
    """A job's request, by what it reads. An input that is not there yet raises FileNotFoundError, which Snakemake takes
    for "to be determined" until the job can run."""
    values = values_read(input, getattr(input, "features", None))
    if name in OF_HALLMARKS:
        values *= own_share(DICTIONARY, wildcards.hallmark, input.names, len(MODALITY_TABLES))
    return request(NEEDS[name], values, GRIDS.get(name, (0, 0)), MOST_THREADS if name in THREADED else 1, attempt)


OF_HALLMARKS = {"train_expert", "score_random_sets"}
THREADED = {"sweep_stage1", "sweep_stage1_part", "cross_fit_stage1", "train_stage1"}


def needs(rule):
    """Memory (MB) and run time (minutes) of a rule's jobs."""

    def mem_mb(wildcards, input, attempt):
        return request_of(rule, wildcards, input, attempt).mem_mb

    def runtime(wildcards, input, attempt):
        return request_of(rule, wildcards, input, attempt).minutes

    return {"mem_mb": mem_mb, "runtime": runtime}


def threads_for(rule):
    """Threads of a rule's jobs: the bytes are the same for any number."""

    def threads(wildcards, input):
        try:
            return request_of(rule, wildcards, input).threads
        except FileNotFoundError:  # of threads alone Snakemake wants a number at once; it too asks again before the job
            return MOST_THREADS

    return threads
