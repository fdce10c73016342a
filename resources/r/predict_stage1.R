# Predicts Stage 1's ages with base R alone: Rscript predict_stage1.R weights.csv samples.csv ages.csv
paths <- commandArgs(trailingOnly = TRUE)
weights <- read.csv(paths[1])
samples <- read.csv(paths[2], check.names = FALSE)
value <- rep(weights$weight_raw[1], nrow(samples))
for (k in seq_len(nrow(weights))[-1]) {
  x <- samples[[weights$feature[k]]]
  if (is.null(x)) x <- NA
  value <- value + weights$weight_raw[k] * ifelse(is.na(x), weights$median[k], x)
}
samples$Stage1_Pred_Age <- ifelse(value < 0, 21 * exp(value) - 1, 21 * value + 20)
write.csv(samples[c("sample_id", "Stage1_Pred_Age")], paths[3], row.names = FALSE)
