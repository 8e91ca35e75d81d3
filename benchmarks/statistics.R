# CPU seconds of pROC for two areas with intervals and their paired test: Rscript statistics.R FOLDER N REPEATS
suppressMessages(library(pROC))
given <- commandArgs(TRUE)
n <- as.numeric(given[2])
read <- function(name) readBin(file.path(given[1], name), "double", n, size = 8, endian = "little")
y <- read("labels"); a <- read("a"); b <- read("b")
best <- Inf
for (repeated in seq_len(as.integer(given[3]))) {
  gc(FALSE)
  spent <- system.time({
    one <- roc(y, a, levels = c(0, 1), direction = "<", quiet = TRUE)
    two <- roc(y, b, levels = c(0, 1), direction = "<", quiet = TRUE)
    limits <- c(ci.auc(one, method = "delong"), ci.auc(two, method = "delong"))
    test <- roc.test(one, two, method = "delong", paired = TRUE)
  })
  best <- min(best, spent[1] + spent[2])
}
cat(sprintf("%.17g", c(best, limits[2], limits[1], limits[3], test$statistic, test$p.value)), sep = "\n")
