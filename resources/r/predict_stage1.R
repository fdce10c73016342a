# Predict Stage 1's ages with base R only:
#   Rscript predict_stage1.R results/full_artifacts/stage1/Stage1_Global_Model_Weights.csv samples.csv ages.csv
# samples.csv has one row per sample: sample_id, and CpGs named cg00000029_beta. If the clock uses one modality,
# cg00000029 is accepted too. RF_PCs that are not in samples.csv are computed from RF_PC_Loadings.csv, which must be in
# the folder of the weights.

most_missing <- 0.5 # maximum missing fraction of the absolute weight, as in `heteroage`
paths <- commandArgs(trailingOnly = TRUE)
weights <- read.csv(paths[1])
samples <- read.csv(paths[2], check.names = FALSE)
intercept <- weights$weight_raw[1]
weights <- weights[-1, ]
is_pc <- grepl("^RF_PC[0-9]+$", weights$feature)
pcs <- setdiff(weights$feature[is_pc], names(samples)) # RF_PCs to compute

loadings <- data.frame(feature = character(), median = numeric(), mean = numeric())
if (length(pcs) > 0) {
  loadings_file <- file.path(dirname(paths[1]), "RF_PC_Loadings.csv")
  if (!file.exists(loadings_file)) {
    stop("samples have no columns ", toString(pcs), ", and the file ", loadings_file, " does not exist")
  }
  loadings <- read.csv(loadings_file)
}

cpgs <- union(weights$feature[!is_pc], loadings$feature)

# A missing CpG is imputed by its conditional mean, given the sample's other CpGs (docs/method.md). If the clock has no
# factor model (Feature_Covariance.csv), it is imputed by its training median.
factors <- file.path(dirname(paths[1]), "..", "stage3", "Feature_Covariance.csv")
factors <- if (file.exists(factors)) read.csv(factors) else data.frame()
is_conditional <- "mean" %in% names(factors) && any(grepl("^factor_", names(factors)))
if (is_conditional) factors <- factors[!grepl("^RF_PC[0-9]+$", factors$feature), ]
# The factor model has the CpGs of all stages, and uses all that are measured.
known <- if (is_conditional) factors$feature else cpgs

columns <- union(cpgs, known)
names(columns) <- columns
if (length(unique(sub(".*_", "", columns))) == 1) {
  columns[] <- ifelse(columns %in% names(samples), columns, sub("_[a-z]+$", "", columns))
}
values_of <- function(feature, fill) {
  column <- if (feature %in% names(columns)) columns[[feature]] else feature
  x <- samples[[column]]
  if (is.null(x)) x <- rep(NA_real_, nrow(samples))
  if (is.character(x)) stop("column ", column, " contains text instead of numbers")
  ifelse(is.na(x), fill, x)
}

# The missing fraction is weighted by absolute weight. The weight of an RF_PC is divided among its CpGs, by squared
# loading.
weight <- setNames(numeric(length(cpgs)), cpgs)
weight[weights$feature[!is_pc]] <- abs(weights$weight_standardised[!is_pc])
for (pc in pcs) {
  share <- loadings[[pc]]^2 / sum(loadings[[pc]]^2)
  own <- abs(weights$weight_standardised[weights$feature == pc])
  weight[loadings$feature] <- weight[loadings$feature] + own * share
}
absent <- cpgs[!columns[cpgs] %in% names(samples)]
missing <- if (length(cpgs) > 0) sum(weight[absent]) / sum(weight) else 0
if (length(absent) > 0) {
  text <- sprintf(
    "%d of %d CpGs are missing (%s, ...), with %.0f%% of the anchor's weight.", length(absent), length(cpgs),
    toString(head(absent[order(-weight[absent])], 5)), 100 * missing
  )
  if (missing > most_missing || length(absent) == length(cpgs)) stop(text, " Check names and platform.")
  message(text)
}

if (is_conditional) {
  loading <- as.matrix(factors[grepl("^factor_", names(factors))])
  values <- vapply(known, values_of, numeric(nrow(samples)), fill = NA_real_)
  values <- matrix(values, nrow(samples), dimnames = list(NULL, known))
  for (i in seq_len(nrow(samples))) {
    has <- !is.na(values[i, ]) & rowSums(loading != 0) > 0
    gone <- is.na(values[i, ]) & rowSums(loading != 0) > 0
    scaled <- loading[has, , drop = FALSE] / factors$own_variance[has]
    precision <- diag(ncol(loading)) + crossprod(scaled, loading[has, , drop = FALSE])
    z <- solve(precision, crossprod(scaled, values[i, has] - factors$mean[has]))
    values[i, gone] <- factors$mean[gone] + loading[gone, , drop = FALSE] %*% z
  }
  columns[known] <- known
  samples[known] <- as.data.frame(values)
}

for (pc in pcs) {
  samples[[pc]] <- 0
  for (k in seq_len(nrow(loadings))) {
    centred <- values_of(loadings$feature[k], loadings$median[k]) - loadings$mean[k]
    samples[[pc]] <- samples[[pc]] + loadings[[pc]][k] * centred
  }
}
value <- rep(intercept, nrow(samples))
for (k in seq_len(nrow(weights))) {
  value <- value + weights$weight_raw[k] * values_of(weights$feature[k], weights$median[k])
}
samples$Stage1_Pred_Age <- ifelse(value < 0, 21 * exp(value) - 1, 21 * value + 20)
write.csv(samples[c("sample_id", "Stage1_Pred_Age")], paths[3], row.names = FALSE)
