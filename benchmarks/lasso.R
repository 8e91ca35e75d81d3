# CPU seconds of cv.glmnet on given cases and folds: Rscript lasso.R FOLDER N P GRID (own or given), one thread
suppressMessages(library(glmnet))
given <- commandArgs(TRUE)
n <- as.integer(given[2]); p <- as.integer(given[3])
read <- function(name, count) readBin(file.path(given[1], name), "double", count, size = 8, endian = "little")
x <- matrix(read("x", n * p), n, p)
labels <- read("labels", n); folds <- read("folds", n) + 1
lambdas <- if (given[4] == "given") read("lambdas", file.size(file.path(given[1], "lambdas")) / 8) else NULL
family <- if (max(labels) > 1) "multinomial" else "binomial"
invisible(gc(FALSE))
spent <- system.time(cv <- cv.glmnet(x, labels, foldid = folds, family = family, lambda = lambdas))
best <- which(cv$lambda == cv$lambda.min)
found <- coef(cv$glmnet.fit, s = cv$lambda.min)
found <- if (family == "binomial") list(found) else found
features <- Reduce(`|`, lapply(found, function(each) as.vector(each)[-1] != 0))
cat(sprintf("%.17g", c(spent[1] + spent[2], length(cv$lambda), best, cv$lambda.min, min(cv$cvm), sum(features))), sep = "\n")
