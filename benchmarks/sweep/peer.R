# Time glmnet on one fold of one problem; prints a line of JSON.
#   Rscript peer.R FOLDER L1_RATIO ...      (FOLDER/X.bin: training samples x CpGs, doubles, by column; y.bin)
suppressMessages(library(glmnet))
given <- commandArgs(TRUE)
y <- readBin(file.path(given[1], "y.bin"), "double", 1e6)
p <- file.size(file.path(given[1], "X.bin")) / 8 / length(y)
X <- matrix(readBin(file.path(given[1], "X.bin"), "double", p * length(y)), length(y), p)
invisible(gc())
lambda <- exp(seq(log(0.6), log(0.006), length.out = 30))
took <- sapply(as.numeric(given[-1]), function(l1) {
  system.time(glmnet(X, y, alpha = l1, lambda = lambda, thresh = 1e-7))[["elapsed"]]
})
each <- paste(sprintf('"fold 0 l1_ratio %s": %.3f', given[-1], took), collapse = ", ")
cat(sprintf('{"solver": "glmnet %s", "each": {%s}}\n', packageVersion("glmnet"), each))
