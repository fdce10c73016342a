# Predicts Stage 1's ages with base R alone:
#   Rscript predict_stage1.R results/full_artifacts/stage1/Stage1_Global_Model_Weights.csv samples.csv ages.csv
# samples.csv: a row per sample, sample_id and CpGs as cg00000029_beta or, for a clock of one modality, cg00000029.
# RF_PCs that samples.csv does not have are computed from RF_PC_Loadings.csv, which is read beside the weights.

most_missing <- 0.5 # fraction of the absolute weight, as in `heteroage`
paths <- commandArgs(trailingOnly = TRUE)
weights <- read.csv(paths[1])
samples <- read.csv(paths[2], check.names = FALSE)
intercept <- weights$weight_raw[1]
weights <- weights[-1, ]
is_pc <- grepl("^RF_PC[0-9]+$", weights$feature)
pcs <- setdiff(weights$feature[is_pc], names(samples)) # to be computed

loadings <- data.frame(feature = character(), median = numeric(), mean = numeric())
if (length(pcs) > 0) {
  beside <- file.path(dirname(paths[1]), "RF_PC_Loadings.csv")
  if (!file.exists(beside)) stop("samples have no columns ", toString(pcs), ", and there is no ", beside)
  loadings <- read.csv(beside)
}

cpgs <- union(weights$feature[!is_pc], loadings$feature)

# Missing CpGs take their conditional means given the sample's other CpGs (docs/method.md); without a file that says how
# CpGs vary together, their training medians.
factors <- file.path(dirname(paths[1]), "..", "stage3", "Feature_Covariance.csv")
factors <- if (file.exists(factors)) read.csv(factors) else data.frame()
is_conditional <- "mean" %in% names(factors) && any(grepl("^factor_", names(factors)))
if (is_conditional) factors <- factors[!grepl("^RF_PC[0-9]+$", factors$feature), ]
known <- if (is_conditional) factors$feature else cpgs # of all stages: the more are measured, the better

columns <- union(cpgs, known)
names(columns) <- columns
if (length(unique(sub(".*_", "", columns))) == 1) {
  columns[] <- ifelse(columns %in% names(samples), columns, sub("_[a-z]+$", "", columns))
}
values_of <- function(feature, fill) {
  column <- if (feature %in% names(columns)) columns[[feature]] else feature
  x <- samples[[column]]
  if (is.null(x)) x <- rep(NA_real_, nrow(samples))
  if (is.character(x)) stop("column ", column, " holds text where numbers belong")
  ifelse(is.na(x), fill, x)
}

# What is missing counts by absolute weight; an RF_PC's is divided among its CpGs by squared loading.
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
  said <- sprintf(
    "%d of %d CpGs are missing (%s, ...), with %.0f%% of the anchor's weight.", length(absent), length(cpgs),
    toString(head(absent[order(-weight[absent])], 5)), 100 * missing
  )
  if (missing > most_missing || length(absent) == length(cpgs)) stop(said, " Check names and platform.")
  message(said)
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
