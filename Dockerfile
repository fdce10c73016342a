# The workflow and the command `heteroage`, from the locked and hashed versions that `make run` installs too.
#
#   docker build -t heteroage-clock .
#   docker run --rm -v "$PWD:/study" heteroage-clock --cores 2 --configfile my-study.yaml
#     (the image's gene sets are /opt/heteroage-clock/resources/hallmark_genes.tsv, for inputs.hallmarks)
#   docker run --rm -v "$PWD:/study" --entrypoint heteroage heteroage-clock pipeline-predict ...
FROM python:3.11-slim-bookworm

# LightGBM's wheel needs the system's OpenMP.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/heteroage-clock
COPY requirements.lock .
RUN python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
# Editable: Snakemake's scripts and the command use one copy.
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation --editable .

# Writable for any user: what matplotlib, Numba and Snakemake keep between calls.
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib NUMBA_CACHE_DIR=/tmp/numba XDG_CACHE_HOME=/tmp/cache
WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/opt/heteroage-clock/Snakefile"]
